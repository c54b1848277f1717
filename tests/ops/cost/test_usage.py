"""Monthly usage, compared with counts computed by hand."""

import json
from base64 import b64decode
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.cost.assumptions import SIZES, Assumptions, cpu_us
from streaming_etl.ops.cost.usage import default_shares, rounded_up, runs_per_month, usage_of
from tests.ops.cost.cases import FOUR_SHARDS, PLAIN, SECONDS, settings, shop, traffic
from tools.bench import candidate
from tools.bench.events import SHAPES, firehose_event, stream_records

DEFAULT = settings()


def test_a_single_change_of_300_bytes_is_billed_17_times() -> None:
    usage = usage_of(traffic(1), settings(forwarder={"max_changes_per_record": 1}), PLAIN)

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
    usage = usage_of(traffic(1_000), DEFAULT, replace(PLAIN, line_bytes=240))

    assert (usage.change_bytes, usage.batch_changes) == (540, 500)
    assert (usage.forwarder_calls, usage.records) == (SECONDS * 2, SECONDS * 4)
    assert usage.billed_bytes == SECONDS * 2 * 54 * 5_120


def test_a_slow_stream_collects_a_batch_for_the_batching_window() -> None:
    # 6 changes per second in 4 shards with 2 concurrent batches each, for 5 s: 3.75 per batch.
    # Three of four batches have 4 changes of 2,000 bytes, one has 3; all need 2 steps of 5,120.
    usage = usage_of(
        traffic(6, 2_000),
        settings(source=FOUR_SHARDS, forwarder={"parallelization_factor": 2}),
        PLAIN,
    )

    assert usage.batch_changes == 3.75
    assert usage.forwarder_calls == SECONDS * 6 / 3.75
    assert usage.billed_bytes == pytest.approx(SECONDS * 1.6 * 2 * 5_120)


def test_an_almost_idle_stream_sends_single_changes() -> None:
    usage = usage_of(traffic(0.001), DEFAULT, PLAIN)

    assert (usage.batch_changes, usage.forwarder_calls) == (1, 2_628)
    assert usage.records == usage.transform_calls == usage.objects == 2_628


def test_a_batch_has_at_most_the_6_mib_of_a_lambda_event() -> None:
    # 1.6 images of 100,000 bytes per change: 39 changes are 6,240,000 bytes, 40 exceed 6 MiB.
    assert usage_of(traffic(1_000, 100_000), DEFAULT, PLAIN).batch_changes == 39


@pytest.mark.parametrize(
    ("old_image", "images"), [("always", 1.6), ("on_remove", 1.0), ("never", 0.85)]
)
def test_old_images_are_sent_as_configured(old_image: str, images: float) -> None:
    usage = usage_of(traffic(1), settings(forwarder={"old_image": old_image}), PLAIN)

    assert usage.change_bytes == pytest.approx(300 * images)


def test_filtered_event_names_cost_nothing() -> None:
    def of_events(*names: str) -> StreamingEtlPipelineArgs:
        return settings(forwarder={"event_names": names}, query={"current_state": False})

    usage = usage_of(traffic(1), of_events("INSERT", "MODIFY"), PLAIN)
    assert usage.changes == pytest.approx(SECONDS * 0.85)
    assert usage.change_bytes == pytest.approx(300)

    usage = usage_of(traffic(1), of_events("REMOVE"), replace(PLAIN, remove_share=0))
    assert (usage.changes, usage.forwarder_calls, usage.billed_bytes) == (0, 0, 0)


def test_no_changes_cause_no_usage() -> None:
    usage = usage_of(traffic(0), DEFAULT, Assumptions())

    [of_table] = usage.lake_tables.values()
    used = {name for name, value in vars(usage).items() if value}
    # These are per change, per call and per query.
    assert used == {"change_bytes", "batch_changes", "listings", "lake_tables"}
    used = {name for name, value in vars(of_table).items() if value}
    assert used == {"share", "listings", "query_bytes"}


@pytest.mark.usefixtures("fixed_measurements")
def test_forwarder_time_is_cpu_waiting_and_rounding() -> None:
    # 200 changes per second of 266 bytes, 500 per batch (the window has 1,000): 0.4 calls per
    # second. CPU 200 x 7 us = 1.4 ms, on Lambda 2.8; waiting 0.4 x 50 = 20; rounding 0.2.
    assumptions = replace(PLAIN, cpu_factor=2, put_wait_ms=50)
    usage = usage_of(traffic(200, 266), DEFAULT, assumptions)

    assert usage.forwarder_calls == pytest.approx(SECONDS * 0.4)
    assert usage.forwarder_gb_s == pytest.approx(SECONDS * 0.023 * 1_769 / 1_024)


def test_the_forwarder_waits_once_per_mib_of_a_batch() -> None:
    # 500 changes of 5,000 bytes are 2,500,000 bytes, 2.384 MiB; two batches per second.
    waiting = usage_of(traffic(1_000, 5_000), DEFAULT, replace(PLAIN, put_wait_ms=50))
    not_waiting = usage_of(traffic(1_000, 5_000), DEFAULT, PLAIN)

    difference = waiting.forwarder_gb_s - not_waiting.forwarder_gb_s
    assert difference == pytest.approx(SECONDS * 2 * 2_500_000 / 2**20 * 0.05 * 1_769 / 1_024)


@pytest.mark.usefixtures("fixed_measurements")
def test_memory_determines_cpu_time_up_to_one_vcpu() -> None:
    full = usage_of(traffic(2, 266), DEFAULT, PLAIN)
    half = usage_of(traffic(2, 266), settings(transform={"memory_mib": 885}), PLAIN)
    double = usage_of(traffic(2, 266), settings(transform={"memory_mib": 2 * 1_769}), PLAIN)

    # Half the memory doubles the time; only the rounding of calls changes the GB-seconds.
    cpu_gb_s = SECONDS * 2 * 6.2e-6 * 1_769 / 1_024
    rounding_gb_s = SECONDS / 60 * 0.0005 * 1_769 / 1_024
    assert full.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s)
    assert half.transform_gb_s == pytest.approx(cpu_gb_s + rounding_gb_s * 885 / 1_769)
    assert double.transform_gb_s == pytest.approx(2 * full.transform_gb_s)


def test_buffers_are_flushed_by_size_or_by_time() -> None:
    by_time = usage_of(traffic(100), DEFAULT, PLAIN)
    assert usage_of(traffic(1), DEFAULT, PLAIN).transform_calls == SECONDS / 60
    assert by_time.objects == SECONDS / 120

    # 1,024 changes per second of 1,024 bytes fill 64 MiB after 64 s; 128 fill 1 MiB after 8 s.
    assert usage_of(traffic(128, 1_024), DEFAULT, PLAIN).transform_calls == pytest.approx(
        SECONDS / 8
    )
    assert usage_of(traffic(1_024, 1_024), DEFAULT, PLAIN).objects == pytest.approx(SECONDS / 64)


def test_every_prefix_of_dynamic_partitioning_has_a_buffer() -> None:
    for values, prefixes in [(["a", "b", "c"], 3), ([], Assumptions().injected_key_values)]:
        args = settings(partitions={"dynamic_partition_keys": {"p": values}})
        assert usage_of(traffic(100), args, PLAIN).objects == prefixes * SECONDS / 120


@pytest.mark.parametrize(
    ("overrides", "stored"),
    [
        ({"format": "csv"}, 450 / 4),
        ({"delivery": {"compression": "UNCOMPRESSED"}}, 450),
        ({"format": "parquet"}, 450 / 3),
    ],
)
def test_the_format_determines_the_size_of_stored_rows(
    overrides: dict[str, Any], stored: float
) -> None:
    usage = usage_of(traffic(1), settings(**overrides), replace(PLAIN, metadata_bytes=150))

    assert usage.row_bytes == SECONDS * 450
    assert usage.stored_bytes == pytest.approx(SECONDS * stored)


def test_cpu_time_is_interpolated_between_measurements() -> None:
    points = (10.0, 20.0, 46.0)
    sizes = (1, 266, 883, 1_500, 2_800, 4_100, 5_400)
    assert [cpu_us(points, size) for size in sizes] == [10, 10, 15, 20, 33, 46, 59]


def test_shards_follow_the_capacity_of_the_table() -> None:
    capacities = [(None, 4), (FOUR_SHARDS, 4), ({"read_capacity": 300, "write_capacity": 2_000}, 3)]
    for capacity, shards in capacities:
        source = capacity or {"read_capacity": None, "write_capacity": None}
        usage = usage_of(traffic(8, 1), settings(source=source), PLAIN)
        assert usage.batch_changes == pytest.approx(40 / shards)


def test_only_a_crawler_has_runs() -> None:
    schedule = {"catalog": "crawler", "crawler_schedule": "cron(0 3 * * ? *)"}
    assert usage_of(traffic(1), DEFAULT, PLAIN).crawler_runs == 0
    assert usage_of(traffic(1), settings(**schedule), PLAIN).crawler_runs == 365 / 12


@pytest.mark.parametrize(
    ("schedule", "per_year"),
    [
        ("cron(0/5 * * * ? *)", 105_120),
        ("cron(0,30 8-17 ? * MON-FRI *)", 20 * 261),
        ("cron(0 3 ? * 1 *)", 52),
        ("cron(0 3 ? * SUN *)", 52),
        ("cron(0 3 1/10 * ? *)", 12 + 12 + 12 + 7),
        ("cron(0 3 1 jan,JUL ? *)", 2),
        ("cron(0 3 L * ? *)", 12),
        ("cron(0 3 15W 3-5 ? *)", 3),
        ("cron(0 3 LW * ? *)", 12),
        ("cron(0,0 3 * * ? *)", 365),
        ("cron(0 3 ? * 6#3 2027)", 12),
        ("cron(0 3 ? * FRIL *)", 12),
        ("cron(0 3 ? * L *)", 52),
        ("cron(0 0 31 12 ? *)", 1),
    ],
)
def test_counts_the_runs_of_a_cron_expression(schedule: str, per_year: int) -> None:
    assert runs_per_month(schedule) * 12 == pytest.approx(per_year)


def test_assumed_sizes_are_those_of_the_benchmark_and_the_forwarder() -> None:
    assert tuple(shape.image_bytes for shape in SHAPES.values()) == SIZES
    for shape in SHAPES.values():
        records = list(islice(stream_records(shape), 400))
        mean = sum(len(change_line(record, "on_remove")) for record in records) / len(records)
        assert Assumptions().line_bytes == pytest.approx(mean - shape.image_bytes, abs=10)


def test_assumed_metadata_has_the_size_in_the_rows_of_the_benchmark() -> None:
    for shape in SHAPES.values():
        event = firehose_event(shape, candidate.forwarded_line, 200_000, aggregated=True)
        response = candidate.transform("json")(event.parsed())
        data = b"".join(b64decode(record["data"]) for record in response["records"])
        rows = [json.loads(line) for line in data.splitlines()]
        metadata = [{name: row[name] for name in METADATA_COLUMNS} for row in rows]
        sizes = [len(json.dumps(columns, separators=(",", ":"))) for columns in metadata]

        assert len(sizes) == event.changes
        assert Assumptions().metadata_bytes == pytest.approx(sum(sizes) / len(sizes), abs=2)


def test_lake_tables_with_a_condition_get_equal_parts() -> None:
    assert default_shares(settings()) == {"lake-table": 1}
    assert default_shares(settings(where={"kind": ["a"]})) == {"lake-table": 1}
    assert default_shares(shop({}, {}, {"where": {}})) == {"a": 0.5, "b": 0.5, "c": 1}


def test_a_batch_is_divided_between_the_lake_tables() -> None:
    # 1,000 changes per second fill batches of 500, twice per second. Of these 400 go to `a`, in one
    # record of 120,000 bytes, 24 steps, and 100 to `b`, in one of 30,000 bytes, 6 steps. All go to
    # `c`, as without lake tables: 150,000 bytes are 30 steps.
    month = replace(traffic(1_000), shares={"a": 0.8, "b": 0.2})
    usage = usage_of(month, shop({}, {}, {"where": {}}), PLAIN)

    calls = SECONDS * 2
    assert usage.forwarder_calls == calls
    tables = usage.lake_tables
    assert {key: table.share for key, table in tables.items()} == {"a": 0.8, "b": 0.2, "c": 1}
    assert [table.records for table in tables.values()] == [calls, calls, calls]
    billed = [table.billed_bytes for table in tables.values()]
    assert billed == [calls * steps * 5_120 for steps in (24, 6, 30)]
    assert usage.billed_bytes == sum(billed)
    assert tables["c"].billed_bytes == usage_of(traffic(1_000), DEFAULT, PLAIN).billed_bytes


def test_a_small_part_of_a_batch_is_in_some_calls_only() -> None:
    # 3.75 changes per call, of which 0.3 are of `a`: three of ten calls send it a record.
    month = replace(traffic(6, 2_000), shares={"a": 0.08})
    args = shop({}, source=FOUR_SHARDS, forwarder={"parallelization_factor": 2})
    usage = usage_of(month, args, PLAIN)

    [table] = usage.lake_tables.values()
    assert table.records == pytest.approx(usage.forwarder_calls * 0.3)
    assert table.billed_bytes == pytest.approx(table.records * 5_120)
    # The objects of few changes are as many as their records.
    assert table.changes == pytest.approx(SECONDS * 6 * 0.08)


@pytest.mark.usefixtures("fixed_measurements")
def test_the_forwarder_encodes_and_sends_for_each_lake_table() -> None:
    # As in the test of the forwarder's time: 0.4 calls and 200 changes per second. `a` gets all,
    # `b` half, `c` none: CPU 300 x 7 us, on Lambda 4.2 ms; waiting 2 x 0.4 x 50; rounding 0.2.
    assumptions = replace(PLAIN, cpu_factor=2, put_wait_ms=50)
    month = replace(traffic(200, 266), shares={"b": 0.5, "c": 0})
    usage = usage_of(month, shop({"where": {}}, {}, {}), assumptions)

    assert usage.forwarder_calls == pytest.approx(SECONDS * 0.4)
    seconds = 0.0042 + 0.040 + 0.0002
    assert usage.forwarder_gb_s == pytest.approx(SECONDS * seconds * 1_769 / 1_024)
    assert usage.lake_tables["c"].records == usage.lake_tables["c"].objects == 0


def test_each_lake_table_has_its_format_and_buffers() -> None:
    usage = usage_of(
        traffic(100),
        shop(
            {"format": "parquet", "delivery": {"buffer_seconds": 60}},
            {"catalog": "crawler", "crawler_schedule": "cron(0 3 * * ? *)"},
        ),
        PLAIN,
    )
    a, b = usage.lake_tables.values()

    assert (a.row_bytes, b.row_bytes) == (SECONDS * 50 * 300, SECONDS * 50 * 300)
    assert (a.stored_bytes, b.stored_bytes) == (a.row_bytes / 3, b.row_bytes / 4)
    assert (a.objects, b.objects) == (SECONDS / 60, SECONDS / 120)
    assert (a.crawler_runs, b.crawler_runs) == (0, 365 / 12)
    assert usage.objects == a.objects + b.objects
    assert usage.crawler_runs == 365 / 12
    assert usage.listings == {
        source: a.listings[source] + b.listings[source]
        for source in ("objects", "partitions", "merged")
    }
