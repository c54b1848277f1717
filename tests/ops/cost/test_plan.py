"""Plans read from settings, and assumptions compared with their sources."""

import re
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.cost.assumptions import FORWARDER, SIZES, TRANSFORM, Assumptions
from streaming_etl.ops.cost.plan import MIB, Plan, plan_of, runs_per_month
from streaming_etl.stack.config import read_config
from streaming_etl.stack.errors import CommandError
from tests.components.pipelines import ROOT, dev_stack
from tools.bench.events import SHAPES, stream_records

MINIMAL: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "transforms/orders.py",
    "partitions": {},
}


def planned(**settings: Any) -> Plan:
    return plan_of(args_from_config("settings", {**MINIMAL, **settings}), Assumptions())


DEFAULT = planned()


def test_reads_the_plan_of_the_default_settings() -> None:
    expected = Plan(
        event_names=("INSERT", "MODIFY", "REMOVE"),
        old_image="on_remove",
        shards=4,
        parallelization_factor=2,
        batch_size=500,
        window_seconds=5,
        max_changes_per_record=500,
        record_bytes=262_144,
        architecture="arm64",
        forwarder_memory_mib=256,
        transform_memory_mib=512,
        transform_buffer_bytes=MIB,
        transform_buffer_seconds=60,
        format="json",
        compressed=True,
        dynamic=False,
        prefixes=1,
        buffer_bytes=64 * MIB,
        buffer_seconds=120,
        crawler_runs=0,
        alarm_metrics=DEFAULT.alarm_metrics,
        dashboards=1,
        customer_key=False,
        object_events=True,
    )
    assert expected == DEFAULT


@pytest.mark.parametrize(
    ("settings", "changed"),
    [
        ({"format": "parquet"}, {"format": "parquet"}),
        ({"delivery": {"compression": "UNCOMPRESSED"}}, {"compressed": False}),
        (
            {"catalog": "crawler", "crawler_schedule": "cron(0 3 * * ? *)"},
            {"crawler_runs": 365 / 12},
        ),
        (
            {"partitions": {"dynamic_partition_keys": {"a": ["1", "2", "3"], "b": ["x", "y"]}}},
            {"dynamic": True, "prefixes": 6},
        ),
        (
            {"partitions": {"dynamic_partition_keys": {"store": []}}},
            {"dynamic": True, "prefixes": 10},
        ),
        ({"partitions": {"partition_time": "event"}}, {"dynamic": True}),
        ({"source": {"read_capacity": 300, "write_capacity": 100}}, {"shards": 1}),
        ({"source": {"read_capacity": 300, "write_capacity": 2_000}}, {"shards": 3}),
        ({"source": {"use_existing": True}}, {}),
        ({"lake": {"kms_key_arn": "arn:aws:kms:::key/1"}}, {"customer_key": True}),
        ({"lake": {"bucket_name": "lake"}}, {"object_events": False}),
        ({"architecture": "x86_64"}, {"architecture": "x86_64"}),
        ({"monitoring": {"dashboard": False}}, {"dashboards": 0}),
        (
            {"delivery": {"buffer_mib": 5, "buffer_seconds": 300}},
            {"buffer_bytes": 5 * MIB, "buffer_seconds": 300},
        ),
        (
            {"transform": {"buffer_mib": 0.5, "buffer_seconds": 30, "memory_mib": 1024}},
            {
                "transform_buffer_bytes": MIB / 2,
                "transform_buffer_seconds": 30,
                "transform_memory_mib": 1024,
            },
        ),
        (
            {
                "forwarder": {
                    "event_names": ["INSERT"],
                    "old_image": "never",
                    "batch_size": 100,
                    "batching_window_seconds": 30,
                    "parallelization_factor": 1,
                    "max_changes_per_record": 10,
                    "max_record_kib": 64,
                    "memory_mib": 512,
                }
            },
            {
                "event_names": ("INSERT",),
                "old_image": "never",
                "batch_size": 100,
                "window_seconds": 30,
                "parallelization_factor": 1,
                "max_changes_per_record": 10,
                "record_bytes": 65_536,
                "forwarder_memory_mib": 512,
            },
        ),
    ],
)
def test_a_setting_changes_only_its_part_of_the_plan(
    settings: dict[str, Any], changed: dict[str, Any]
) -> None:
    plan = planned(**settings)
    assert plan == replace(DEFAULT, **{"alarm_metrics": plan.alarm_metrics, **changed})


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
        ("cron(0 3 ? * 6#3 2027)", 12),
        ("cron(0 3 ? * FRIL *)", 12),
        ("cron(0 0 31 12 ? *)", 1),
    ],
)
def test_counts_the_runs_of_a_cron_expression(schedule: str, per_year: int) -> None:
    assert runs_per_month(schedule) * 12 == pytest.approx(per_year)


@pytest.mark.parametrize(
    "fields",
    ["60 * * * ? *", "0/0 * * * ? *", "0 noon * * ? *", "0 3 * * * *", "0 3 * * ?", "0 3 LW * ? *"],
)
def test_rejects_an_invalid_cron_expression(fields: str) -> None:
    with pytest.raises(CommandError) as rejected:
        runs_per_month(f"cron({fields})")
    assert rejected.value.code == "invalid-schedule"
    assert rejected.value.details == {"schedule": f"cron({fields})"}


def test_counts_the_alarms_dashboards_and_object_events_of_the_dev_stack() -> None:
    nodes = dev_stack().nodes
    counted, plans = {}, {}
    for name, args in read_config(ROOT).pipelines.items():
        own = [node for node in nodes if node.name.startswith(f"{name}-")]
        metrics = [
            # An alarm on a formula is billed by its metrics.
            sum("metric" in query for query in node.inputs.get("metricQueries") or ()) or 1
            for node in own
            if node.type.endswith(":MetricAlarm")
        ]
        dashboards = sum(node.type.endswith(":Dashboard") for node in own)
        event_sources = [node for node in own if node.inputs.get("eventbridge") is True]
        counted[name] = (sum(metrics), dashboards, len(event_sources))
        plan = plan_of(args, Assumptions())
        plans[name] = (plan.alarm_metrics, plan.dashboards, plan.object_events)
    assert plans == counted


def test_cpu_times_are_those_of_the_performance_page() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    tables = dict(re.findall(r"### (.+)\n\n((?:\|.*\n)+)", page))
    assert tuple(shape.image_bytes for shape in SHAPES) == SIZES

    def column(table: str, index: int, *begins: str) -> tuple[float, ...]:
        lines = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
        matches = [line for line in lines if tuple(line[: len(begins)]) == begins]
        return tuple(float(line[index]) for line in matches)

    transform = tables["Transform, changes as our forwarder sends them: CPU µs a change"]
    assert {
        ("csv", "aggregated"): column(transform, 5, "CSV", "packed"),
        ("csv", "single"): column(transform, 5, "CSV", "one change"),
        ("json", "aggregated"): column(transform, 5, "JSON lines", "packed"),
        ("json", "single"): column(transform, 5, "JSON lines", "one change"),
    } == TRANSFORM
    forwarder = tables["Forwarder with boto3: CPU µs a change"]
    names = [shape.name for shape in SHAPES]
    measured = {
        "single": tuple(column(forwarder, 2, name)[0] for name in names),
        "aggregated": tuple(column(forwarder, 3, name)[0] for name in names),
    }
    assert measured == FORWARDER


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_assumed_size_of_a_change_is_that_of_the_forwarder(shape: Any) -> None:
    records = list(islice(stream_records(shape), 400))
    mean = sum(len(change_line(record, "on_remove")) for record in records) / len(records)

    assert Assumptions().line_bytes == pytest.approx(mean - shape.image_bytes, abs=10)
