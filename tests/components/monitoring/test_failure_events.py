"""Event rules for dead-lettered objects; tests/golden has their inputs."""

import pytest

from streaming_etl import LakeArgs
from streaming_etl.stack.recorder import Graph, Node
from tests.support.pipelines import Pipelines


def prefix_of(rule: Node) -> str:
    [key] = rule.policy("eventPattern")["detail"]["object"]["key"]
    prefix: str = key["prefix"]
    return prefix


def test_the_rules_match_objects_in_the_locations_of_the_outputs(minimal: Graph) -> None:
    outputs = minimal.exports["pipeline"]
    bucket = outputs["bucket"]
    assert {f"s3://{bucket}/{prefix_of(rule)}" for rule in minimal.of("EventRule")} == {
        outputs["failed_batches_location"],
        outputs["errors_location"],
    }


def test_no_rule_matches_replayed_objects(minimal: Graph) -> None:
    for rule in minimal.of("EventRule"):
        assert not f"replayed/{prefix_of(rule)}".startswith(prefix_of(rule))


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


def test_a_target_waits_for_the_policy_of_the_topic(minimal: Graph) -> None:
    targets = minimal.of("EventTarget")
    assert len(targets) == 2
    assert all("shop-watch-topic-policy" in node.depends_on for node in targets)


def test_a_shared_bucket_is_monitored_but_its_notifications_are_not_changed(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(lake=LakeArgs(bucket_name="shared"))
    for rule in graph.of("EventRule"):
        assert rule.policy("eventPattern")["detail"]["bucket"]["name"] == ["shared"]
    with pytest.raises(KeyError):
        graph.of("BucketNotification")
