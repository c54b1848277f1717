"""The example programs of three languages create the same pipelines."""

import contextlib
import functools
import re
import runpy
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.provider.experimental.util import camel_case

from package.host import PipelineProvider
from streaming_etl import StreamingEtlPipeline
from streaming_etl.stack.recorder import Graph, build
from tests.package.engine import PIPELINE
from tools.project import ROOT

EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "package.md").read_text()
YAML = (EXAMPLES / "yaml" / "Pulumi.yaml").read_text()
TYPESCRIPT = (EXAMPLES / "typescript" / "index.ts").read_text()


@dataclass(frozen=True)
class Program:
    """Pipelines and exports of a program."""

    pipelines: dict[str, dict[str, Any]]
    """Arguments by name."""
    exports: dict[str, tuple[str, str]]
    """Pipeline and output by exported name."""


def yaml_program(text: str) -> Program:
    """Read a YAML program of pipelines and their exports."""
    program = yaml.safe_load(text)
    assert {resource["type"] for resource in program["resources"].values()} == {PIPELINE}
    exports = {}
    for exported, expression in program["outputs"].items():
        [exports[exported]] = re.findall(r"^\$\{(\w+)\.(\w+)}$", expression)
    pipelines = {name: resource["properties"] for name, resource in program["resources"].items()}
    return Program(pipelines, exports)


CREATION = re.compile(
    r"^const (\w+) = new streaming\.(\w+)\(\"(\w+)\", (\{\n.*?\n\})\);\n\n",
    re.DOTALL | re.MULTILINE,
)
EXPORT = re.compile(r"^export const (\w+) = (\w+)\.(\w+);\n", re.MULTILINE)


def typescript_program(text: str) -> Program:
    """Read a TypeScript program of pipelines and their exports."""
    pipelines = {}
    for variable, kind, name, literal in CREATION.findall(text):
        assert (f"streaming-etl:index:{kind}", name) == (PIPELINE, variable)
        # No value is a variable.
        assert not re.search(r"[:\[,]\s*(?!true\b|false\b)[A-Za-z_]\w*\s*[,\]}]", literal)
        # An object literal of quoted text, numbers, true and false is a flow mapping of YAML.
        pipelines[name] = yaml.safe_load(literal)
    exports = {exported: (name, output) for exported, name, output in EXPORT.findall(text)}
    rest = EXPORT.sub("", CREATION.sub("", text))
    assert rest == 'import * as streaming from "@pulumi/streaming-etl";\n\n'
    return Program(pipelines, exports)


def page_block(language: str) -> str:
    """The only code block of docs/package.md in a language."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


def run_in_package(program: Program) -> None:
    """Create the pipelines as the package does."""
    states = {
        name: PipelineProvider().construct(name, PIPELINE, arguments).state
        for name, arguments in program.pipelines.items()
    }
    for exported, (name, output) in program.exports.items():
        pulumi.export(exported, states[name][output])


def run_python() -> None:
    """Run the Python program with a stand-in for the generated SDK."""
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
        graph = build(program)
    graph.nodes.sort(key=lambda node: (node.type, node.name))
    for node in graph.of("Function"):
        # Named after its content; the folder is the example's.
        node.inputs["code"] = Path(node.inputs["code"]["archive"]).name
    return graph


def test_all_examples_create_the_same_resources_and_exports() -> None:
    python = graph_in("python", run_python)
    assert python.exports["view"] == "orders_current"
    assert len(python.exports) == 3
    by_name = python.exports.pop("lakeTables")
    assert by_name["customers"]["current_state_query_id"] is None
    assert by_name["customers"]["delivery_stream"] == "shop-customers-delivery-stream-0000000"
    programs = {"yaml": yaml_program(YAML), "typescript": typescript_program(TYPESCRIPT)}
    for example, program in programs.items():
        graph = graph_in(example, functools.partial(run_in_package, program))
        assert graph.nodes == python.nodes
        # The SDK of Python has other names than the package.
        assert graph.exports.pop("lakeTables") == {
            name: {camel_case(key): value for key, value in table.items() if value is not None}
            for name, table in by_name.items()
        }
        assert graph.exports == python.exports


@pytest.mark.parametrize(
    "program",
    [yaml_program(page_block("yaml")), typescript_program(page_block("typescript"))],
    ids=["yaml", "typescript"],
)
def test_the_package_accepts_the_programs_of_the_page(program: Program) -> None:
    assert graph_in("yaml", functools.partial(run_in_package, program)).nodes


def test_every_example_has_the_same_transforms() -> None:
    for name in ("customers", "orders"):
        files = sorted(EXAMPLES.glob(f"*/transforms/{name}.py"))
        assert [path.parts[-3] for path in files] == ["python", "typescript", "yaml"]
        assert len({path.read_text() for path in files}) == 1


@pytest.mark.parametrize("example", ["python", "yaml", "typescript"])
def test_every_example_uses_the_package_of_this_repository(example: str) -> None:
    project = yaml.safe_load((EXAMPLES / example / "Pulumi.yaml").read_text())
    folder = (EXAMPLES / example / project["packages"]["streaming-etl"]).resolve()
    assert folder == ROOT / "package"


def test_pulumi_runs_the_package_as_a_python_plugin() -> None:
    plugin = yaml.safe_load((ROOT / "package" / "PulumiPlugin.yaml").read_text())
    assert plugin["runtime"]["name"] == "python"
    assert (ROOT / "package" / "__main__.py").is_file()
    files = re.findall(r"^-r (\S+)$", (ROOT / "package" / "requirements.txt").read_text(), re.M)
    assert [(ROOT / "package" / path).resolve() for path in files] == [ROOT / "requirements.txt"]
