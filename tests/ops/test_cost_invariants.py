"""What holds for every traffic and every plan, whatever the figures."""

from dataclasses import fields, replace

from hypothesis import example, given
from hypothesis import strategies as st

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.plan import EVERY_FIVE_MINUTES, Plan, Traffic
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.schedule import runs_per_month
from streaming_etl.ops.cost.usage import flow_of
from tests.ops.cost_cases import PLAN

PRICES = read_prices("ap-northeast-1")
ASSUMPTIONS = Assumptions()

changes = st.floats(min_value=0, max_value=1e11)
image_bytes = st.floats(min_value=1, max_value=1e6)
plans = st.builds(
    Plan,
    **{
        **{item.name: st.just(getattr(PLAN, item.name)) for item in fields(Plan)},
        "shards": st.integers(1, 50),
        "parallelization_factor": st.integers(1, 10),
        "batch_size": st.integers(1, 10_000),
        "window_seconds": st.integers(0, 300),
        "max_changes_per_record": st.integers(1, 500),
        "record_bytes": st.integers(1, 1_000).map(lambda kib: kib * 1024),
        "old_image": st.sampled_from(["always", "on_remove", "never"]),
        "format": st.sampled_from(["json", "csv", "parquet"]),
        "dynamic": st.booleans(),
        "folders": st.integers(1, 500),
        "transform_buffer_seconds": st.integers(0, 900),
        "buffer_seconds": st.integers(0, 900),
        "customer_key": st.booleans(),
    },
)


def usd(plan: Plan, month_changes: float, size: float) -> float:
    traffic = Traffic(changes=month_changes, image_bytes=size)
    return bill_of(traffic, plan, PRICES, ASSUMPTIONS).usd


@given(plans, changes, st.floats(min_value=1, max_value=1_000), image_bytes)
@example(PLAN, 1e7, 1.0001, 300.0)
def test_more_changes_never_cost_less(plan: Plan, some: float, times: float, size: float) -> None:
    assert usd(plan, some * times, size) >= usd(plan, some, size) * (1 - 1e-9)


@given(plans, changes, image_bytes)
def test_packing_is_never_billed_more_than_one_change_a_record(
    plan: Plan, some: float, size: float
) -> None:
    traffic = Traffic(changes=some, image_bytes=size)
    packed = flow_of(traffic, plan, ASSUMPTIONS)
    alone = flow_of(traffic, replace(plan, max_changes_per_record=1), ASSUMPTIONS)

    assert packed.billed_bytes <= alone.billed_bytes * (1 + 1e-9)


@given(plans, changes, image_bytes)
def test_firehose_bills_at_least_what_is_sent(plan: Plan, some: float, size: float) -> None:
    flow = flow_of(Traffic(changes=some, image_bytes=size), plan, ASSUMPTIONS)

    assert flow.billed_bytes >= flow.changes * flow.line_bytes * (1 - 1e-9)


@given(plans, changes, image_bytes)
def test_a_longer_window_never_makes_more_calls(plan: Plan, some: float, size: float) -> None:
    traffic = Traffic(changes=some, image_bytes=size)
    longer = replace(plan, window_seconds=plan.window_seconds + 5)
    calls = flow_of(traffic, plan, ASSUMPTIONS).forwarder_calls

    assert flow_of(traffic, longer, ASSUMPTIONS).forwarder_calls <= calls * (1 + 1e-9)


@given(plans, changes, image_bytes)
def test_a_crawler_every_five_minutes_costs_what_its_runs_cost(
    plan: Plan, some: float, size: float
) -> None:
    crawled = replace(plan, crawler_runs=runs_per_month(EVERY_FIVE_MINUTES))

    # 8,760 runs of ten minutes of a DPU at 0.44 USD an hour.
    difference = usd(crawled, some, size) - usd(plan, some, size)
    assert abs(difference - 642.40) < 1e-6 * usd(crawled, some, size)
