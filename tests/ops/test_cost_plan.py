"""From settings to what costs: the stack's own, and those that the code beside it tells."""

import re
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.cost.assumptions import FORWARDER, SIZES, TRANSFORM, Assumptions, assume
from streaming_etl.ops.cost.plan import MIB, Plan, by_hand, plan_of
from streaming_etl.stack.errors import CommandError
from tests.components.pipelines import ROOT, dev_stack
from tools.bench.events import SHAPES, stream_records

MINIMAL: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "transforms/orders.py",
    "partitions": {},
}


def planned(**given: Any) -> Plan:
    return plan_of(args_from_config("settings", {**MINIMAL, **given}), Assumptions())


DEFAULT = planned()


def test_the_default_settings_make_this_plan() -> None:
    expected = Plan(
        kinds=("INSERT", "MODIFY", "REMOVE"),
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
        folders=1,
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
    ("given", "changed"),
    [
        ({"format": "parquet"}, {"format": "parquet"}),
        ({"delivery": {"compression": "UNCOMPRESSED"}}, {"compressed": False}),
        (
            {"catalog": "crawler", "crawler_schedule": "cron(0 3 * * ? *)"},
            {"crawler_runs": 365 / 12},
        ),
        (
            {
                "partitions": {
                    "dynamic_partition_keys": {"carrier": ["a", "b", "c"], "zone": ["x", "y"]}
                }
            },
            {"dynamic": True, "folders": 6},
        ),
        (
            {"partitions": {"dynamic_partition_keys": {"store": []}}},
            {"dynamic": True, "folders": 10},
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
            {"forwarder": {"event_names": ["INSERT"], "old_image": "never"}},
            {"kinds": ("INSERT",), "old_image": "never"},
        ),
        ({"delivery": {"buffer_mib": 5}}, {"buffer_bytes": 5 * MIB}),
        ({"delivery": {"buffer_seconds": 300}}, {"buffer_seconds": 300}),
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
                    "batch_size": 100,
                    "batching_window_seconds": 30,
                    "parallelization_factor": 1,
                    "max_changes_per_record": 10,
                    "max_record_kib": 64,
                    "memory_mib": 512,
                }
            },
            {
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
def test_a_setting_changes_of_the_plan_what_it_costs(
    given: dict[str, Any], changed: dict[str, Any]
) -> None:
    plan = planned(**given)
    alarms = {"alarm_metrics": plan.alarm_metrics}
    assert plan == replace(DEFAULT, **alarms, **changed)


def test_made_by_hand_differs_in_these_and_in_nothing_else() -> None:
    plan = planned(format="csv", architecture="x86_64")

    assert by_hand(plan) == replace(
        plan,
        whole_records=True,
        max_changes_per_record=1,
        batch_size=100,
        window_seconds=0,
        parallelization_factor=1,
        crawler_runs=8_760,
        alarm_metrics=0,
        dashboards=0,
        object_events=False,
    )


def test_the_alarms_dashboards_and_object_events_of_a_plan_are_those_of_the_dev_stack() -> None:
    from streaming_etl.stack.outputs import read_config

    nodes = dev_stack().nodes
    counted, plans = {}, {}
    for name, args in read_config(ROOT).pipelines.items():
        own = [node for node in nodes if node.name.startswith(f"{name}-")]
        metrics = [
            # An alarm on a formula is billed by the metrics in it.
            sum("metric" in query for query in node.inputs.get("metricQueries") or ()) or 1
            for node in own
            if node.type.endswith(":MetricAlarm")
        ]
        dashboards = sum(node.type.endswith(":Dashboard") for node in own)
        told = [node for node in own if node.inputs.get("eventbridge") is True]
        counted[name] = (sum(metrics), dashboards, len(told))
        plan = plan_of(args, Assumptions())
        plans[name] = (plan.alarm_metrics, plan.dashboards, plan.object_events)
    assert plans == counted


def test_the_cpu_of_a_change_is_what_the_page_on_performance_measured() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    tables = dict(re.findall(r"### (.+)\n\n((?:\|.*\n)+)", page))
    assert tuple(shape.image_bytes for shape in SHAPES) == SIZES

    def column(table: str, index: int, *begins: str) -> tuple[float, ...]:
        lines = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()]
        found = [line for line in lines if tuple(line[: len(begins)]) == begins]
        return tuple(float(line[index]) for line in found)

    whole = tables["Transform, changes as the stream gives them: CPU µs a change"]
    sent = tables["Transform, changes as our forwarder sends them: CPU µs a change"]
    assert {
        ("csv", "packed"): column(sent, 5, "CSV", "packed"),
        ("csv", "alone"): column(sent, 5, "CSV", "one change"),
        ("csv", "simple"): column(whole, 4, "CSV", "one change"),
        ("json", "packed"): column(sent, 5, "JSON lines", "packed"),
        ("json", "alone"): column(sent, 5, "JSON lines", "one change"),
        ("json", "simple"): column(whole, 4, "JSON lines", "one change"),
    } == TRANSFORM
    forwarder = tables["Forwarder with boto3: CPU µs a change"]
    names = [shape.name for shape in SHAPES]
    measured = {
        "alone": tuple(column(forwarder, 2, name)[0] for name in names),
        "packed": tuple(column(forwarder, 3, name)[0] for name in names),
    }
    assert measured == FORWARDER


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_change_is_as_large_as_the_forwarder_makes_it(shape: Any) -> None:
    records = list(islice(stream_records(shape), 400))
    mean = sum(len(change_line(record, "on_remove")) for record in records) / len(records)

    assert Assumptions().line_bytes == pytest.approx(mean - shape.image_bytes, abs=10)


def test_an_assumption_is_given_anew_by_its_name() -> None:
    assert assume(["gzip_ratio=8", "put_wait_ms=0.1k"]) == Assumptions(
        gzip_ratio=8, put_wait_ms=100
    )


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (
            "gzip_ration=8",
            "--assume gzip_ration=8: there is no assumption 'gzip_ration': did you mean"
            " gzip_ratio?",
        ),
        (
            "cpu_factor=fast",
            "--assume cpu_factor=fast: 'fast' is no number: digits, and k, M or B for thousands,"
            " millions and billions are allowed; write for example 10M or 2.5k.",
        ),
        (
            "crawler_minutes=1",
            "crawler_minutes=1 is out of range: 10 or more is allowed; use 10 or more.",
        ),
        (
            "insert_share=0.9",
            "insert_share=0.9 and remove_share=0.15 are more than all changes: at most 1 together"
            " is allowed; lower one of them.",
        ),
    ],
)
def test_an_assumption_that_cannot_be_is_refused(given: str, refusal: str) -> None:
    with pytest.raises(CommandError) as refused:
        assume([given])
    assert str(refused.value) == refusal
