"""pyperf benchmarks of both functions: `python -m tools.bench.handlers_bench -o FILE`.

Each value is the CPU time of one call, in a worker process of pyperf. A benchmark's name is its
`Case` joined by `|`.
"""

import atexit
import base64
import contextlib
import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import orjson
import pyperf

from tools.bench import baseline, candidate, powertools, stub
from tools.bench.candidate import Handler
from tools.bench.events import (
    SHAPES,
    Event,
    StreamRecord,
    firehose_event,
    stream_event,
    streamed_line,
)

# Bytes of record data in one event of the transform; changes in one of the forwarder.
TRANSFORM_BYTES, FORWARDER_CHANGES = 1_000_000, 500

INPUT_FORMS: dict[str, Callable[[StreamRecord], bytes]] = {
    "complete stream record": streamed_line,
    "trimmed by the forwarder": candidate.forwarded_line,
}


class Case(NamedTuple):
    """One benchmark."""

    function: str
    """transform, columns or forwarder"""
    shape: str
    input_form: str
    records: str
    """aggregated, or single for one change per record"""
    implementation: str

    @property
    def name(self) -> str:
        return "|".join(self)


def floor(event: dict[str, Any]) -> int:
    """Decode base64, parse each change with orjson, encode base64: no rows."""
    changes = 0
    for record in event["records"]:
        content = base64.b64decode(record["data"])
        for line in content.splitlines():
            orjson.loads(line)
            changes += 1
        base64.b64encode(content)
    return changes


def keeping_floor(event: dict[str, Any]) -> int:
    """Do the same, and keep the parsed changes of a record."""
    changes = 0
    for record in event["records"]:
        content = base64.b64decode(record["data"])
        parsed = [orjson.loads(line) for line in content.splitlines()]
        changes += len(parsed)
        base64.b64encode(content)
    return changes


IMPLEMENTATIONS: dict[str, dict[str, Callable[[], Handler]]] = {
    "transform": {
        "floor": lambda: floor,
        "baseline csv": lambda: baseline.csv_transform,
        "candidate csv": lambda: candidate.transform("csv"),
        "baseline json": lambda: baseline.json_transform,
        "candidate json": lambda: candidate.transform("json"),
    },
    "columns": {
        "floor": lambda: floor,
        "keeping floor": lambda: keeping_floor,
        "baseline csv": lambda: baseline.csv_transform,
        "powertools csv": lambda: powertools.transform("csv"),
        "function csv": lambda: candidate.five_columns_transform("csv", function=True),
        "columns csv": lambda: candidate.five_columns_transform("csv", function=False),
        "baseline json": lambda: baseline.five_columns_json_transform,
        "powertools json": lambda: powertools.transform("json"),
        "function json": lambda: candidate.five_columns_transform("json", function=True),
        "columns json": lambda: candidate.five_columns_transform("json", function=False),
    },
    "forwarder": {
        "baseline": lambda: baseline.forward,
        "candidate": lambda: candidate.forwarder(),
    },
}


def cases() -> list[Case]:
    """All benchmarks."""
    transform = [
        Case(function, shape, form, records, name)
        for function in ("transform", "columns")
        for form in INPUT_FORMS
        for records in ("single", "aggregated")
        for shape in SHAPES
        for name in IMPLEMENTATIONS[function]
    ]
    forwarder = [
        Case("forwarder", shape, "stream", "", name)
        for shape in SHAPES
        for name in IMPLEMENTATIONS["forwarder"]
    ]
    return [*transform, *forwarder]


@cache
def event_of(case: Case, size: int = TRANSFORM_BYTES) -> Event:
    """The event of a benchmark, the same for all implementations."""
    shape = SHAPES[case.shape]
    if case.function == "forwarder":
        return stream_event(shape, 6_000_000, FORWARDER_CHANGES)
    line = INPUT_FORMS[case.input_form]
    return firehose_event(shape, line, size, aggregated=case.records == "aggregated")


def cpu_time(loops: int, case: Case) -> float:
    """CPU seconds of `loops` calls, each with a newly parsed event."""
    event = event_of(case)
    if case.function == "forwarder":
        start_firehose()
    with silence():
        handler = IMPLEMENTATIONS[case.function][case.implementation]()
        handler(event.parsed())
        total = 0.0
        for _ in range(loops):
            received = event.parsed()
            begin = time.process_time()
            handler(received)
            total += time.process_time() - begin
    return total


@cache
def start_firehose() -> stub.Stub:
    """Start a Firehose on the loopback for this process."""
    running = contextlib.ExitStack()
    firehose = running.enter_context(stub.running())
    os.environ |= firehose.environment()
    atexit.register(running.close)
    return firehose


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard log lines."""
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        yield


def check(case: Case, size: int) -> None:
    """Raise ValueError unless all implementations return the same rows of every change."""
    event = event_of(case, size)
    implementations = IMPLEMENTATIONS[case.function]
    for kind in candidate.FORMATS:
        ids = []
        for name in [name for name in implementations if name.endswith(kind)]:
            with silence():
                response = implementations[name]()(event.parsed())
            if {record["result"] for record in response["records"]} != {"Ok"}:
                raise ValueError(f"{name} fails for {case.name}")
            ids.append(item_ids(response, kind))
        if ids.count(ids[0]) != len(ids) or len(ids[0]) != event.changes:
            raise ValueError(f"the {kind} rows differ for {case.name}")


def count_received(case: Case) -> stub.Received:
    """What Firehose receives of a forwarder's event.

    Raises ValueError unless that is every change.
    """
    event, firehose = event_of(case), start_firehose()
    firehose.received()
    with silence():
        response = IMPLEMENTATIONS["forwarder"][case.implementation]()(event.parsed())
    received = firehose.received()
    if response["batchItemFailures"] or received.changes != event.changes:
        raise ValueError(f"{case.name}: {received.changes} of {event.changes} changes arrive")
    return received


def item_ids(response: dict[str, Any], kind: str) -> list[str]:
    """The item id of each row, in order."""
    data = b"".join([base64.b64decode(record["data"]) for record in response["records"]]).decode()
    if kind == "csv":
        # The number of metadata columns differs, the five columns after them do not.
        return [row[-5] for row in csv.reader(io.StringIO(data, newline=""))]
    return [json.loads(row)["id"] for row in data.removesuffix("\n").split("\n")]


def main() -> None:
    """Run the benchmarks of $BENCH_FUNCTIONS whose name contains $BENCH_ONLY; by default all."""
    only = os.environ.get("BENCH_ONLY", "")
    functions = os.environ.get("BENCH_FUNCTIONS", ",".join(IMPLEMENTATIONS)).split(",")
    module = ("-m", "tools.bench.handlers_bench")
    runner = pyperf.Runner(processes=1, values=3, warmups=1, loops=1, program_args=module)
    runner.argparser.set_defaults(inherit_environ=["BENCH_ONLY", "BENCH_FUNCTIONS"])
    for case in cases():
        if only in case.name and case.function in functions:
            runner.bench_time_func(case.name, cpu_time, case)


if __name__ == "__main__":
    main()
