"""Event rules for dead-lettered objects; tests/golden has their inputs."""

import pytest

from streaming_etl import LakeArgs
from streaming_etl.stack.recorder import Graph, Node
from tests.support.pipelines import Pipelines


def prefixes_of(rule: Node) -> list[str]:
    return [key["prefix"] for key in rule.policy("eventPattern")["detail"]["object"]["key"]]


def test_one_rule_matches_objects_in_the_locations_of_the_outputs(minimal: Graph) -> None:
    outputs = minimal.exports["pipeline"]
    [rule] = minimal.of("EventRule")
    assert [f"s3://{outputs['bucket']}/{prefix}" for prefix in prefixes_of(rule)] == [
        outputs["failed_batches_location"],
        outputs["errors_location"],
    ]


def test_no_rule_matches_replayed_objects(minimal: Graph) -> None:
    for rule in minimal.of("EventRule"):
        for replayed in prefixes_of(rule):
            assert not f"replayed/{replayed}".startswith(tuple(prefixes_of(rule)))


def test_eventbridge_may_publish_to_this_topic_only(minimal: Graph) -> None:
    policy = minimal["shop-watch-topic-policy"]
    topic = minimal.exports["pipeline"]["failure_events_topic_arn"]
    assert policy.inputs["arn"] == topic
    # EventBridge may ignore a policy with a Condition.
    assert policy.policy()["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic,
        }
    ]


def test_a_target_waits_for_the_policy_of_the_topic(every_alarm: Graph) -> None:
    targets = every_alarm.of("EventTarget")
    assert {node.name for node in targets} == {
        "shop-watch-dead-lettered-target",
        "shop-watch-crawler-failed-target",
    }
    assert all("shop-watch-topic-policy" in node.depends_on for node in targets)


def test_one_rule_matches_the_failed_merges_of_all_lake_tables(merging: Graph) -> None:
    rule = merging["shop-watch-merge-failed"]
    pattern = rule.policy("eventPattern")
    assert (pattern["source"], pattern["detail-type"]) == (
        ["aws.states"],
        ["Step Functions Execution Status Change"],
    )
    assert pattern["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    machines = merging.exports["pipeline"]["lake_tables"]
    assert pattern["detail"]["stateMachineArn"] == [
        machines[name]["merge_state_machine_arn"] for name in ("items", "orders")
    ]


def test_a_shared_bucket_is_monitored_but_its_notifications_are_not_changed(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(lake=LakeArgs(bucket_name="shared"))
    for rule in graph.of("EventRule"):
        assert rule.policy("eventPattern")["detail"]["bucket"]["name"] == ["shared"]
    with pytest.raises(KeyError):
        graph.of("BucketNotification")
