"""Text of a resource graph: complete, comparable and free of generated values."""

import base64
import difflib
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl.stack.program import stack_graph
from streaming_etl.stack.recorder import ACCOUNT_ID, Graph, Node, build
from tools.graph.references import References
from tools.graph.text import graph_text, parsed, plain, stack_text
from tools.project import ROOT

VIEW = "/* Presto View: {} */"


@cache
def example() -> Graph:
    return stack_graph("dev")


def blocks(text: str) -> dict[str, Any]:
    """The JSON of each block by its heading."""
    headings = [block.partition("\n") for block in text.removesuffix("\n").split("\n\n")]
    return {heading: json.loads(value) for heading, _, value in headings}


def with_node(graph: Graph, name: str, /, **changed: Any) -> Graph:
    """The graph with one resource's fields changed."""
    node = graph[name]
    rest = [other for other in graph.nodes if other is not node]
    return replace(graph, nodes=[*rest, replace(node, **changed)])


def changed_lines(before: Graph, after: Graph) -> list[str]:
    lines = (graph_text(graph).splitlines() for graph in (before, after))
    compared = difflib.unified_diff(*lines, n=0, lineterm="")
    return [line for line in compared if not line.startswith(("---", "+++", "@@"))]


def variants(value: Any) -> Iterator[tuple[str, Any]]:
    """Plain data with one value changed or left out, and where."""
    if isinstance(value, dict) and set(value) == {"archive"}:
        yield "", {"archive": __file__}
    elif isinstance(value, dict):
        for key, item in value.items():
            for path, variant in variants(item):
                yield f".{key}{path}", {**value, key: variant}
            yield f"-{key}", {other: value[other] for other in value if other != key}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for path, variant in variants(item):
                yield f".{index}{path}", [*value[:index], variant, *value[index + 1 :]]
            yield f"-{index}", [*value[:index], *value[index + 1 :]]
    elif isinstance(value, str) and value.startswith(VIEW.partition("{")[0]):
        yield "", VIEW.format(base64.b64encode(b'{"other": 1}').decode())
    elif isinstance(value, str) and isinstance(parsed(value), dict | list):
        for path, variant in variants(parsed(value)):
            yield path, json.dumps(variant)
    elif isinstance(value, str):
        yield "", f"{value}~"
    else:
        yield "", not value if isinstance(value, bool) else (value or 0) + 1


def test_every_changed_input_changes_the_text() -> None:
    unchanged, compared = [], 0
    for node in example().custom:
        before = graph_text(Graph([node]))
        for path, inputs in variants(node.inputs):
            compared += 1
            if graph_text(Graph([replace(node, inputs=inputs)])) == before:
                unchanged.append(f"{node.name}{path}")
    assert unchanged == []
    assert compared > 1000


def test_every_changed_field_of_a_resource_changes_the_text() -> None:
    other = {
        "type": "aws:sqs/queue:Queue",
        "name": "other",
        "parent": "orders-lake",
        "parent_type": "pulumi:pulumi:Stack",
        "inputs": {"name": "other"},
        "depends_on": ["orders-lake-bucket"],
        "delete_before_replace": True,
        "custom": False,
        "provider": "urn:pulumi:dev::streaming-etl::pulumi:providers:aws::theirs::id",
        "options": {"protect": True},
    }
    # The outputs of a component are built from its resources. Aliases have an effect only in the
    # update that moves a resource.
    assert {field.name for field in fields(Node)} - {"outputs", "aliases"} == set(other)
    name = example().of("Topic")[0].name
    unchanged = [
        field
        for field, value in other.items()
        if not changed_lines(example(), with_node(example(), name, **{field: value}))
    ]
    assert unchanged == []


def test_every_changed_export_changes_the_text() -> None:
    before = graph_text(Graph(exports=example().exports))
    changed = [graph_text(Graph(exports=exports)) for _, exports in variants(example().exports)]
    assert len(changed) > 10
    assert before not in changed


def test_the_order_of_registration_and_of_keys_does_not_change_the_text() -> None:
    def shuffled(value: Any, chance: random.Random) -> Any:
        if isinstance(value, dict):
            items = chance.sample([*value.items()], len(value))
            return {key: shuffled(item, chance) for key, item in items}
        return [shuffled(item, chance) for item in value] if isinstance(value, list) else value

    chance = random.Random(0)
    nodes = [replace(node, inputs=shuffled(node.inputs, chance)) for node in example().nodes]
    chance.shuffle(nodes)
    other = Graph(nodes, exports=shuffled(example().exports, chance))
    assert graph_text(other) == graph_text(example())


def test_another_folder_and_process_print_the_same_text(project: Path) -> None:
    path = os.environ["PATH"]
    run = subprocess.run(
        [sys.executable, "-m", "tools.graph"],
        cwd=project,
        env={"PATH": path, "PYTHONHASHSEED": "17", "PYTHONPATH": str(project), "TZ": "Asia/Tokyo"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == (stack_text("dev"), "")


def test_the_text_contains_no_folder_and_no_generated_value() -> None:
    text = stack_text("dev")
    generated = [str(ROOT), str(Path.home()), ACCOUNT_ID, "-0000000", "uuid-of-", "2026-11-23T"]
    assert [value for value in generated if value in text] == []


def test_a_changed_setting_is_a_changed_line() -> None:
    node = example()["orders-forwarder-mapping"]
    after = with_node(example(), node.name, inputs={**node.inputs, "batchSize": 100})
    assert changed_lines(example(), after) == ['-    "batchSize": 500,', '+    "batchSize": 100,']


def test_a_block_shows_inputs_options_and_dependencies() -> None:
    def program() -> None:
        options = pulumi.ResourceOptions(
            protect=True, retain_on_delete=True, ignore_changes=["displayName"]
        )
        first = aws.sns.Topic("first", opts=options)
        options = pulumi.ResourceOptions(
            deleted_with=first,
            depends_on=first,
            replace_on_changes=["name"],
            delete_before_replace=True,
        )
        policy = pulumi.Output.json_dumps({"Statement": [{"Resource": first.arn}]})
        aws.sns.Topic("second", name="both\nlines", policy=policy, opts=options)
        aws.sns.Topic("third", opts=pulumi.ResourceOptions(depends_on=first))
        pulumi.export("both", [first.arn, first.name, 1.0])

    assert blocks(graph_text(build(program))) == {
        "sns.Topic first": {
            "options": {"ignoreChanges": ["displayName"], "protect": True, "retainOnDelete": True}
        },
        "sns.Topic second": {
            "deleteBeforeReplace": True,
            "inputs": {
                "name": ["both", "lines"],
                "policy": {"Statement": [{"Resource": "{first.arn}"}]},
            },
            "options": {"deletedWith": "first", "replaceOnChanges": ["name"]},
        },
        "sns.Topic third": {"dependsOn": ["first"]},
        "exports": {"both": ["{first.arn}", "{first}", 1]},
    }


@pytest.mark.parametrize("kind", ["file", "text"])
def test_an_archive_is_a_digest_of_its_contents(tmp_path: Path, kind: str) -> None:
    references = References(Graph())

    def text(content: str) -> Any:
        (tmp_path / content).write_text(content)
        asset = {"file": str(tmp_path / content)} if kind == "file" else {"text": content}
        return plain({"module.py": asset}, references, ROOT)

    assert text("one").startswith("archive, digest ")
    assert text("one") == text("one") != text("two")


def test_an_asset_is_a_digest_of_its_content(tmp_path: Path) -> None:
    file = tmp_path / "code.zip"
    file.write_bytes(b"one")
    before = plain({"archive": str(file)}, References(Graph()), ROOT)
    file.write_bytes(b"another")
    assert before != plain({"archive": str(file)}, References(Graph()), ROOT)
