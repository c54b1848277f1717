"""Builds a stack of many tables under Pulumi's mocks, and prints its time and memory as JSON.

`python -m tools.bench.program_child ours | "bare Pulumi" TABLES`
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pulumi
from pulumi import _types

from streaming_etl.stack.config import read_config
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.provider_classes import arguments_class, resource_class
from streaming_etl.stack.recorder import Graph, Node, build
from tools.bench.memory_child import peak_bytes
from tools.project import ROOT


def main() -> None:
    contender, tables = sys.argv[1], int(sys.argv[2])
    # As the stack's own program does. For good: switched on again behind it, the collector would
    # first go through all that was made, which a program that ends never waits for.
    gc.disable()
    # The first stack imports what any stack needs.
    pattern = ours(2)
    stack = {"ours": ours, "bare Pulumi": bare(pattern)}[contender]
    stack(1)
    began = time.process_time()
    graph = stack(tables)
    seconds = time.process_time() - began
    found = {"seconds": seconds, "mebibytes": peak_bytes() / 2**20, "resources": len(graph.nodes)}
    print(json.dumps(found))


def ours(tables: int) -> Graph:
    """The stack's own program; its tables are in turn like those of the example stack."""
    config = read_config(ROOT, "dev").values
    kinds = list(json.loads(config["streaming-etl:tables"]).values())
    given = {
        f"table-{number}": {**kinds[number % 2], "table_name": f"table-{number}"}
        for number in range(tables)
    }
    return program_graph({"streaming-etl:tables": json.dumps(given)})


def bare(pattern: Graph) -> Callable[[int], Graph]:
    """What Pulumi itself takes for the same resources, all of their inputs known before."""
    kinds = [
        [(node, arguments(node)) for node in pattern.nodes if node.name.startswith(f"table-{kind}")]
        for kind in range(2)
    ]

    def program(tables: int) -> None:
        for number in range(tables):
            for node, given in kinds[number % 2]:
                name = node.name.replace(f"table-{number % 2}", f"table-{number}", 1)
                if node.custom:
                    resource_class(node.type)(name, **given)
                else:
                    pulumi.ComponentResource(node.type, name)

    return lambda tables: build(lambda: program(tables))


def arguments(node: Node) -> dict[str, Any]:
    """A resource's inputs as a program would write them out."""
    if not node.custom:
        return {}
    names = _types.input_type_py_to_pulumi_names(arguments_class(node.type))
    return {
        written: pulumi.FileArchive(node.inputs[name]["archive"])
        if name == "code"
        else node.inputs[name]
        for written, name in names.items()
        if name in node.inputs
    }


if __name__ == "__main__":
    main()
