"""CPU time and memory of the program for stacks of many tables.

`python -m tools.bench.program_bench IMPLEMENTATION TABLES` is the child: it builds one stack under
Pulumi's mocks and prints a `Run` as JSON.
"""

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

TABLES = (1, 10, 40, 100)
IMPLEMENTATIONS = ("bare Pulumi", "program")


class Run(NamedTuple):
    """CPU seconds, peak MiB and number of resources of one stack."""

    seconds: float
    mebibytes: float
    resources: int


class Result(NamedTuple):
    """The runs of each implementation for a number of tables."""

    tables: int
    runs: dict[str, list[Run]]

    def seconds(self, implementation: str) -> float:
        return median(run.seconds for run in self.runs[implementation])

    def mebibytes(self, implementation: str) -> float:
        return median(run.mebibytes for run in self.runs[implementation])


def measure(tables: Sequence[int], rounds: int) -> Iterator[Result]:
    """Each size, both implementations in every round.

    Raises ValueError unless both register the same number of resources.
    """
    for count in tables:
        runs: dict[str, list[Run]] = {name: [] for name in IMPLEMENTATIONS}
        for _ in range(rounds):
            for name in IMPLEMENTATIONS:
                runs[name].append(run(name, count))
        if len({it.resources for each in runs.values() for it in each}) > 1:
            raise ValueError(f"the implementations register different resources for {count} tables")
        yield Result(count, runs)


def run(implementation: str, tables: int) -> Run:
    """Build one stack in a new process."""
    command = [sys.executable, "-m", "tools.bench.program_bench", implementation, str(tables)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Run(**json.loads(output))


def program(tables: int) -> Any:
    """The graph of the stack's program with many tables."""
    from streaming_etl.stack.config import read_config
    from streaming_etl.stack.program import program_graph
    from tools.project import ROOT

    config = read_config(ROOT, "dev").values
    examples = list(json.loads(config["streaming-etl:tables"]).values())
    entries = {
        f"table-{number}": {**examples[number % 2], "table_name": f"table-{number}"}
        for number in range(tables)
    }
    # One dashboard with a line for each table is no resource of a table.
    tables_only = {"streaming-etl:stack_dashboard": "false"}
    return program_graph({"streaming-etl:tables": json.dumps(entries), **tables_only})


def bare_pulumi(pattern: Any) -> Callable[[int], Any]:
    """A program that registers the same resources with known inputs."""
    import pulumi

    from streaming_etl.stack.provider_classes import resource_class
    from streaming_etl.stack.recorder import build

    kinds = [
        [(node, arguments(node)) for node in pattern.nodes if node.name.startswith(f"table-{kind}")]
        for kind in range(2)
    ]

    def register(tables: int) -> None:
        for number in range(tables):
            for node, inputs in kinds[number % 2]:
                name = node.name.replace(f"table-{number % 2}", f"table-{number}", 1)
                if node.custom:
                    resource_class(node.type)(name, **inputs)
                else:
                    pulumi.ComponentResource(node.type, name)

    return lambda tables: build(lambda: register(tables))


def arguments(node: Any) -> dict[str, Any]:
    """A resource's inputs as keyword arguments of its class."""
    import pulumi
    from pulumi import _types

    from streaming_etl.stack.provider_classes import arguments_class

    if not node.custom:
        return {}
    names = _types.input_type_py_to_pulumi_names(arguments_class(node.type))
    inputs = {key: node.inputs[name] for key, name in names.items() if name in node.inputs}
    if isinstance(inputs.get("code"), dict):
        inputs["code"] = pulumi.FileArchive(inputs["code"]["archive"])
    return inputs


def main(implementation: str, tables: int) -> None:
    """Build the stack and print its `Run`."""
    from tools.bench.memory import peak_bytes

    # As in the stack's program, which does so only when Pulumi runs it.
    gc.disable()
    # The first stack imports the provider and builds the archives.
    pattern = program(2)
    build = program if implementation == "program" else bare_pulumi(pattern)
    build(1)
    begin = time.process_time()
    graph = build(tables)
    seconds = time.process_time() - begin
    result = Run(seconds, peak_bytes() / 2**20, len(graph.nodes))
    sys.stdout.write(json.dumps(result._asdict()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
