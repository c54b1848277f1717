"""Write the graphs of example pipelines to tests/golden/, for `make golden`."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pulumi

from streaming_etl import StreamingEtlPipeline
from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.stack.recorder import Graph, build
from tools.pipeline_graphs.cases import CASES, MODULES, REQUIREMENTS, settings_of
from tools.pipeline_graphs.state import changes, parsed, state
from tools.project import ROOT

GOLDEN = ROOT / "tests" / "golden"


@contextlib.contextmanager
def modules_directory() -> Iterator[None]:
    """Run the block in a directory with the example modules."""
    with tempfile.TemporaryDirectory() as directory:
        for path, text in {**MODULES, **REQUIREMENTS}.items():
            file = Path(directory, path)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        with contextlib.chdir(directory):
            yield


@cache
def case_graph(name: str) -> Graph:
    """Build the graph of a case, in the current directory."""
    args = args_from_config("shop", settings_of(CASES[name]))

    def program() -> None:
        pulumi.export("shop", StreamingEtlPipeline("shop", args).outputs)

    return build(program, tables=CASES[name].tables or None)


def minimal_graph() -> dict[str, Any]:
    """Return every resource of the pipeline with the required settings only."""
    graph = case_graph("minimal")
    return {
        "outputs": graph.exports["shop"],
        "resources": {
            node.name: {
                "type": node.type,
                "parent": node.parent,
                "depends_on": node.depends_on,
                "inputs": parsed(node.inputs),
                **({"delete_before_replace": True} if node.delete_before_replace else {}),
            }
            for node in sorted(graph.nodes, key=lambda node: node.name)
        },
    }


def setting_changes() -> dict[str, Any]:
    """Return what the settings of each case change, compared with its base."""
    return {
        f"{name} (base: {case.base})": changes(
            state(case_graph(case.base)), state(case_graph(name))
        )
        for name, case in CASES.items()
        if name != "minimal"
    }


def golden_files() -> dict[str, str]:
    """Return the text of each golden file by its name."""
    with modules_directory():
        case_graph.cache_clear()
        contents = {
            "minimal_graph.json": minimal_graph(),
            "setting_changes.json": setting_changes(),
        }
    return {
        name: json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        for name, content in contents.items()
    }


def main() -> None:
    """Write the golden files."""
    for name, text in golden_files().items():
        (GOLDEN / name).write_text(text)


if __name__ == "__main__":
    main()
