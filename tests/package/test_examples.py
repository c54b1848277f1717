"""The example programs of three languages create the same pipeline."""

import contextlib
import functools
import re
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from package.host import PipelineProvider
from streaming_etl import StreamingEtlPipeline
from streaming_etl.stack.recorder import Graph, build
from tests.package.engine import PIPELINE
from tools.project import ROOT

EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "package.md").read_text()
YAML = (EXAMPLES / "yaml" / "Pulumi.yaml").read_text()
TYPESCRIPT = (EXAMPLES / "typescript" / "index.ts").read_text()

Program = tuple[str, dict[str, Any], dict[str, str]]
"""Name, arguments and exports of a pipeline; the exports as exported name and output."""


def yaml_program(text: str) -> Program:
    """Read a YAML program of one pipeline and its exports."""
    program = yaml.safe_load(text)
    [(name, resource)] = program["resources"].items()
    assert resource["type"] == PIPELINE
    exports = {}
    for exported, expression in program["outputs"].items():
        [exports[exported]] = re.findall(rf"^\$\{{{name}\.(\w+)}}$", expression)
    return name, resource["properties"], exports


def typescript_program(text: str) -> Program:
    """Read a TypeScript program of one pipeline and its exports."""
    match = re.fullmatch(
        r'import \* as streaming from "@pulumi/streaming-etl";\n\n'
        r"const (\w+) = new streaming\.(\w+)\(\"(\w+)\", (\{\n.*\n\})\);\n\n"
        r"((?:export const \w+ = \w+\.\w+;\n)+)",
        text,
        re.DOTALL,
    )
    assert match is not None
    variable, kind, name, literal, exported = match.groups()
    assert f"streaming-etl:index:{kind}" == PIPELINE
    # No value is a variable.
    assert not re.search(r"[:\[,]\s*(?!true\b|false\b)[A-Za-z_]\w*\s*[,\]}]", literal)
    exports = re.findall(rf"^export const (\w+) = {variable}\.(\w+);$", exported, re.MULTILINE)
    assert len(exports) == len(exported.splitlines())
    # An object literal of quoted text, numbers, true and false is a flow mapping of YAML.
    return name, yaml.safe_load(literal), dict(exports)


def page_block(language: str) -> str:
    """The only code block of docs/package.md in a language."""
    [text] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(text)


def run_in_package(name: str, arguments: dict[str, Any], exports: dict[str, str]) -> None:
    """Create the pipeline as the package does."""
    result = PipelineProvider().construct(name, PIPELINE, arguments)
    for exported, output in exports.items():
        pulumi.export(exported, result.state[output])


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
    assert len(python.exports) == 2
    programs = {"yaml": yaml_program(YAML), "typescript": typescript_program(TYPESCRIPT)}
    for example, program in programs.items():
        graph = graph_in(example, functools.partial(run_in_package, *program))
        assert graph.nodes == python.nodes
        assert graph.exports == python.exports


@pytest.mark.parametrize(
    "program",
    [yaml_program(page_block("yaml")), typescript_program(page_block("typescript"))],
    ids=["yaml", "typescript"],
)
def test_the_package_accepts_the_programs_of_the_page(program: Program) -> None:
    assert graph_in("yaml", functools.partial(run_in_package, *program)).nodes


def test_every_example_has_the_same_transform() -> None:
    files = sorted(EXAMPLES.glob("*/transforms/orders.py"))
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
