"""The command: `python -m tools.bench [transform] [forwarder] [memory] [program] [--quick] ...`."""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar
from unittest.mock import patch

from rich.console import Console
from rich.progress import track

from tools.bench import (
    forwarder_bench,
    machine,
    memory,
    program_bench,
    report,
    screen,
    stub,
    timing,
    transform_bench,
)
from tools.bench.events import SHAPES
from tools.bench.report import Table
from tools.bench.tables import BLOCKS

PARTS = [part for parts in BLOCKS.values() for part in parts]

ROUNDS, QUICK_ROUNDS = 15, 3
# A forwarder's event is soon done; its ratio needs more samples to settle.
FORWARDER_TURNS = 2

PROGRESS = Console(stderr=True, highlight=False)

Step = TypeVar("Step")


def main() -> int:
    arguments = parse()
    console = Console(highlight=False)
    # A pipe has no width: leave the lines whole.
    console.width = max(console.width, 120)
    began = time.monotonic()
    tables: dict[str, list[Table]] = {}
    try:
        # Before any client of boto3 is made: they are made once, and must never reach for AWS.
        with stub.running() as firehose, patch.dict(os.environ, firehose.environment()):
            for part, found in measured(arguments, firehose):
                tables[part] = found
                if not arguments.markdown:
                    screen.show(console, found)
    except ValueError as error:
        print(f"bench: nothing to compare: {error}", file=sys.stderr)
        return 1
    end = f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}"
    about = f"{described(arguments, tables)}, {end}"
    print(f"{about}\n\n{told(tables, PARTS)}" if arguments.markdown else about)
    if arguments.write:
        page = screen.PAGE.read_text()
        for block, parts in BLOCKS.items():
            if set(parts) <= set(tables):
                about = f"{described(arguments, parts)}, {end}"
                page = screen.written(page, block, f"{about}\n\n{told(tables, parts)}")
        screen.PAGE.write_text(page)
    return 0


def told(tables: Mapping[str, list[Table]], parts: Iterable[str]) -> str:
    """The tables of these parts in Markdown, one after the other."""
    return screen.markdown(table for part in parts for table in tables.get(part, ()))


def described(arguments: argparse.Namespace, parts: Iterable[str]) -> str:
    """The machine, and how often was measured on it."""
    counts = sorted({rounds(arguments, part) for part in parts})
    return f"{machine.description()}; {' and '.join(map(str, counts))} rounds"


def rounds(arguments: argparse.Namespace, part: str) -> int:
    # A stack of a hundred tables takes its time, and is not disturbed by a moment.
    few = arguments.quick or part == "program"
    return arguments.rounds or (QUICK_ROUNDS if few else ROUNDS)


def measured(
    arguments: argparse.Namespace, firehose: stub.Stub
) -> Iterator[tuple[str, list[Table]]]:
    """The tables of each part that was asked for, as soon as they are known."""
    shapes = [shape for shape in SHAPES if shape.name in (arguments.shape or shape.name)]
    parts = arguments.parts or PARTS
    PROGRESS.print("Making the events, and checking that all contenders do the same work ...")
    if "transform" in parts:
        size = arguments.event_bytes or transform_bench.EVENT_BYTES
        transforms = transform_bench.transform_cases(shapes, size)
        cases = [found.case for found in transforms]
        count = rounds(arguments, "transform")
        steps = timing.measure(transform_bench.contenders, cases, count, 1)
        gone_through("transform", steps, count)
        yield "transform", report.transform_tables(transforms)
    if "forwarder" in parts:
        size = arguments.event_bytes or forwarder_bench.EVENT_BYTES
        forwarders = forwarder_bench.forwarder_cases(firehose, shapes, size)
        cases = [found.case for found in forwarders]
        count = rounds(arguments, "forwarder")
        steps = timing.measure(forwarder_bench.contenders, cases, count, FORWARDER_TURNS)
        gone_through("forwarder", steps, count)
        yield "forwarder", report.forwarder_tables(forwarders)
    if "memory" in parts:
        size = arguments.event_bytes or memory.EVENT_BYTES
        peaks = memory.memory_cases(shapes, size)
        found = gone_through("memory", peaks, memory.case_count(shapes))
        yield "memory", report.memory_tables(found)
    if "program" in parts:
        stacks = program_bench.measure(program_bench.TABLES, rounds(arguments, "program"))
        found = gone_through("program", stacks, len(program_bench.TABLES))
        yield "program", report.program_tables(found)


def gone_through(part: str, steps: Iterable[Step], total: int) -> list[Step]:
    """Take all steps, with a bar on standard error."""
    return list(track(steps, part, total=total, console=PROGRESS))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description="Measure handlers and program. Times differ by machine: read the ratios.",
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; by default all"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, not {ROUNDS}")
    parser.add_argument("--rounds", type=int, help="so many rounds")
    parser.add_argument(
        "--shape", action="append", choices=[shape.name for shape in SHAPES], help="only this one"
    )
    parser.add_argument("--event-bytes", type=int, help="events of this size: to try the harness")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    parser.add_argument("--write", action="store_true", help="put them into docs/performance.md")
    arguments = parser.parse_args()
    if unknown := [part for part in arguments.parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    whole = any(set(parts) <= set(arguments.parts or PARTS) for parts in BLOCKS.values())
    partial = arguments.shape or arguments.quick or arguments.event_bytes
    if arguments.write and (partial or not whole):
        parser.error(
            "--write takes all shapes, not --quick, and the parts of a block of the page: "
            + ", or ".join(" ".join(parts) for parts in BLOCKS.values())
        )
    return arguments


if __name__ == "__main__":
    sys.exit(main())
