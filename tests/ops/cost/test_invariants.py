"""Properties of the model for every traffic and plan."""

from dataclasses import fields, replace

from hypothesis import example, given
from hypothesis import strategies as st

from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.plan import Plan, Traffic
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.usage import usage_of
from tests.ops.cost.plans import PLAN

PRICES = read_prices("ap-northeast-1")
ASSUMPTIONS = Assumptions()

traffics = st.builds(Traffic, changes=st.floats(0, 1e11), image_bytes=st.floats(1, 1e6))
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
        "prefixes": st.integers(1, 500),
        "transform_buffer_seconds": st.integers(0, 900),
        "buffer_seconds": st.integers(0, 900),
        "customer_key": st.booleans(),
    },
)


def usd(plan: Plan, traffic: Traffic) -> float:
    return bill_of("orders", traffic, plan, PRICES, ASSUMPTIONS).usd


@given(plans, traffics, st.floats(min_value=1, max_value=1_000))
@example(PLAN, Traffic(changes=1e7, image_bytes=300.0), 1.0001)
def test_more_changes_never_cost_less(plan: Plan, traffic: Traffic, times: float) -> None:
    more = replace(traffic, changes=traffic.changes * times)
    assert usd(plan, more) >= usd(plan, traffic) * (1 - 1e-9)


@given(plans, traffics)
def test_aggregated_records_are_never_billed_more_than_single_ones(
    plan: Plan, traffic: Traffic
) -> None:
    aggregated = usage_of(traffic, plan, ASSUMPTIONS)
    single = usage_of(traffic, replace(plan, max_changes_per_record=1), ASSUMPTIONS)

    assert aggregated.billed_bytes <= single.billed_bytes * (1 + 1e-9)
    assert aggregated.billed_bytes >= aggregated.changes * aggregated.change_bytes * (1 - 1e-9)


@given(plans, traffics)
def test_a_longer_window_never_causes_more_calls(plan: Plan, traffic: Traffic) -> None:
    longer = replace(plan, window_seconds=plan.window_seconds + 5)
    calls = usage_of(traffic, plan, ASSUMPTIONS).forwarder_calls

    assert usage_of(traffic, longer, ASSUMPTIONS).forwarder_calls <= calls * (1 + 1e-9)
