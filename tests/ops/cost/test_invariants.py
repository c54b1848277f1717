"""Properties of the model for every traffic and plan."""

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from streaming_etl import StreamingEtlPipelineArgs as Args
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.usage import Traffic, usage_of
from tests.ops.cost.cases import FOUR_SHARDS, settings

PRICES = read_prices("ap-northeast-1")
ASSUMPTIONS = Assumptions()

traffics = st.builds(Traffic, changes=st.floats(0, 1e11), image_bytes=st.floats(1, 1e6))
pipelines = st.fixed_dictionaries(
    {
        "format": st.sampled_from(["json", "csv", "parquet"]),
        "source": st.sampled_from([FOUR_SHARDS, {}]),
        "forwarder": st.fixed_dictionaries(
            {
                "parallelization_factor": st.integers(1, 10),
                "batch_size": st.integers(1, 10_000),
                "batching_window_seconds": st.integers(1, 295),
                "max_changes_per_record": st.integers(2, 500),
                "max_record_kib": st.integers(1, 1_000),
                "old_image": st.sampled_from(["always", "on_remove", "never"]),
            }
        ),
        "merge": st.sampled_from([{}, {"enabled": True, "window_hours": 100}]),
        "transform": st.fixed_dictionaries({"buffer_seconds": st.integers(0, 900)}),
        "delivery": st.fixed_dictionaries({"buffer_seconds": st.integers(60, 900)}),
        "partitions": st.sampled_from(
            [{}, {"dynamic_partition_keys": {"p": ["a", "b"]}}, {"partition_time": "event"}]
        ),
    }
).map(lambda overrides: settings(**overrides))


def with_forwarder(args: Args, **changed: int) -> Args:
    return replace(args, forwarder=replace(args.forwarder, **changed))


def usd(args: Args, traffic: Traffic) -> float:
    return bill_of("orders", traffic, args, PRICES, ASSUMPTIONS).usd


@given(pipelines, traffics, st.floats(min_value=1, max_value=1_000))
@example(settings(), Traffic(changes=1e7, image_bytes=300.0), 1.0001)
def test_more_changes_never_cost_less(args: Args, traffic: Traffic, times: float) -> None:
    more = replace(traffic, changes=traffic.changes * times)
    assert usd(args, more) >= usd(args, traffic) * (1 - 1e-9)


@given(pipelines, traffics)
def test_aggregated_records_are_never_billed_more_than_single_ones(
    args: Args, traffic: Traffic
) -> None:
    aggregated = usage_of(traffic, args, ASSUMPTIONS)
    single = usage_of(
        traffic, with_forwarder(args, max_changes_per_record=1, max_record_kib=256), ASSUMPTIONS
    )

    assert aggregated.billed_bytes <= single.billed_bytes * (1 + 1e-9)
    assert aggregated.billed_bytes >= aggregated.changes * aggregated.change_bytes * (1 - 1e-9)


@given(pipelines, traffics)
def test_a_longer_window_never_causes_more_calls(args: Args, traffic: Traffic) -> None:
    longer = with_forwarder(
        args, batching_window_seconds=args.forwarder.batching_window_seconds + 5
    )
    calls = usage_of(traffic, args, ASSUMPTIONS).forwarder_calls

    assert usage_of(traffic, longer, ASSUMPTIONS).forwarder_calls <= calls * (1 + 1e-9)
