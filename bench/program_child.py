"""Builds a stack of many tables under Pulumi's mocks, and prints its time and memory as JSON.

`python -m bench.program_child ours | "bare Pulumi" TABLES`
"""

import gc
import importlib
import json
import keyword
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import pulumi
from pulumi import _types

from bench.memory_child import peak_bytes
from graph.recorder import Graph, Node, build
from graph.stack import program_graph
from ops.stack import ROOT, read_config

ASSET = {"file", "text"}


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
    """What Pulumi itself takes for the same resources, if all of their inputs are known before."""
    kinds = [
        [node for node in pattern.nodes if node.name.startswith(f"table-{kind}")]
        for kind in range(2)
    ]

    def program(tables: int) -> None:
        for number in range(tables):
            for node in kinds[number % 2]:
                register(node, node.name.replace(f"table-{number % 2}", f"table-{number}", 1))

    return lambda tables: build(lambda: program(tables))


def register(node: Node, name: str) -> None:
    if not node.custom:
        pulumi.ComponentResource(node.type, name)
        return
    resource, arguments = classes(node.type)
    names = {known: name for name, known in _types.input_type_py_to_pulumi_names(arguments).items()}
    inputs = {names[key]: as_given(value) for key, value in node.inputs.items()}
    resource(name, **inputs)


@cache
def classes(token: str) -> tuple[Any, type]:
    """A resource's class and that of its arguments."""
    _, module, name = token.split(":")
    service = module.partition("/")[0]
    package = f"{service}_" if keyword.iskeyword(service) else service
    resource = getattr(importlib.import_module(f"pulumi_aws.{package}"), name)
    # The arguments stand first beside their resource.
    module = importlib.import_module(resource.__module__)
    return resource, getattr(module, module.__all__[0])


def as_given(value: Any) -> Any:
    """Plain data as a program would give it: archives are archives again."""
    if (
        isinstance(value, dict)
        and value
        and all(
            isinstance(item, dict) and len(item) == 1 and set(item) <= ASSET
            for item in value.values()
        )
    ):
        return pulumi.AssetArchive({name: asset(item) for name, item in value.items()})
    return value


def asset(item: dict[str, str]) -> pulumi.Asset:
    return pulumi.FileAsset(item["file"]) if "file" in item else pulumi.StringAsset(item["text"])


if __name__ == "__main__":
    main()
