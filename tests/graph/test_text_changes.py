"""The text tells every change of a graph, and nothing that is no change."""

import difflib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.stack.outputs import ROOT, read_config
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import ACCOUNT_ID, Graph, Node
from tests.graph.graphs import example
from tests.graph.variants import variants
from tools.graph.ordering import Flow
from tools.graph.text import stack_text, text

EXAMPLE = example()
# Threads register resources in any order, but the test runner wants the same one everywhere.
NODES = sorted(EXAMPLE.custom, key=lambda node: (node.name, node.type))
# What the text leaves out, and why no change hides behind it.
LEFT_OUT = {
    # A stage's outputs are built from resources, and its pipeline's are the stack's exports.
    "outputs",
}


def difference(before: Graph, after: Graph) -> list[str]:
    """The lines that `diff` shows, without those around them."""
    lines = [text(graph, "dev").splitlines() for graph in (before, after)]
    compared = difflib.unified_diff(*lines, n=0, lineterm="")
    return [line for line in compared if not line.startswith(("---", "+++", "@@"))]


def with_node(graph: Graph, name: str, /, **changed: Any) -> Graph:
    """The graph with one resource's fields changed."""
    node = graph[name]
    rest = [other for other in graph.nodes if other is not node]
    return replace(graph, nodes=[*rest, replace(node, **changed)])


def with_input(name: str, **changed: Any) -> Graph:
    return with_node(EXAMPLE, name, inputs={**EXAMPLE[name].inputs, **changed})


def with_settings(change: Callable[[dict[str, Any]], None]) -> Graph:
    """The example stack with other settings."""
    config = dict(read_config(ROOT, "dev").values)
    tables = json.loads(config["streaming-etl:tables"])
    change(tables)
    config["streaming-etl:tables"] = json.dumps(tables)
    return program_graph(config, stack="dev")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_the_text_tells_every_value_of_every_input(node: Node) -> None:
    above = Flow(EXAMPLE).chain(node)[:-1]
    before = text(Graph([*above, node]), "dev")
    told = 0
    for path, inputs in variants(node.inputs):
        after = text(Graph([*above, replace(node, inputs=inputs)]), "dev")
        assert after != before, path
        told += 1
    assert told >= len(node.inputs)


@pytest.mark.parametrize(
    "node",
    {node.type: node for node in NODES}.values(),
    ids=lambda node: node.type.rpartition(":")[2],
)
def test_among_all_others_a_changed_resource_is_told_too(node: Node) -> None:
    _, inputs = next(variants(node.inputs))
    changed = difference(EXAMPLE, with_node(EXAMPLE, node.name, inputs=inputs))
    assert changed
    assert [line for line in changed if not line[1:].startswith(f"dev/{node.name}")] == []


@pytest.mark.parametrize("field", sorted({it.name for it in fields(Node)} - LEFT_OUT))
def test_the_text_tells_whatever_else_pulumi_knows_of_a_resource(field: str) -> None:
    others = {
        "type": "aws:sqs/queue:Queue",
        "name": "other",
        "parent": "orders-lake",
        "parent_type": "aws:sqs/queue:Queue",
        "inputs": {"name": "other"},
        "depends_on": ["orders-lake-bucket"],
        "delete_before_replace": True,
        "custom": False,
        "provider": "urn:pulumi:dev::streaming-etl::pulumi:providers:aws::theirs::id",
        "options": {"protect": True},
    }
    after = with_node(EXAMPLE, "orders-watch-topic", **{field: others[field]})
    assert difference(EXAMPLE, after)


def test_the_text_tells_every_export() -> None:
    before = text(Graph(exports=EXAMPLE.exports), "dev")
    paths = []
    for path, exports in variants(EXAMPLE.exports):
        assert text(Graph(exports=exports), "dev") != before, path
        paths.append(path)
    assert {".orders.view", "-orders", ".shipments-crawler"} <= {*paths}


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same maps, their keys in another order."""
    if isinstance(value, dict):
        items = chance.sample([*value.items()], len(value))
        return {key: shuffled(item, chance) for key, item in items}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def test_the_order_of_registration_and_of_keys_is_not_told() -> None:
    before = text(EXAMPLE, "dev")
    for seed in range(3):
        chance = random.Random(seed)
        nodes = [replace(node, inputs=shuffled(node.inputs, chance)) for node in EXAMPLE.nodes]
        chance.shuffle(nodes)
        other = replace(EXAMPLE, nodes=nodes, exports=shuffled(EXAMPLE.exports, chance))
        assert text(other, "dev") == before


def test_another_folder_and_another_process_give_the_same_text(project: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tools.graph"],
        cwd=project,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONHASHSEED": "17",
            "PYTHONPATH": str(project),
            "TZ": "Asia/Tokyo",
        },
        capture_output=True,
        check=True,
        text=True,
    )
    assert run.stdout == stack_text("dev")
    assert run.stderr == ""


def test_the_text_holds_no_folder_and_nothing_that_the_recorder_makes_up() -> None:
    told = stack_text("dev")
    made_up = [str(ROOT), str(Path.home()), ACCOUNT_ID, "-0000000", "uuid-of-", "2026-11-23T"]
    assert [value for value in made_up if value in told] == []
    assert told.endswith("\n")
    assert not told.endswith("\n\n")


def test_each_line_names_its_stack_and_resource() -> None:
    lines = [line for line in text(EXAMPLE, "dev").splitlines() if line]
    starts = (*(f"dev/{node.name}" for node in EXAMPLE.nodes), "dev/exports.", "dev/shared.")
    assert [line for line in lines if not line.startswith(starts)] == []


def test_a_changed_setting_is_a_changed_line() -> None:
    after = with_settings(lambda tables: tables["orders"].update(forwarder={"batch_size": 100}))
    assert difference(EXAMPLE, after) == [
        "-dev/orders-forwarder-mapping.batchSize: 500",
        "+dev/orders-forwarder-mapping.batchSize: 100",
    ]


def test_a_changed_handler_is_one_line_for_all_functions(project: Path) -> None:
    before = text(EXAMPLE, "dev").splitlines()
    with (project / "handlers" / "log.py").open("a") as handler:
        handler.write("\n")
    moved = [
        replace(node, inputs={**node.inputs, "code": moved_handlers(node, project)})
        if "code" in node.inputs
        else node
        for node in EXAMPLE.nodes
    ]
    after = text(replace(EXAMPLE, nodes=moved), "dev").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [old.partition(":")[0] for old, _ in changed] == ["dev/shared.handlers"]


def moved_handlers(node: Node, project: Path) -> dict[str, dict[str, str]]:
    """A function's archive with the handlers of another folder."""
    code = node.inputs["code"]
    return {
        path: {"file": str(project / path)} if path.startswith("handlers/") else asset
        for path, asset in code.items()
    }


def test_a_function_with_code_of_its_own_tells_it() -> None:
    code = {**EXAMPLE["orders-forwarder-function"].inputs["code"]}
    del code["handlers/log.py"]
    [before, after] = difference(EXAMPLE, with_input("orders-forwarder-function", code=code))
    assert before == "-dev/orders-forwarder-function.code.handlers: shared"
    assert after.startswith("+dev/orders-forwarder-function.code.handlers: ")
    assert f" {len([path for path in code if path.startswith('handlers/')])} files" in after


def test_tags_are_told_once_and_where_they_differ() -> None:
    both = {"streaming-etl:pipeline": "orders", "team": "shop"}
    assert difference(EXAMPLE, with_input("orders-watch-topic", tags=both)) == [
        "-dev/orders-watch-topic: sns.Topic in orders-monitoring, tagged",
        "+dev/orders-watch-topic: sns.Topic in orders-monitoring",
        "+dev/orders-watch-topic.tags.streaming-etl:pipeline: orders",
        "+dev/orders-watch-topic.tags.team: shop",
    ]
    assert difference(EXAMPLE, with_settings(tag_orders)) == ["+dev/orders.tags.team: shop"]


def tag_orders(tables: dict[str, Any]) -> None:
    tables["orders"]["tags"] = {"team": "shop"}


def test_another_table_adds_lines_and_changes_none() -> None:
    def copy_shipments(tables: dict[str, Any]) -> None:
        tables["parcels"] = {**tables["shipments"], "table_name": "parcels"}

    changed = difference(EXAMPLE, with_settings(copy_shipments))
    named = ("+dev/parcels", "+dev/exports.parcels", "+")
    assert len(changed) > 300
    assert [line for line in changed if not line.startswith(named)] == []
