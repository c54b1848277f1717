"""The same pipeline by programs in three languages: fit for the schema, and the same resources."""

import contextlib
import functools
import json
import re
import runpy
import sys
import types
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
import yaml

from package.host import PipelineProvider
from streaming_etl import StreamingEtlPipeline
from streaming_etl.stack.recorder import Graph, build
from tests.package.engine import PIPELINE
from tests.package.schemas import misfits
from tools.project import ROOT

EXAMPLES = ROOT / "examples"
SCHEMA = json.loads(PipelineProvider().schema or "")
PAGE = (ROOT / "docs" / "package.md").read_text()
YAML = (EXAMPLES / "yaml" / "Pulumi.yaml").read_text()
TYPESCRIPT = (EXAMPLES / "typescript" / "index.ts").read_text()

Told = tuple[str, dict[str, Any], dict[str, str]]
"""Name, arguments and exports of a pipeline, by the exported name the output of it."""


def told_in_yaml(text: str) -> Told:
    """What a program tells that only makes the pipeline and exports outputs of it."""
    program = yaml.safe_load(text)
    [(name, resource)] = program["resources"].items()
    assert resource["type"] == PIPELINE
    exports = {}
    for exported, text in program["outputs"].items():
        [output] = re.findall(rf"^\$\{{{name}\.(\w+)}}$", text)
        exports[exported] = output
    return name, resource["properties"], exports


def told_in_typescript(text: str) -> Told:
    """The same of a program in TypeScript."""
    made = re.fullmatch(
        r'import \* as streaming from "@pulumi/streaming-etl";\n\n'
        r"const (\w+) = new streaming\.(\w+)\(\"(\w+)\", (\{\n.*\n\})\);\n\n"
        r"((?:export const \w+ = \w+\.\w+;\n)+)",
        text,
        re.DOTALL,
    )
    assert made is not None
    variable, kind, name, literal, exported = made.groups()
    assert f"streaming-etl:index:{kind}" == PIPELINE
    exports = re.findall(rf"^export const (\w+) = {variable}\.(\w+);$", exported, re.MULTILINE)
    assert len(exports) == len(exported.splitlines())
    return name, literal_of(literal), dict(exports)


def literal_of(text: str) -> Any:
    """An object literal of quoted texts, numbers, true and false, which YAML's flow form reads.

    Raises ValueError for what TypeScript would take for a variable.
    """
    before = None
    for token in yaml.scan(text):
        if isinstance(token, yaml.ScalarToken) and token.plain:
            key = isinstance(before, yaml.KeyToken)
            if not key and not re.fullmatch(r"true|false|\d+(\.\d+)?", token.value):
                raise ValueError(f"{token.value} is no literal")
        before = token
    return yaml.safe_load(text)


def by_the_package(name: str, given: dict[str, Any], exports: dict[str, str]) -> None:
    made = PipelineProvider().construct(name, PIPELINE, given)
    for exported, output in exports.items():
        pulumi.export(exported, made.state[output])


def by_the_python_sdk() -> None:
    """Runs the program with an SDK that takes keyword arguments, as one made of the schema does."""
    sdk = types.ModuleType("pulumi_streaming_etl")

    def pipeline(name: str, **settings: Any) -> StreamingEtlPipeline:
        return StreamingEtlPipeline(name, settings)  # type: ignore[arg-type]

    sdk.StreamingEtlPipeline = pipeline  # type: ignore[attr-defined]
    sys.modules[sdk.__name__] = sdk
    try:
        runpy.run_path("__main__.py", run_name="__main__")
    finally:
        del sys.modules[sdk.__name__]


def graph_in(example: str, program: Callable[[], None]) -> Graph:
    with contextlib.chdir(EXAMPLES / example):
        return build(program)


def sorted_nodes(graph: Graph) -> list[Any]:
    return sorted(graph.nodes, key=lambda node: (node.type, node.name))


def block(language: str) -> str:
    """The one block of the page in a language."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


@pytest.mark.parametrize(
    "told",
    [
        told_in_yaml(YAML),
        told_in_typescript(TYPESCRIPT),
        told_in_yaml(block("yaml")),
        told_in_typescript(block("typescript")),
    ],
    ids=["yaml", "typescript", "yaml on the page", "typescript on the page"],
)
def test_an_example_has_the_arguments_and_the_outputs_of_the_schema(told: Told) -> None:
    _, given, exports = told
    assert misfits(SCHEMA, given) == []
    [component] = SCHEMA["resources"].values()
    assert set(exports.values()) - set(component["properties"]) == set()


def test_all_examples_make_the_same_resources_and_export_the_same() -> None:
    python = graph_in("python", by_the_python_sdk)
    assert python.exports["view"] == "orders_current"
    assert len(python.exports) == 2
    told = {"yaml": told_in_yaml(YAML), "typescript": told_in_typescript(TYPESCRIPT)}
    for example, program in told.items():
        graph = graph_in(example, functools.partial(by_the_package, *program))
        assert sorted_nodes(graph) == sorted_nodes(python)
        assert graph.exports == python.exports


def test_every_example_has_its_own_copy_of_the_transform() -> None:
    files = sorted(EXAMPLES.glob("*/transforms/orders.py"))
    assert [path.parts[-3] for path in files] == ["python", "typescript", "yaml"]
    assert len({path.read_text() for path in files}) == 1


@pytest.mark.parametrize("example", ["python", "yaml", "typescript"])
def test_every_example_uses_the_package_of_this_repository(example: str) -> None:
    project = yaml.safe_load((EXAMPLES / example / "Pulumi.yaml").read_text())
    folder = (EXAMPLES / example / project["packages"]["streaming-etl"]).resolve()
    assert folder == ROOT / "package"


def test_the_package_is_what_pulumi_runs_as_a_python_plugin() -> None:
    plugin = yaml.safe_load((ROOT / "package" / "PulumiPlugin.yaml").read_text())
    assert plugin["runtime"]["name"] == "python"
    assert (ROOT / "package" / "__main__.py").is_file()
    wanted = re.findall(r"^-r (\S+)$", (ROOT / "package" / "requirements.txt").read_text(), re.M)
    assert [(ROOT / "package" / path).resolve() for path in wanted] == [ROOT / "requirements.txt"]


@pytest.mark.parametrize(
    ("given", "misfit"),
    [
        ({"tableNames": "orders"}, "tableNames is unknown"),
        ({"tableName": 7}, "tableName is no string"),
        ({"logRetentionDays": 1.5}, "logRetentionDays is no integer"),
        ({"logRetentionDays": True}, "logRetentionDays is no integer"),
        ({"partitions": "day"}, "partitions is no object"),
        ({"partitions": {"time_zone": "UTC"}}, "partitions.time_zone is unknown"),
        (
            {"partitions": {"dynamicPartitionKeys": {"store_id": "a"}}},
            "partitions.dynamicPartitionKeys.store_id is no array",
        ),
        (
            {"partitions": {"dynamicPartitionKeys": {"store_id": [7]}}},
            "partitions.dynamicPartitionKeys.store_id is no string",
        ),
    ],
)
def test_an_argument_that_does_not_fit_would_be_found(given: dict[str, Any], misfit: str) -> None:
    fit = {"tableName": "orders", "transformModule": "x.py", "partitions": {}}
    assert misfits(SCHEMA, {**fit, **given}) == [misfit]


def test_a_missing_argument_would_be_found() -> None:
    assert misfits(SCHEMA, {"tableName": "orders", "partitions": {}}) == [
        "transformModule is missing"
    ]


@pytest.mark.parametrize("text", ["{ tableName: orders }", "{ a: { b: [x] } }", '{ a: f("x") }'])
def test_a_variable_in_the_typescript_example_would_be_found(text: str) -> None:
    with pytest.raises(ValueError, match="is no literal"):
        literal_of(text)


def test_the_literals_of_typescript_are_read() -> None:
    assert literal_of('{\n a: "b: c",\n d: { e: [1, 0.5, true], },\n}') == {
        "a": "b: c",
        "d": {"e": [1, 0.5, True]},
    }
