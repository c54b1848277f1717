"""What EventBridge tells: the rules whole, and which objects and crawls they take."""

import json
from typing import Any

import pytest

from streaming_etl import LakeArgs
from streaming_etl.stack.recorder import Graph, Node
from tests.components.differences import state
from tests.components.pipelines import Pipelines

TAGS = {"streaming-etl:pipeline": "shop"}
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:shop-watch-topic-0000000"
BUCKET = "shop-lake-bucket-0000000"
SAID = {
    "failed-batches": "a batch was given up and lies whole in",
    "error-records": "records were refused and lie whole in",
}
PATHS = {
    "failed-batches": "aws/lambda/uuid-of-shop-forwarder-mapping/",
    "error-records": "errors/shop_test/orders/",
}
INPUTS: dict[str, dict[str, Any]] = {
    "shop-watch-topic": {"tags": TAGS},
    **{
        f"shop-watch-{kind}": {
            "eventPattern": {
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": path}]}},
            },
            "tags": TAGS,
        }
        for kind, path in PATHS.items()
    },
    **{
        f"shop-watch-{kind}-target": {
            "rule": f"shop-watch-{kind}-0000000",
            "arn": TOPIC,
            "inputTransformer": {
                "inputPaths": {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"},
                "inputTemplate": f'"shop: {said} s3://<bucket>/<key>"',
            },
            "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10},
        }
        for kind, said in SAID.items()
    },
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_resource_is_asked_for_with_exactly_these_inputs(minimal: Graph, name: str) -> None:
    assert state(minimal)[name] == INPUTS[name]


def test_what_is_watched_is_where_the_outputs_say_that_failures_lie(minimal: Graph) -> None:
    outputs = minimal.exports["pipeline"]
    for kind, output in (
        ("failed-batches", "failed_batches_location"),
        ("error-records", "errors_location"),
    ):
        assert outputs[output] == f"s3://{BUCKET}/{PATHS[kind]}"


def test_what_is_put_back_is_watched_no_more(minimal: Graph) -> None:
    # It is moved below a prefix of its own: no alarm rings for what is done.
    for node in minimal.of("EventRule"):
        [path] = node.policy("eventPattern")["detail"]["object"]["key"]
        assert not "replayed/aws/lambda/".startswith(path["prefix"])


def test_a_target_waits_until_its_rule_may_publish(minimal: Graph) -> None:
    for node in minimal.of("EventTarget"):
        assert "shop-watch-topic-policy" in node.depends_on


def test_a_given_bucket_is_watched_and_left_as_it_is(pipelines: Pipelines) -> None:
    graph = pipelines.build(lake=LakeArgs(bucket_name="theirs"))
    watched = {json.dumps(bucket_of(node)) for node in graph.of("EventRule")}
    assert watched == {'["theirs"]'}
    with pytest.raises(KeyError):
        graph.of("BucketNotification")


def bucket_of(rule: Node) -> list[str]:
    name: list[str] = rule.policy("eventPattern")["detail"]["bucket"]["name"]
    return name
