"""Alarms: metrics, thresholds and subscriptions; tests/golden has their inputs and texts."""

from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    DeliveryArgs,
    ForwarderArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipeline,
    TransformArgs,
)
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.stack.recorder import Graph, build
from tests.components.monitoring.aws_metrics import METRICS, metric_of
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
LAG = {"lag"}
"""Exists with `max_lag_seconds`."""
# Exist with a merge stage, which a lake table with a crawler cannot have.
MERGE = {"merge-failed", "merge-late"}


REGION = "ap-northeast-1:123456789012"
LAMBDA = f"arn:aws:lambda:{REGION}:function:page:live"
OPS_ITEM = f"arn:aws:ssm:{REGION}:opsitem:2#CATEGORY=Availability"
RESPONSE_PLAN = "arn:aws:ssm-incidents::123456789012:response-plan/lake"


def test_every_alarm_has_the_configured_actions_and_its_topic(pipelines: Pipelines) -> None:
    monitoring = MonitoringArgs(
        alarms="all", alarm_actions=[LAMBDA, OPS_ITEM, RESPONSE_PLAN], ok_actions=[LAMBDA]
    )
    graph = pipelines.build(
        monitoring=monitoring, merge=MergeArgs(enabled=True), backfill=BackfillArgs(enabled=True)
    )
    topic = f"arn:aws:sns:{REGION}:shop-monitoring-topic-0000000"
    actions = {
        (tuple(node.inputs["alarmActions"]), tuple(node.inputs.get("okActions", ())))
        for node in graph.of("MetricAlarm")
    }
    alarm = (topic, LAMBDA, OPS_ITEM, RESPONSE_PLAN)
    # Dead-lettered changes are still there when their alarms return to OK.
    assert actions == {(alarm, (topic, LAMBDA)), (alarm, ())}


def test_actions_may_be_outputs(pipelines: Pipelines) -> None:
    def program() -> None:
        monitoring = MonitoringArgs(
            alarm_topic_arn=pulumi.Output.from_input(f"arn:aws:sns:{REGION}:alarms"),
            alarm_actions=[pulumi.Output.from_input(LAMBDA), OPS_ITEM],
            ok_actions=[pulumi.Output.from_input(LAMBDA)],
        )
        args = pipelines.args(monitoring=monitoring)
        pulumi.export("pipeline", StreamingEtlPipeline("shop", args).outputs)

    graph = build(program)
    ok_actions = {tuple(node.inputs.get("okActions", ())[1:]) for node in graph.of("MetricAlarm")}
    assert ok_actions == {(), (LAMBDA,)}
    assert {tuple(node.inputs["alarmActions"][1:]) for node in graph.of("MetricAlarm")} == {
        (LAMBDA, OPS_ITEM)
    }
    assert graph.exports["pipeline"]["settings"]["monitoring"]["alarm_actions"] == [
        LAMBDA,
        OPS_ITEM,
    ]


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
    assert alarm_names(every_alarm) - ESSENTIAL - OPTIONAL - LAG == {
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


def test_the_alarm_on_the_lag_is_on_a_percentile(every_alarm: Graph) -> None:
    inputs = every_alarm["shop-monitoring-lag"].inputs
    assert "statistic" not in inputs
    assert (inputs["extendedStatistic"], inputs["threshold"]) == ("p90", 300)
    assert metric_of(every_alarm["shop-monitoring-lag"]) == (
        "StreamingEtl",
        "ChangeLag",
        "FunctionName",
        "shop-transform-function-0000000",
    )


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
        "shop": alarm_names(every_alarm) - of_parquet - LAG,
        "shop-orders": of_each,
        "shop-orders-catalog": of_parquet,
        "shop-items": of_each,
    }
    # The names that operators type.
    assert descriptions["shop-monitoring-dead-lettered"] == "shop"
    assert descriptions["shop-orders-catalog-monitoring-requeued"] == "shop.orders-catalog"
    # The thresholds are those of the lake table: its buffers differ.
    assert {
        name: several[f"shop-{name}-monitoring-data-freshness"].inputs["threshold"]
        for name in ("orders", "orders-catalog", "items")
    } == {"orders": 900 + 60 + 120, "orders-catalog": 900 + 60 + 180, "items": 900 + 60 + 300}


def test_at_most_eight_alarms_are_essential() -> None:
    args = pipeline_args(
        format="parquet",
        catalog="crawler",
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        backfill=BackfillArgs(enabled=True),
    )
    assert {alarm.name for alarm in alarms(args)} == ESSENTIAL | OPTIONAL
    assert len(ESSENTIAL | OPTIONAL) <= 8


@pytest.mark.parametrize("days", [None, 30])
def test_rows_at_risk_is_essential_if_the_change_log_deletes_rows(days: int | None) -> None:
    merge = MergeArgs(enabled=True, change_log_retention_days=days)
    names = {alarm.name for alarm in alarms(pipeline_args(merge=merge))}
    expected = ESSENTIAL | MERGE
    assert names == (expected if days is None else expected | {"merge-rows-at-risk"})


@pytest.mark.parametrize(
    ("merge", "settings", "late", "at_risk"),
    [
        # The window without Firehose's 24 hours and two intervals.
        ({}, {}, 6, 24),
        ({"alarm_after_hours": 24}, {}, 24, 24),
        ({"interval_minutes": 15, "alarm_after_hours": 1, "window_hours": 26}, {}, 1, 1),
        # CloudWatch evaluates at most seven days.
        ({"window_hours": 720}, {}, 6, 168),
        (
            {"window_hours": 60},
            {"partitions": PartitionArgs(partition_time="event")},
            6,
            60 - 24 - 2 - 12,
        ),
    ],
)
def test_alarms_without_a_merge_fire_before_rows_leave_the_window(
    merge: dict[str, int], settings: dict[str, PartitionArgs], late: int, at_risk: int
) -> None:
    args = pipeline_args(
        merge=MergeArgs(enabled=True, **merge),
        monitoring=MonitoringArgs(alarms="all"),
        forwarder=ForwarderArgs(maximum_record_age_seconds=12 * 3600),
        **settings,
    )
    hours = {
        alarm.name: alarm.evaluation_periods
        for alarm in alarms(args)
        if alarm.metric == "ExecutionsSucceeded"
    }
    assert hours == {"merge-late": late, "merge-rows-at-risk": at_risk}


def test_an_alarm_without_a_merge_counts_periods_without_data(merging: Graph) -> None:
    inputs = merging["shop-orders-monitoring-merge-late"].inputs
    names = ("evaluationPeriods", "datapointsToAlarm", "threshold", "comparisonOperator")
    assert [inputs[name] for name in names] == [6, 6, 1, "LessThanThreshold"]
    assert inputs["treatMissingData"] == "breaching"
    queries = inputs["metricQueries"]
    assert [query.get("expression") for query in queries] == [None, "FILL(metric, 0)"]
    # The parameters of a single metric exclude a formula.
    assert not {"metricName", "namespace", "period", "statistic", "dimensions"} & inputs.keys()
    assert (queries[0]["metric"]["period"], queries[0]["metric"]["stat"]) == (3600, "Sum")


def test_alarms_on_missing_data_begin_after_the_first_data_is_due(
    merging: Graph, minimal: Graph
) -> None:
    warm_ups = {
        node.name.removeprefix("shop-"): node.inputs.get("warmUpConfiguration")
        for node in (*merging.of("MetricAlarm"), minimal["shop-monitoring-not-polling"])
        if node.inputs["treatMissingData"] == "breaching"
    }

    def full(minutes: int) -> dict[str, int | bool]:
        return {
            "warmUpPeriodDurationInMinutes": minutes,
            "onlyStartEvaluatingAfterWarmUpPeriodEnds": True,
        }

    assert warm_ups == {
        "monitoring-not-polling": {"warmUpPeriodDurationInMinutes": 60},
        "orders-monitoring-merge-late": full(360),
        "orders-monitoring-merge-rows-at-risk": full(1_440),
        "items-monitoring-merge-late": full(360),
        # The longest warm-up, which is twice the longest interval of merges.
        "items-monitoring-merge-rows-at-risk": full(2_880),
    }


def test_each_merge_stage_has_alarms_on_its_state_machine(merging: Graph) -> None:
    machines = {
        node.name: metric_of(node)[2:]
        for node in merging.of("MetricAlarm")
        if "-merge-" in node.name
    }
    assert {name: dimension for name, (dimension, _) in machines.items()} == {
        f"shop-{table}-monitoring-{name}": "StateMachineArn"
        for table in ("orders", "items")
        for name in ("merge-failed", "merge-late", "merge-rows-at-risk")
    }
    for name, (_, arn) in machines.items():
        table = name.partition("-monitoring-")[0]
        assert arn.endswith(f":{table}-merge-state-machine-0000000")


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


@pytest.mark.parametrize("level", ["every_alarm", "several", "merging"])
def test_every_alarm_is_on_a_metric_of_aws(level: str, request: pytest.FixtureRequest) -> None:
    graph: Graph = request.getfixturevalue(level)
    offenders = []
    for node in graph.of("MetricAlarm"):
        namespace, metric, dimension, _ = metric_of(node)
        if metric not in METRICS[namespace, dimension]:
            offenders.append(node.name)
    assert offenders == []


@pytest.mark.parametrize("level", ["every_alarm", "several", "merging"])
def test_every_event_rule_has_an_alarm(level: str, request: pytest.FixtureRequest) -> None:
    graph: Graph = request.getfixturevalue(level)
    monitored = {
        node.inputs["dimensions"]["RuleName"]
        for node in graph.of("MetricAlarm")
        if node.inputs.get("namespace") == "AWS/Events"
    }
    # Step Functions has a metric of failures, which is more reliable than its events.
    assert monitored == {
        f"{node.name}-0000000"
        for node in graph.of("EventRule")
        if not node.name.endswith("-merge-failed")
    }


def test_alarms_about_failures_that_remain_do_not_notify_on_ok(
    every_alarm: Graph, merging: Graph
) -> None:
    silent = {
        node.name.rpartition("-monitoring-")[2]
        for graph in (every_alarm, merging)
        for node in graph.of("MetricAlarm")
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
        "merge-failed",
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


DYNAMIC = PartitionArgs(dynamic_partition_keys={"kind": ["a"]})


@pytest.mark.parametrize(
    ("settings", "monitoring", "threshold"),
    [
        # The default of 900 s, and the waits of both buffers.
        ({"freshness": "seconds"}, {}, 900),
        ({}, {}, 900 + 60 + 120),
        ({"freshness": "economy"}, {}, 900 + 60 + 900),
        ({"freshness": "seconds", "format": "parquet"}, {}, 900 + 60),
        # Dynamic partitioning buffers up to 1.5 times as long.
        ({"freshness": "seconds", "partitions": DYNAMIC}, {}, 900 + 60 + 30),
        ({"delivery": DeliveryArgs(buffer_seconds=300)}, {}, 900 + 60 + 300),
        ({"transform": TransformArgs(buffer_seconds=10)}, {}, 900 + 10 + 120),
        (
            {
                "transform": TransformArgs(buffer_seconds=900),
                "delivery": DeliveryArgs(buffer_seconds=900),
            },
            {"max_data_freshness_seconds": 60},
            60 + 900 + 900,
        ),
        ({"freshness": "economy"}, {"max_data_freshness_seconds": 3600}, 3600 + 60 + 900),
    ],
)
def test_data_freshness_fires_after_the_waits_of_the_buffers(
    settings: dict[str, Any], monitoring: dict[str, int], threshold: int
) -> None:
    args = pipeline_args(monitoring=MonitoringArgs(**monitoring), **settings)
    [alarm] = [alarm for alarm in alarms(args) if alarm.name == "data-freshness"]
    assert alarm.threshold == threshold


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
