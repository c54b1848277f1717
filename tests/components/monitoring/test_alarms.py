"""Alarms: metrics, thresholds and subscriptions; tests/golden has their inputs and texts."""

import pytest

from streaming_etl import (
    BackfillArgs,
    DeliveryArgs,
    ForwarderArgs,
    MonitoringArgs,
    PartitionArgs,
    TransformArgs,
)
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.stack.recorder import Graph
from tests.components.monitoring.aws_metrics import METRICS
from tests.support.pipeline_settings import pipeline_args
from tests.support.pipelines import Pipelines

ESSENTIAL = {
    "not-polling",
    "iterator-age",
    "changes-lost",
    "requeued",
    "data-freshness",
    "dead-lettered",
}
# Exist with a crawler or with a backfill.
OPTIONAL = {"crawler-failed", "backfill-failed"}


def alarm_names(graph: Graph) -> set[str]:
    return {
        node.name.removeprefix("shop-monitoring-")
        for node in graph.nodes
        if node.type.endswith(":MetricAlarm")
    }


def test_a_pipeline_has_essential_alarms_by_default(minimal: Graph) -> None:
    assert alarm_names(minimal) == ESSENTIAL


def test_every_level_has_the_alarms_of_the_level_below(every_alarm: Graph, no_alarm: Graph) -> None:
    assert alarm_names(no_alarm) == set()
    assert alarm_names(every_alarm) - ESSENTIAL - OPTIONAL == {
        "forwarder-errors",
        "forwarder-throttles",
        "retries-exhausted",
        "transform-errors",
        "transform-throttles",
        "transform-duration",
        "transform-failed",
        "throttled-records",
        "delivery-failed",
        "failed-conversions",
        "partition-limit",
    }


def test_each_lake_table_has_alarms_on_its_resources(several: Graph, every_alarm: Graph) -> None:
    found: dict[str, set[str]] = {"shop": set()}
    descriptions = {}
    for node in several.of("MetricAlarm"):
        owner, _, alarm = node.name.rpartition("-monitoring-")
        found.setdefault(owner, set()).add(alarm)
        [value] = node.inputs["dimensions"].values()
        if owner != "shop":
            kind = "delivery" if "DeliveryStreamName" in node.inputs["dimensions"] else "transform"
            assert value.startswith(f"{owner}-{kind}-"), node.name
        descriptions[node.name] = node.inputs["alarmDescription"].partition(":")[0]
    of_each = {
        "data-freshness",
        "delivery-failed",
        "requeued",
        "throttled-records",
        "transform-duration",
        "transform-errors",
        "transform-failed",
        "transform-throttles",
    }
    of_parquet = of_each | {"failed-conversions", "partition-limit"}
    assert found == {
        "shop": alarm_names(every_alarm) - of_parquet,
        "shop-orders": of_each,
        "shop-orders-catalog": of_parquet,
        "shop-items": of_each,
    }
    # The names that operators type.
    assert descriptions["shop-monitoring-dead-lettered"] == "shop"
    assert descriptions["shop-orders-catalog-monitoring-requeued"] == "shop.orders-catalog"
    # The thresholds are those of the lake table: its buffers differ.
    thresholds = [
        several[f"shop-{name}-monitoring-data-freshness"].inputs["threshold"]
        for name in ("orders", "items")
    ]
    assert thresholds[1] - thresholds[0] == 300 - DeliveryArgs().buffer_seconds


def test_at_most_eight_alarms_are_essential() -> None:
    args = pipeline_args(
        format="parquet",
        catalog="crawler",
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        backfill=BackfillArgs(enabled=True),
    )
    assert {alarm.name for alarm in alarms(args)} == ESSENTIAL | OPTIONAL
    assert len(ESSENTIAL | OPTIONAL) <= 8


def test_the_alarm_on_throttles_is_essential_with_a_long_record_age() -> None:
    def names(seconds: int) -> set[str]:
        forwarder = ForwarderArgs(maximum_record_age_seconds=seconds)
        return {alarm.name for alarm in alarms(pipeline_args(forwarder=forwarder))}

    # Half of the time that a stream keeps a change.
    assert names(43_200) == ESSENTIAL
    assert names(43_201) == ESSENTIAL | {"forwarder-throttles"}


def test_without_alarms_failure_events_have_a_topic_and_alarms_have_none(no_alarm: Graph) -> None:
    assert [node.name for node in no_alarm.of("Topic")] == ["shop-watch-topic"]
    outputs = no_alarm.exports["pipeline"]
    assert outputs["alarm_topic_arn"] is None
    assert outputs["failure_events_topic_arn"].endswith(":shop-watch-topic-0000000")


@pytest.mark.parametrize("level", ["every_alarm", "several"])
def test_every_alarm_is_on_a_metric_of_aws(level: str, request: pytest.FixtureRequest) -> None:
    graph: Graph = request.getfixturevalue(level)
    offenders = []
    for node in graph.of("MetricAlarm"):
        [dimension] = node.inputs["dimensions"]
        if node.inputs["metricName"] not in METRICS[node.inputs["namespace"], dimension]:
            offenders.append(node.name)
    assert offenders == []


@pytest.mark.parametrize("level", ["every_alarm", "several"])
def test_every_event_rule_has_an_alarm(level: str, request: pytest.FixtureRequest) -> None:
    graph: Graph = request.getfixturevalue(level)
    monitored = {
        node.inputs["dimensions"]["RuleName"]
        for node in graph.of("MetricAlarm")
        if node.inputs["namespace"] == "AWS/Events"
    }
    assert monitored == {f"{node.name}-0000000" for node in graph.of("EventRule")}


def test_alarms_about_dead_lettered_changes_do_not_notify_on_ok(every_alarm: Graph) -> None:
    silent = {
        node.name.removeprefix("shop-monitoring-")
        for node in every_alarm.of("MetricAlarm")
        if not node.inputs.get("okActions")
    }
    assert silent == {
        "retries-exhausted",
        "changes-lost",
        "transform-failed",
        "failed-conversions",
        "dead-lettered",
        "crawler-failed",
        "backfill-failed",
    }


@pytest.mark.parametrize(
    ("maximum_age", "setting", "threshold"),
    [(86_400, None, 900), (1800, None, 900), (1000, None, 500), (60, None, 30), (60, 59, 59)],
)
def test_iterator_age_fires_before_changes_are_dead_lettered(
    maximum_age: int, setting: int | None, threshold: int
) -> None:
    args = pipeline_args(
        forwarder=ForwarderArgs(maximum_record_age_seconds=maximum_age),
        monitoring=MonitoringArgs(max_iterator_age_seconds=setting),
    )
    [alarm] = [alarm for alarm in alarms(args) if alarm.name == "iterator-age"]
    assert alarm.threshold == threshold * 1000


@pytest.mark.parametrize(
    ("timeout", "percent", "seconds"), [(120, 80, 96), (120, 99, 100), (60, 80, 40), (60, 10, 6)]
)
def test_transform_duration_fires_before_the_transform_requeues_for_time(
    timeout: int, percent: int, seconds: int
) -> None:
    args = pipeline_args(
        transform=TransformArgs(timeout_seconds=timeout),
        monitoring=MonitoringArgs(alarms="all", max_transform_duration_percent=percent),
    )
    [alarm] = [it for it in alarms(args) if it.name == "transform-duration"]
    assert alarm.threshold == seconds * 1000


def test_removing_an_address_keeps_the_other_subscriptions(pipelines: Pipelines) -> None:
    both, one = (
        {
            node.name: node.inputs
            for node in pipelines.build(monitoring=MonitoringArgs(alarm_emails=emails)).of(
                "TopicSubscription"
            )
        }
        for emails in (["a@example.com", "b@example.com"], ["b@example.com"])
    )
    assert len(both) == 2
    assert one.items() < both.items()
