"""What runs through a pipeline in a month, beside counts made by hand."""

from dataclasses import replace

import pytest

from streaming_etl.ops.cost.assumptions import Assumptions, cpu_us
from streaming_etl.ops.cost.plan import by_hand
from streaming_etl.ops.cost.usage import flow_of, rounded
from tests.ops.cost_cases import PLAIN, PLAN, SECONDS, plan, traffic


def test_a_change_of_300_bytes_alone_in_its_record_is_billed_17_times() -> None:
    flow = flow_of(traffic(1), plan(max_changes_per_record=1), PLAIN)

    assert flow.line_bytes == 300
    assert flow.records == SECONDS
    assert flow.billed_bytes == SECONDS * 5_120
    assert int(flow.billed_bytes / (SECONDS * 300)) == 17


@pytest.mark.parametrize(
    ("size", "billed"), [(0, 0), (1, 5_120), (5_120, 5_120), (5_121, 10_240), (12_288, 15_360)]
)
def test_firehose_bills_a_record_by_5_kb_begun(size: int, billed: int) -> None:
    assert rounded(size) == billed


def test_a_full_batch_is_billed_as_full_records_and_one_with_the_rest() -> None:
    # 1,000 changes a second fill batches of 500 long before 5 s are over. A line of 540 bytes fits
    # 485 times into 262,144: 261,900 bytes are 52 steps of 5,120, the other 15 lines 2 steps.
    flow = flow_of(traffic(1_000), PLAN, replace(PLAIN, line_bytes=240))

    assert flow.line_bytes == 540
    assert flow.batch_changes == 500
    assert flow.forwarder_calls == SECONDS * 2
    assert flow.records == SECONDS * 4
    assert flow.billed_bytes == SECONDS * 2 * 54 * 5_120


def test_a_slow_stream_gathers_a_window_in_each_lane() -> None:
    # 6 changes a second over 4 shards and 2 lanes each, for 5 s: 3.75 a batch. Of four batches
    # three hold 4 changes of 2,000 bytes, 2 steps of 5,120, and one holds 3, which need 2 as well.
    slow = plan(shards=4, parallelization_factor=2)
    flow = flow_of(traffic(6, 2_000), slow, PLAIN)

    assert flow.batch_changes == 3.75
    assert flow.forwarder_calls == SECONDS * 6 / 3.75
    assert flow.billed_bytes == pytest.approx(SECONDS * 1.6 * 2 * 5_120)


def test_a_stream_that_stands_almost_still_sends_every_change_alone() -> None:
    flow = flow_of(traffic(0.001), PLAN, PLAIN)

    assert (flow.batch_changes, flow.forwarder_calls) == (1, 2_628)
    assert flow.records == flow.transform_calls == flow.objects == 2_628


def test_a_batch_holds_no_more_than_lambdas_6_mb() -> None:
    # 1.6 images of 100,000 bytes a change: 39 of them are 6,240,000 bytes, 40 more than 6 MiB.
    flow = flow_of(traffic(1_000, 100_000), PLAN, PLAIN)

    assert flow.batch_changes == 39


@pytest.mark.parametrize(
    ("old_image", "images"), [("always", 1.6), ("on_remove", 1.0), ("never", 0.85)]
)
def test_a_change_on_firehose_carries_the_old_images_that_were_asked_for(
    old_image: str, images: float
) -> None:
    flow = flow_of(traffic(1), plan(old_image=old_image), PLAIN)

    assert flow.line_bytes == pytest.approx(300 * images)


def test_kinds_that_are_not_taken_cost_nothing() -> None:
    flow = flow_of(traffic(1), plan(kinds=("INSERT", "MODIFY")), PLAIN)

    assert flow.changes == pytest.approx(SECONDS * 0.85)
    assert flow.line_bytes == pytest.approx(300)


def test_kinds_that_never_come_make_no_calls() -> None:
    flow = flow_of(traffic(1), plan(kinds=("REMOVE",)), replace(PLAIN, remove_share=0))

    assert (flow.changes, flow.forwarder_calls, flow.billed_bytes) == (0, 0, 0)


def test_no_changes_make_no_calls_no_records_and_no_objects() -> None:
    flow = flow_of(traffic(0), PLAN, Assumptions())

    told = (flow.forwarder_calls, flow.transform_calls, flow.records, flow.billed_bytes)
    assert told == (0, 0, 0, 0)
    assert (flow.forwarder_gb_s, flow.transform_gb_s, flow.objects, flow.stored_bytes) == (0,) * 4


@pytest.mark.usefixtures("measured_once")
def test_the_forwarders_time_is_cpu_and_waiting_and_half_a_millisecond_a_call() -> None:
    # 200 changes a second of 266 bytes, 500 a batch (the window holds 1,000): 0.4 calls a second.
    # CPU 200 x 7 us = 1.4 ms, twice as long on Lambda 2.8; waiting 0.4 x 50 = 20; rounding 0.2.
    assumptions = replace(PLAIN, cpu_factor=2, put_wait_ms=50)
    flow = flow_of(traffic(200, 266), PLAN, assumptions)

    assert flow.forwarder_calls == pytest.approx(SECONDS * 0.4)
    assert flow.forwarder_gb_s == pytest.approx(SECONDS * 0.023 * 1_769 / 1_024)


def test_the_forwarder_waits_once_for_every_mib_of_a_batch() -> None:
    # 500 changes of 5,000 bytes are 2,500,000 bytes, 2.384 MiB; two batches a second.
    waiting = flow_of(traffic(1_000, 5_000), PLAN, replace(PLAIN, put_wait_ms=50))
    not_waiting = flow_of(traffic(1_000, 5_000), PLAN, PLAIN)

    waited = waiting.forwarder_gb_s - not_waiting.forwarder_gb_s
    assert waited == pytest.approx(SECONDS * 2 * 2_500_000 / 2**20 * 0.05 * 1_769 / 1_024)


@pytest.mark.usefixtures("measured_once")
def test_a_function_with_half_the_memory_computes_twice_as_long() -> None:
    # Twice as long at half the memory is the same GB-seconds, but for the rounding of each call.
    whole = flow_of(traffic(2, 266), PLAN, PLAIN)
    half = flow_of(traffic(2, 266), plan(transform_memory_mib=1_769 / 2), PLAIN)

    calls = SECONDS / 60
    cpu_gb_s = SECONDS * 2 * 6.2e-6 * 1_769 / 1_024
    rounding_gb_s = calls * 0.0005 * 1_769 / 1_024
    assert whole.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s)
    assert half.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s / 2)


def test_more_than_one_vcpu_makes_a_handler_no_faster() -> None:
    one = flow_of(traffic(2), PLAN, PLAIN)
    two = flow_of(traffic(2), plan(transform_memory_mib=2 * 1_769), PLAIN)

    assert two.transform_gb_s == pytest.approx(2 * one.transform_gb_s)


def test_firehose_calls_the_transform_when_its_buffer_is_full_or_its_time_is_over() -> None:
    by_time = flow_of(traffic(1), PLAN, PLAIN)
    # 1 MiB of changes of 1,024 bytes are 1,024 of them: at 128 a second full after 8 s.
    by_size = flow_of(traffic(128, 1_024), PLAN, PLAIN)

    assert by_time.transform_calls == SECONDS / 60
    assert by_size.transform_calls == pytest.approx(SECONDS / 8)


def test_an_object_is_written_when_its_buffer_is_full_or_its_time_is_over() -> None:
    by_time = flow_of(traffic(100), PLAN, PLAIN)
    # 64 MiB of rows of 1,024 bytes are 65,536 changes: at 1,024 a second full after 64 s.
    by_size = flow_of(traffic(1_024, 1_024), PLAN, PLAIN)

    assert by_time.objects == SECONDS / 120
    assert by_size.objects == pytest.approx(SECONDS / 64)


def test_every_folder_of_dynamic_partitioning_has_a_buffer_of_its_own() -> None:
    flow = flow_of(traffic(100), plan(dynamic=True, folders=3), PLAIN)

    assert flow.objects == 3 * SECONDS / 120


@pytest.mark.parametrize(
    ("settings", "stored"),
    [
        ({"format": "csv"}, 450 / 4),
        ({"format": "json", "compressed": False}, 450),
        ({"format": "parquet"}, 450 / 3),
    ],
)
def test_rows_lie_compressed_as_their_format_does_it(
    settings: dict[str, object], stored: float
) -> None:
    flow = flow_of(traffic(1), plan(**settings), replace(PLAIN, metadata_bytes=150))

    assert flow.row_bytes == SECONDS * 450
    assert flow.stored_bytes == pytest.approx(SECONDS * stored)


def test_cpu_of_a_change_follows_what_was_measured() -> None:
    points = (10.0, 20.0, 46.0)
    sizes = (1, 266, 883, 1_500, 2_800, 4_100, 5_400)
    assert [cpu_us(points, size) for size in sizes] == [10, 10, 15, 20, 33, 46, 59]


def test_made_by_hand_each_change_travels_alone_and_whole() -> None:
    flow = flow_of(traffic(1_000), by_hand(plan(shards=4)), replace(PLAIN, stream_bytes=490))

    # 250 changes a second in each of 4 shards, every quarter of a second: 62.5 a batch.
    assert flow.batch_changes == 62.5
    assert flow.line_bytes == pytest.approx(490 + 1.6 * 300)
    assert flow.records == pytest.approx(SECONDS * 1_000)
    assert flow.billed_bytes == pytest.approx(SECONDS * 1_000 * 5_120)
