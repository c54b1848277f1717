"""Alarms: metrics, thresholds and subscriptions; tests/golden has their inputs and texts."""

import pytest

from streaming_etl import ForwarderArgs, MonitoringArgs, TransformArgs
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.stack.recorder import Graph
from tests.components.monitoring.aws_metrics import METRICS
from tests.support.pipeline_settings import pipeline_args
from tests.support.pipelines import Pipelines

OPTIONAL = {"failed-conversions", "partition-limit", "crawler-failed", "backfill-failed"}


def alarm_names(graph: Graph) -> set[str]:
    return {node.name.removeprefix("shop-monitoring-") for node in graph.of("MetricAlarm")}


def test_alarms_exist_where_their_stage_does(minimal: Graph, every_alarm: Graph) -> None:
    assert alarm_names(every_alarm) - alarm_names(minimal) == OPTIONAL


def test_every_alarm_is_on_a_metric_of_aws(every_alarm: Graph) -> None:
    offenders = []
    for node in every_alarm.of("MetricAlarm"):
        [dimension] = node.inputs["dimensions"]
        if node.inputs["metricName"] not in METRICS[node.inputs["namespace"], dimension]:
            offenders.append(node.name)
    assert offenders == []


def test_every_event_rule_has_an_alarm(every_alarm: Graph) -> None:
    monitored = {
        node.inputs["dimensions"]["RuleName"]
        for node in every_alarm.of("MetricAlarm")
        if node.inputs["namespace"] == "AWS/Events"
    }
    assert monitored == {f"{node.name}-0000000" for node in every_alarm.of("EventRule")}


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
        monitoring=MonitoringArgs(max_transform_duration_percent=percent),
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
