"""Plan and limits of a backfill by a scan."""

from dataclasses import replace
from pathlib import Path

import pytest

from streaming_etl.ops.backfill.by_scan import (
    ScanOptions,
    ScanPlan,
    duration,
    read_budget,
    scan_plan,
)
from streaming_etl.ops.backfill.checkpoint import Checkpoint, CheckpointIdentity, Segment
from streaming_etl.ops.backfill.source_table import SourceTable
from streaming_etl.stack.errors import CommandError, UsageError
from tests.support.backfill import TABLE

PROVISIONED = replace(TABLE, read_units=40.0, provisioned=True)
ON_DEMAND_MAXIMUM = replace(TABLE, read_units=40.0)


def plan(
    *segments: Segment,
    table: SourceTable = TABLE,
    options: ScanOptions = ScanOptions(read_units=10),  # noqa: B008 (frozen)
) -> ScanPlan:
    identity = CheckpointIdentity("dev", "orders", "", "", "")
    return scan_plan("orders", table, Checkpoint(Path("file"), identity, [*segments]), options)


def test_estimates_read_units_and_duration() -> None:
    assert plan(Segment(), Segment()) == ScanPlan(
        pipeline="orders",
        table="orders",
        lake_tables=[],
        items=1000,
        bytes=8_192_000,
        items_done=0,
        read_units=1000.0,
        read_units_per_second=10,
        kib_per_second=512,
        segments=2,
        seconds=100,
    )


def test_the_rate_to_firehose_counts_where_it_is_the_slower_one() -> None:
    # 11,200 KiB of JSON and 293 KiB of other bytes, at 100 KiB per second.
    assert plan(Segment(), options=ScanOptions(read_units=1000, kib_per_second=100)).seconds == 115


def test_an_item_of_several_lake_tables_is_sent_several_times() -> None:
    checkpoint = Checkpoint(
        Path("file"), CheckpointIdentity("dev", "shop", "", "", "", ["a", "b"]), [Segment()]
    )
    options = ScanOptions(read_units=1000, kib_per_second=100)
    twice = scan_plan("shop", TABLE, checkpoint, options, 2)
    assert (twice.seconds, twice.lake_tables) == (230, ["a", "b"])
    assert len(twice.lines()) == len(plan(Segment()).lines()) + 1


def test_a_continued_run_plans_the_remaining_items() -> None:
    remaining = plan(Segment(items=700, unmatched=49, too_large=["a"]))
    assert (remaining.items_left, remaining.read_units, remaining.seconds) == (250, 250.0, 25)
    assert len(remaining.lines()) == len(plan(Segment()).lines()) + 1


@pytest.mark.parametrize(("table", "done"), [(TABLE, 1500), (replace(TABLE, items=0, size=0), 0)])
def test_outdated_counts_make_no_negative_plan(table: SourceTable, done: int) -> None:
    empty = plan(Segment(items=done), table=table)
    assert (empty.items_left, empty.read_units, empty.seconds) == (0, 0.0, 0)


@pytest.mark.parametrize(
    ("table", "requested", "budget"),
    [
        (TABLE, None, 100.0),
        (TABLE, 5000.0, 5000.0),
        (PROVISIONED, None, 20.0),
        (PROVISIONED, 40.0, 40.0),
        (replace(PROVISIONED, read_units=1.0), None, 1.0),
        (ON_DEMAND_MAXIMUM, None, 20.0),
    ],
)
def test_the_default_budget_is_half_of_the_capacity(
    table: SourceTable, requested: float | None, budget: float
) -> None:
    assert read_budget(table, requested) == budget


@pytest.mark.parametrize("table", [PROVISIONED, ON_DEMAND_MAXIMUM])
def test_rejects_more_read_units_than_the_table_has(table: SourceTable) -> None:
    with pytest.raises(CommandError) as error:
        read_budget(table, 40.5)
    assert error.value.code == "read-units-exceed-table"
    assert error.value.details == {
        "table": "orders",
        "read_units": 40.5,
        "maximum": 40.0,
        "provisioned": table.provisioned,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("segments", value) for value in (0, -1, 33, 1_000_001)),
        *(("read_units", value) for value in (0, 0.5, -3, float("inf"), float("nan"))),
        ("kib_per_second", 0),
        ("kib_per_second", 1_000_001),
    ],
)
def test_rejects_options_out_of_range(name: str, value: float) -> None:
    with pytest.raises(UsageError) as error:
        ScanOptions(**{name: value}).check()  # type: ignore[arg-type]
    option = f"--{name.replace('_', '-')}"
    assert error.value.code == "out-of-range"
    assert error.value.details["option"] == option


def test_accepts_the_limits_of_options() -> None:
    ScanOptions(segments=1, read_units=1, kib_per_second=1).check()
    ScanOptions(segments=32, read_units=1e6, kib_per_second=1e6).check()


def test_formats_durations() -> None:
    durations = [duration(seconds) for seconds in (0, 119, 121, 7199, 7200, 90_061)]
    assert durations == ["0 s", "119 s", "3 min", "120 min", "2 h 0 min", "25 h 1 min"]
