"""Failure events, alarms and dashboard of a pipeline on the embedded AWS."""

import json
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.emulator.process import ROOT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from tests.local.builders import wait_for

pytestmark = pytest.mark.e2e


Created = list[tuple[str, str]]


@pytest.fixture(scope="module")
def deployed(aws: Clients) -> tuple[dict[str, Any], Created]:
    """The outputs of the deployed pipeline `monitored`, and its resources."""
    settings = {
        "table_name": "monitored",
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "monitoring": {"alarm_emails": ["ops@example.com"]},
    }
    config = StackConfig(
        "streaming-etl", "dev", {"streaming-etl:tables": json.dumps({"monitored": settings})}
    )
    created: Created = []
    deployed = deploy(ROOT, config, aws, lambda type_, name: created.append((type_, name)))
    exports = deployed.outputs
    return exports["monitored"], created


@pytest.fixture
def outputs(deployed: tuple[dict[str, Any], Created]) -> dict[str, Any]:
    return deployed[0]


def subscribe_queue(aws: Clients, topic: str) -> str:
    """Create a queue that receives the topic's messages."""
    sqs = aws("sqs")
    queue: str = sqs.create_queue(QueueName="monitored")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": attributes["QueueArn"],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return queue


def test_every_dead_lettered_object_is_one_event(aws: Clients, outputs: dict[str, Any]) -> None:
    queue = subscribe_queue(aws, outputs["failure_events_topic_arn"])
    bucket, messages = outputs["bucket"], list[str]()
    failed = [
        f"{outputs['failed_batches_location']}shard/2026/11/23/batch",
        f"{outputs['errors_location']}processing-failed/2026/11/23/record",
    ]
    # Objects without an event come first: an event of one would be among the messages.
    others = [
        f"s3://{bucket}/data/dev/monitored/row.json.gz",
        f"s3://{bucket}/replayed/aws/lambda/batch",
        f"s3://{bucket}/errors/another/table/record",
    ]
    for location in others + failed:
        key = location.removeprefix(f"s3://{bucket}/")
        aws("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")

    def receive() -> list[str]:
        response = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        for message in response.get("Messages", []):
            messages.append(json.loads(json.loads(message["Body"])["Message"]))
        return messages

    wait_for(receive, lambda received: len(received) >= len(failed))

    locations = [word for message in messages for word in message.split() if "s3://" in word]
    assert sorted(locations) == sorted(failed)
    assert all(message.startswith("monitored: ") for message in messages)


def test_every_alarm_notifies_the_topic(
    aws: Clients, deployed: tuple[dict[str, Any], Created]
) -> None:
    outputs, created = deployed
    pages = aws("cloudwatch").get_paginator("describe_alarms").paginate()
    alarms = {
        alarm["AlarmName"][:-8]: alarm["AlarmActions"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if alarm["AlarmName"].startswith("monitored-")
    }
    names = [name for type_, name in created if type_.endswith(":MetricAlarm")]
    assert alarms == {name: [outputs["alarm_topic_arn"]] for name in names}
    assert "monitored-monitoring-dead-lettered" in names


def test_the_dashboard_and_the_subscription_exist(aws: Clients, outputs: dict[str, Any]) -> None:
    assert outputs["dashboard"] == "monitored-dev"
    body = aws("cloudwatch").get_dashboard(DashboardName="monitored-dev")["DashboardBody"]
    assert outputs["delivery_stream"] in body
    topic = outputs["alarm_topic_arn"]
    [subscription] = aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
