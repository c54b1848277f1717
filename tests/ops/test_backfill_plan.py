from dataclasses import replace
from pathlib import Path

import click
import pytest

from streaming_etl.ops.backfill.checkpoint import Checkpoint, Segment, Subject
from streaming_etl.ops.backfill.plan import Options, Plan, check_options, plan_of, read_budget, span
from streaming_etl.stack.errors import CommandError
from tests.ops.backfill_fakes import TABLE

PROVISIONED = replace(TABLE, read_units=40.0, provisioned=True)
CAPPED = replace(TABLE, read_units=40.0)


def checkpoint_of(*segments: Segment) -> Checkpoint:
    return Checkpoint(Path("file"), Subject("dev", "orders", "", "", ""), list(segments))


def test_a_plan_tells_the_tables_size_the_budgets_and_the_time_they_take() -> None:
    plan = plan_of("orders", TABLE, checkpoint_of(Segment(), Segment()), Options(read_units=10))

    assert plan == Plan(
        pipeline="orders",
        table="orders",
        items=1000,
        bytes=8_192_000,
        items_done=0,
        read_units=1000.0,
        read_units_per_second=10,
        kib_per_second=512,
        segments=2,
        seconds=100,
    )
    assert plan.lines() == [
        "orders has about 1,000 items, 7.8 MiB, as DynamoDB last counted them; it does so about "
        "every six hours.",
        "Reading takes about 1,000 read units, in 2 segments, at no more than 10 units and 512 KiB "
        "to Firehose a second: about 100 s.",
    ]


def test_what_firehose_may_take_counts_where_it_is_the_slower_of_the_two() -> None:
    options = Options(read_units=1000, kib_per_second=100)
    plan = plan_of("orders", TABLE, checkpoint_of(Segment()), options)

    # 8,000 KiB of items as JSON and 293 KiB of what a change tells beside them.
    assert plan.seconds == 115


def test_a_run_that_goes_on_plans_only_what_is_left() -> None:
    plan = plan_of("orders", TABLE, checkpoint_of(Segment(items=750)), Options(read_units=10))

    assert (plan.items_left, plan.read_units, plan.seconds) == (250, 250.0, 25)
    assert plan.lines()[-1] == "Going on behind 750 items that are done already."


def test_counts_that_are_behind_the_times_never_make_a_negative_plan() -> None:
    plan = plan_of("orders", TABLE, checkpoint_of(Segment(items=1500)), Options())
    assert (plan.items_left, plan.read_units, plan.seconds) == (0, 0.0, 0)
    uncounted = replace(TABLE, items=0, size=0)
    plan = plan_of("orders", uncounted, checkpoint_of(Segment()), Options())
    assert (plan.items_left, plan.read_units, plan.seconds) == (0, 0.0, 0)


@pytest.mark.parametrize(
    ("table", "asked", "budget"),
    [
        (TABLE, None, 100.0),
        (TABLE, 5000.0, 5000.0),
        (PROVISIONED, None, 20.0),
        (PROVISIONED, 40.0, 40.0),
        (replace(PROVISIONED, read_units=1.0), None, 1.0),
        (CAPPED, None, 20.0),
    ],
)
def test_a_budget_leaves_half_of_a_tables_capacity_unless_told_otherwise(
    table: object, asked: float, budget: float
) -> None:
    assert read_budget(table, asked) == budget  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("table", "what"),
    [(PROVISIONED, "its provisioned read capacity"), (CAPPED, "its on-demand maximum")],
)
def test_more_than_the_table_gives_is_refused(table: object, what: str) -> None:
    with pytest.raises(CommandError) as refusal:
        read_budget(table, 40.5)  # type: ignore[arg-type]

    assert refusal.value.message == (
        f"--read-units=40.5 is more than orders gives: {what} is 40 a second, and its own readers "
        "need some of it; use 40 or less, or raise it first."
    )


@pytest.mark.parametrize("segments", [0, -1, 33, 1_000_001])
def test_segments_out_of_range_are_wrong_usage(segments: int) -> None:
    with pytest.raises(click.UsageError, match=rf"--segments={segments} .* use 1 to 32\."):
        check_options(Options(segments=segments))


@pytest.mark.parametrize("value", [0, 0.5, -3, float("inf"), float("nan")])
def test_an_amount_per_second_that_leads_nowhere_is_wrong_usage(value: float) -> None:
    with pytest.raises(click.UsageError, match=r"--read-units=.* use 1 to 1,000,000\."):
        check_options(Options(read_units=value))
    with pytest.raises(click.UsageError, match=r"--kib-per-second=.* use 1 to 1,000,000\."):
        check_options(Options(kib_per_second=value))


def test_the_ends_of_the_ranges_are_allowed() -> None:
    check_options(Options(segments=1, read_units=1, kib_per_second=1))
    check_options(Options(segments=32, read_units=1e6, kib_per_second=1e6))


def test_a_time_is_told_as_a_person_tells_it() -> None:
    assert [span(seconds) for seconds in (0, 119, 121, 7199, 7200, 90_061)] == [
        *("0 s", "119 s", "3 min", "120 min", "2 h 0 min", "25 h 1 min"),
    ]
