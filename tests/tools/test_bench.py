"""The benchmark compares equal work. No test checks its times."""

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.table.lake_table import transform_config
from streaming_etl.components.table.merge import merge_sql, merged_state_sql
from streaming_etl.components.table.routing import forwarder_config, route
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.components.table.window import DayWindow
from streaming_etl.handlers.firehose import put_records
from tools.bench import __main__ as bench
from tools.bench import (
    baseline,
    candidate,
    columns_only,
    five_columns,
    handlers_bench,
    images,
    memory,
    merge_bench,
    program_bench,
)
from tools.bench.events import SHAPES, stream_event, stream_records
from tools.bench.handlers_bench import Case


def test_items_have_the_documented_sizes() -> None:
    for shape in SHAPES.values():
        stream = [record["dynamodb"] for record in islice(stream_records(shape), 40)]
        items = [it.get("NewImage") or it["OldImage"] for it in stream]
        sizes = [len(images.compact(item).encode()) for item in items]
        assert sum(sizes) / len(sizes) == pytest.approx(shape.image_bytes, rel=0.02)


def test_each_run_has_the_same_changes_in_the_documented_mix() -> None:
    event, again = (stream_event(SHAPES["small"], 6_000_000, 40) for _ in range(2))
    assert event == again
    kinds = [record["eventName"] for record in event.parsed()["Records"]]
    assert {kind: kinds.count(kind) for kind in kinds} == {"MODIFY": 24, "INSERT": 10, "REMOVE": 6}


@pytest.mark.parametrize(
    "case", [it for it in handlers_bench.cases() if it.implementation == "floor"]
)
def test_all_implementations_return_the_same_rows(case: Case) -> None:
    handlers_bench.check(case, 20_000)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", candidate.FORMATS)
def test_the_rows_with_and_without_a_function_are_the_same_bytes(shape: str, kind: str) -> None:
    case = Case("columns", shape, "complete stream record", "aggregated", "floor")
    event = handlers_bench.event_of(case, 20_000)
    with handlers_bench.silence():
        with_function, without = (
            candidate.five_columns_transform(kind, function=function)(event.parsed())
            for function in (True, False)
        )
    assert with_function == without


def test_rejects_an_implementation_that_loses_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    case = handlers_bench.cases()[0]
    transform = candidate.transform("csv")

    def losing(event: dict[str, Any]) -> Any:
        response = transform(event)
        response["records"].pop()
        return response

    monkeypatch.setitem(
        handlers_bench.IMPLEMENTATIONS["transform"], "candidate csv", lambda: losing
    )
    with pytest.raises(ValueError, match="csv"):
        handlers_bench.check(case, 20_000)


def without_code(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without the module's files, which the benchmark imports itself."""
    return {name: value for name, value in config.items() if name != "module"}


def test_the_measured_configuration_is_the_deployed_one() -> None:
    module = read_transform_module(five_columns.__file__)
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=five_columns.__file__,
        format="csv",
        partitions=PartitionArgs(),
    )
    assert candidate.pipeline_settings("csv") == without_code(transform_config(args, module))
    for kind in candidate.FORMATS:
        for measured in (five_columns, columns_only):
            settings = candidate.five_columns_settings(kind, function=measured is five_columns)
            in_format = replace(args, transform_module=measured.__file__, format=kind)
            module = read_transform_module(measured.__file__)
            assert settings == without_code(transform_config(in_format, module))
    routes = [route("orders", args.forwarder)]
    assert forwarder_config(args.forwarder, routes) == candidate.FORWARDER_CONFIG


@pytest.fixture
def separate_firehose() -> Iterator[None]:
    """Restore clients and environment after a test of the forwarder."""
    caches = (handlers_bench.start_firehose, put_records.firehose, baseline.client)
    environment = dict(os.environ)
    for cached in caches:
        cached.cache_clear()
    yield
    os.environ.clear()
    os.environ.update(environment)
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("separate_firehose")
def test_firehose_receives_every_change() -> None:
    simple, measured = (handlers_bench.count_received(case) for case in handlers_bench.cases()[-2:])
    assert simple.records == simple.changes == measured.changes
    assert measured.billed_bytes < simple.billed_bytes


@pytest.mark.usefixtures("separate_firehose")
def test_rejects_a_forwarder_that_loses_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(event: dict[str, Any]) -> Any:
        event["Records"].pop()
        return candidate.forwarder()(event)

    monkeypatch.setitem(handlers_bench.IMPLEMENTATIONS["forwarder"], "candidate", lambda: losing)
    with pytest.raises(ValueError, match="forwarder"):
        handlers_bench.count_received(handlers_bench.cases()[-1])


def test_a_ratio_is_the_median_of_the_ratios_within_a_pass() -> None:
    assert bench.ratios([1.0, 4.0, 3.0], [2.0, 2.0, 3.0]) == ["1.00"]


@pytest.mark.usefixtures("separate_firehose")
def test_measures_each_function() -> None:
    for case in (handlers_bench.cases()[1], handlers_bench.cases()[-1]):
        assert handlers_bench.cpu_time(1, case) > 0


def test_tables_have_a_row_per_comparison() -> None:
    times = {case: [1e-06, 2e-06] for case in handlers_bench.cases()}
    assert len(bench.transform_table(times).splitlines()) == 4 + 2 * 2 * 2 * len(SHAPES)
    assert len(bench.columns_table(times).splitlines()) == 4 + 2 * 2 * 2 * len(SHAPES)
    assert len(bench.forwarder_table(times).splitlines()) == 4 + len(SHAPES)


def test_memory_is_that_of_a_process_with_the_event(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(stream_event(SHAPES["small"], 2_000_000, 10_000).text, encoding="utf-8")
    assert memory.peak("interpreter") + 4 < memory.peak("parse", path)


def test_the_program_registers_the_same_resources_as_bare_pulumi() -> None:
    program = program_bench.program(2)
    bare = program_bench.bare_pulumi(program)(2)
    assert {(node.type, node.name) for node in bare.nodes} == {
        (node.type, node.name) for node in program.nodes
    }


def test_rejects_a_program_with_different_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([72, 71])
    monkeypatch.setattr(program_bench, "run", lambda *_: program_bench.Run(1.0, 1.0, next(counts)))
    with pytest.raises(ValueError, match="1 tables"):
        list(program_bench.measure([1], rounds=1))


def test_the_bytes_of_merged_table_and_window_do_not_grow_with_the_history() -> None:
    first, last = merge_bench.measure(200, (1, 10), passes=1)
    assert [(it.size.changes, it.rows) for it in (first, last)] == [(200, 190), (2_000, 190)]
    growth = {name: last.ratios(name, first)[0] for name in merge_bench.MEASURES}
    assert growth[merge_bench.LOG] > 8
    assert max(growth[merge_bench.MERGED], growth[merge_bench.MERGE]) < 1.2
    assert bench.merge_table([first, last]).count("\n") == 3 + 2 * len(merge_bench.MEASURES)


def test_rejects_a_merged_table_with_another_state(monkeypatch: pytest.MonkeyPatch) -> None:
    window = DayWindow(first="2026-01-01", last="2026-01-01")
    monkeypatch.setattr(
        merge_bench,
        "merged_state_sql",
        lambda database, table, _: merged_state_sql(database, table, window),
    )
    with pytest.raises(ValueError, match="states"):
        merge_bench.measure(200, (1,), passes=1)


def test_rejects_a_merge_that_changes_rows_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        merge_bench,
        "merge_sql",
        lambda *args: (
            merge_sql(*args)
            .replace('"later"."_key" IS NULL', "true")
            .replace('"merged"."_row" = "changes"."_row"', "false")
        ),
    )
    with pytest.raises(ValueError, match="merges"):
        merge_bench.measure(200, (1,), passes=1)
