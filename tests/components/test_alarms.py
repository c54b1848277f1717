"""The alarms: every one of them whole, on metrics that AWS has, and told to somebody."""

import pytest

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.stack.recorder import Graph
from tests.components.alarm_cases import ALARMS, MINIMAL, asked
from tests.components.differences import state
from tests.components.pipelines import Pipelines

EVERYTHING = {
    "format": "parquet",
    "catalog": "crawler",
    "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
    "backfill": BackfillArgs(enabled=True),
}

# What AWS tells of each, with the dimension it tells it by.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
METRICS = {
    ("AWS/Lambda", "EventSourceMappingUUID"): {
        *("PolledEventCount", "FilteredOutEventCount", "InvokedEventCount"),
        *("FailedInvokeEventCount", "DroppedEventCount"),
        "OnFailureDestinationDeliveredEventCount",
    },
    ("AWS/Lambda", "FunctionName"): {
        *("Invocations", "Errors", "Throttles", "Duration", "IteratorAge"),
    },
    ("AWS/Firehose", "DeliveryStreamName"): {
        *("IncomingBytes", "IncomingRecords", "ThrottledRecords", "SucceedProcessing.Records"),
        *("DeliveryToS3.Bytes", "DeliveryToS3.Records", "DeliveryToS3.Success"),
        *("DeliveryToS3.DataFreshness", "FailedConversion.Records"),
        *("PartitionCount", "PartitionCountExceeded", "ActivePartitionsLimit"),
    },
    ("AWS/Events", "RuleName"): {"TriggeredRules"},
    ("AWS/States", "StateMachineArn"): {"ExecutionsFailed"},
    # Our own: what handlers/transform.py counts, and what the log filter counts of its lines.
    ("StreamingEtl", "FunctionName"): {"ChangesRequeued", "RecordsRequeued"},
    ("StreamingEtl", None): {"changes-refused/shop/test"},
}


@pytest.fixture(scope="module")
def everything(pipelines: Pipelines) -> Graph:
    """A pipeline that has every alarm there is."""
    return pipelines.build(**EVERYTHING)


def kinds_of(graph: Graph) -> list[str]:
    return [node.name.removeprefix("shop-monitoring-") for node in graph.of("MetricAlarm")]


def test_a_pipeline_with_everything_has_every_alarm(everything: Graph) -> None:
    assert sorted(kinds_of(everything)) == sorted(ALARMS)


@pytest.mark.parametrize("kind", ALARMS)
def test_an_alarm_is_asked_for_with_exactly_these_inputs(everything: Graph, kind: str) -> None:
    assert state(everything)[f"shop-monitoring-{kind}"] == asked(kind)


def test_a_minimal_pipeline_has_those_that_always_make_sense(minimal: Graph) -> None:
    assert sorted(kinds_of(minimal)) == sorted(MINIMAL)


def test_the_alarms_stand_in_the_order_of_the_flow(pipelines: Pipelines) -> None:
    made = alarms(pipelines.args(**EVERYTHING), "shop", "test")
    assert [alarm.kind for alarm in made] == list(ALARMS)


def test_every_alarm_is_on_a_metric_that_aws_has(everything: Graph) -> None:
    for node in everything.of("MetricAlarm"):
        [dimension] = node.inputs.get("dimensions") or [None]
        known = METRICS[node.inputs["namespace"], dimension]
        assert node.inputs["metricName"] in known


def test_an_alarm_on_an_event_is_on_the_rule_that_waits_for_it(everything: Graph) -> None:
    rules = {node.name.removeprefix("shop-watch-") for node in everything.of("EventRule")}
    on_rules = {
        node.inputs["dimensions"]["RuleName"]
        for node in everything.of("MetricAlarm")
        if node.inputs["namespace"] == "AWS/Events"
    }
    assert on_rules == {f"shop-watch-{kind}-0000000" for kind in rules}


@pytest.mark.parametrize(
    ("most", "given", "late"),
    [(86_400, None, 900), (1800, None, 900), (1000, None, 500), (60, None, 30), (60, 59, 59)],
)
def test_the_forwarder_is_late_before_its_changes_are_set_aside(
    pipelines: Pipelines, most: int, given: int | None, late: int
) -> None:
    args: StreamingEtlPipelineArgs = pipelines.args(
        forwarder=ForwarderArgs(maximum_record_age_seconds=most),
        monitoring=MonitoringArgs(max_iterator_age_seconds=given),
    )
    [alarm] = [one for one in alarms(args, "shop", "test") if one.kind == "late-forwarding"]
    assert alarm.threshold == late * 1000


def test_dropping_an_address_leaves_the_others_as_they_are(pipelines: Pipelines) -> None:
    both, one = ["a@example.com", "b@example.com"], ["b@example.com"]
    subscriptions = [
        {
            node.name: node.inputs
            for node in pipelines.build(monitoring=MonitoringArgs(alarm_emails=emails)).of(
                "TopicSubscription"
            )
        }
        for emails in (both, one)
    ]
    [kept] = subscriptions[1].items()
    assert kept in subscriptions[0].items()
    assert len(subscriptions[0]) == 2
