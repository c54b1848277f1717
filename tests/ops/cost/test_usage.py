"""Monthly usage, compared with counts computed by hand."""

from dataclasses import replace
from typing import Any

import pytest

from streaming_etl.ops.cost.assumptions import Assumptions, cpu_us
from streaming_etl.ops.cost.usage import rounded_up, usage_of
from tests.ops.cost.plans import PLAIN, PLAN, SECONDS, plan, traffic


def test_a_single_change_of_300_bytes_is_billed_17_times() -> None:
    usage = usage_of(traffic(1), plan(max_changes_per_record=1), PLAIN)

    assert (usage.change_bytes, usage.records) == (300, SECONDS)
    assert usage.billed_bytes == SECONDS * 5_120
    assert int(usage.billed_bytes / (SECONDS * 300)) == 17


@pytest.mark.parametrize(
    ("size", "billed"), [(0, 0), (1, 5_120), (5_120, 5_120), (5_121, 10_240), (12_288, 15_360)]
)
def test_firehose_rounds_a_record_up_to_5_kb(size: int, billed: int) -> None:
    assert rounded_up(size) == billed


def test_a_full_batch_is_billed_as_full_records_and_a_remaining_one() -> None:
    # 1,000 changes per second fill batches of 500 before 5 s are over. 485 changes of 540 bytes fit
    # into 262,144 bytes: 261,900 bytes are 52 steps of 5,120, the other 15 changes 2 steps.
    usage = usage_of(traffic(1_000), PLAN, replace(PLAIN, line_bytes=240))

    assert (usage.change_bytes, usage.batch_changes) == (540, 500)
    assert (usage.forwarder_calls, usage.records) == (SECONDS * 2, SECONDS * 4)
    assert usage.billed_bytes == SECONDS * 2 * 54 * 5_120


def test_a_slow_stream_collects_a_batch_for_the_batching_window() -> None:
    # 6 changes per second in 4 shards with 2 concurrent batches each, for 5 s: 3.75 per batch.
    # Three of four batches have 4 changes of 2,000 bytes, one has 3; all need 2 steps of 5,120.
    usage = usage_of(traffic(6, 2_000), plan(shards=4, parallelization_factor=2), PLAIN)

    assert usage.batch_changes == 3.75
    assert usage.forwarder_calls == SECONDS * 6 / 3.75
    assert usage.billed_bytes == pytest.approx(SECONDS * 1.6 * 2 * 5_120)


def test_an_almost_idle_stream_sends_single_changes() -> None:
    usage = usage_of(traffic(0.001), PLAN, PLAIN)

    assert (usage.batch_changes, usage.forwarder_calls) == (1, 2_628)
    assert usage.records == usage.transform_calls == usage.objects == 2_628


def test_a_batch_has_at_most_the_6_mib_of_a_lambda_event() -> None:
    # 1.6 images of 100,000 bytes per change: 39 changes are 6,240,000 bytes, 40 exceed 6 MiB.
    assert usage_of(traffic(1_000, 100_000), PLAN, PLAIN).batch_changes == 39


@pytest.mark.parametrize(
    ("old_image", "images"), [("always", 1.6), ("on_remove", 1.0), ("never", 0.85)]
)
def test_old_images_are_sent_as_configured(old_image: str, images: float) -> None:
    usage = usage_of(traffic(1), plan(old_image=old_image), PLAIN)

    assert usage.change_bytes == pytest.approx(300 * images)


def test_filtered_event_names_cost_nothing() -> None:
    usage = usage_of(traffic(1), plan(event_names=("INSERT", "MODIFY")), PLAIN)
    assert usage.changes == pytest.approx(SECONDS * 0.85)
    assert usage.change_bytes == pytest.approx(300)

    usage = usage_of(traffic(1), plan(event_names=("REMOVE",)), replace(PLAIN, remove_share=0))
    assert (usage.changes, usage.forwarder_calls, usage.billed_bytes) == (0, 0, 0)


def test_no_changes_cause_no_usage() -> None:
    usage = usage_of(traffic(0), PLAN, Assumptions())

    used = {name: value for name, value in vars(usage).items() if value}
    # These are per change and per call.
    assert used.keys() == {"change_bytes", "batch_changes"}


@pytest.mark.usefixtures("fixed_measurements")
def test_forwarder_time_is_cpu_waiting_and_rounding() -> None:
    # 200 changes per second of 266 bytes, 500 per batch (the window has 1,000): 0.4 calls per
    # second. CPU 200 x 7 us = 1.4 ms, on Lambda 2.8; waiting 0.4 x 50 = 20; rounding 0.2.
    assumptions = replace(PLAIN, cpu_factor=2, put_wait_ms=50)
    usage = usage_of(traffic(200, 266), PLAN, assumptions)

    assert usage.forwarder_calls == pytest.approx(SECONDS * 0.4)
    assert usage.forwarder_gb_s == pytest.approx(SECONDS * 0.023 * 1_769 / 1_024)


def test_the_forwarder_waits_once_per_mib_of_a_batch() -> None:
    # 500 changes of 5,000 bytes are 2,500,000 bytes, 2.384 MiB; two batches per second.
    waiting = usage_of(traffic(1_000, 5_000), PLAN, replace(PLAIN, put_wait_ms=50))
    not_waiting = usage_of(traffic(1_000, 5_000), PLAN, PLAIN)

    difference = waiting.forwarder_gb_s - not_waiting.forwarder_gb_s
    assert difference == pytest.approx(SECONDS * 2 * 2_500_000 / 2**20 * 0.05 * 1_769 / 1_024)


@pytest.mark.usefixtures("fixed_measurements")
def test_memory_determines_cpu_time_up_to_one_vcpu() -> None:
    full = usage_of(traffic(2, 266), PLAN, PLAIN)
    half = usage_of(traffic(2, 266), plan(transform_memory_mib=1_769 / 2), PLAIN)
    double = usage_of(traffic(2, 266), plan(transform_memory_mib=2 * 1_769), PLAIN)

    # Twice the time at half the memory is the same GB-seconds, except for the rounding of calls.
    cpu_gb_s = SECONDS * 2 * 6.2e-6 * 1_769 / 1_024
    rounding_gb_s = SECONDS / 60 * 0.0005 * 1_769 / 1_024
    assert full.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s)
    assert half.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s / 2)
    assert double.transform_gb_s == pytest.approx(2 * full.transform_gb_s)


def test_buffers_are_flushed_by_size_or_by_time() -> None:
    by_time = usage_of(traffic(100), PLAN, PLAIN)
    assert usage_of(traffic(1), PLAN, PLAIN).transform_calls == SECONDS / 60
    assert by_time.objects == SECONDS / 120

    # 1,024 changes per second of 1,024 bytes fill 64 MiB after 64 s; 128 fill 1 MiB after 8 s.
    assert usage_of(traffic(128, 1_024), PLAN, PLAIN).transform_calls == pytest.approx(SECONDS / 8)
    assert usage_of(traffic(1_024, 1_024), PLAN, PLAIN).objects == pytest.approx(SECONDS / 64)


def test_every_prefix_of_dynamic_partitioning_has_a_buffer() -> None:
    usage = usage_of(traffic(100), plan(dynamic=True, prefixes=3), PLAIN)

    assert usage.objects == 3 * SECONDS / 120


@pytest.mark.parametrize(
    ("settings", "stored"),
    [
        ({"format": "csv"}, 450 / 4),
        ({"format": "json", "compressed": False}, 450),
        ({"format": "parquet"}, 450 / 3),
    ],
)
def test_the_format_determines_the_size_of_stored_rows(
    settings: dict[str, Any], stored: float
) -> None:
    usage = usage_of(traffic(1), plan(**settings), replace(PLAIN, metadata_bytes=150))

    assert usage.row_bytes == SECONDS * 450
    assert usage.stored_bytes == pytest.approx(SECONDS * stored)


def test_cpu_time_is_interpolated_between_measurements() -> None:
    points = (10.0, 20.0, 46.0)
    sizes = (1, 266, 883, 1_500, 2_800, 4_100, 5_400)
    assert [cpu_us(points, size) for size in sizes] == [10, 10, 15, 20, 33, 46, 59]
