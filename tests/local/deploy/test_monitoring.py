"""Failure events, alarms and dashboard of a pipeline on the embedded AWS."""

import json
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.emulator.process import ROOT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from tests.components.alarm_cases import MINIMAL
from tests.local.builders import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def outputs(aws: Clients) -> dict[str, Any]:
    """The outputs of the deployed pipeline `monitored`."""
    settings = {
        "table_name": "monitored",
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "monitoring": {"alarm_emails": ["ops@example.com"]},
    }
    config = StackConfig(
        "streaming-etl", "dev", {"streaming-etl:tables": json.dumps({"monitored": settings})}
    )
    outputs: dict[str, Any] = deploy(ROOT, config, aws)["monitored"]
    return outputs


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


def test_the_alarms_notify_their_topic(aws: Clients, outputs: dict[str, Any]) -> None:
    pages = aws("cloudwatch").get_paginator("describe_alarms").paginate()
    prefix = "monitored-monitoring-"
    alarms = {
        alarm["AlarmName"].removeprefix(prefix)[:-8]: alarm["AlarmActions"]
        for page in pages
        for alarm in page["MetricAlarms"]
        if alarm["AlarmName"].startswith(prefix)
    }
    assert alarms == {kind: [outputs["alarm_topic_arn"]] for kind in MINIMAL}


def test_the_dashboard_and_the_subscription_exist(aws: Clients, outputs: dict[str, Any]) -> None:
    assert outputs["dashboard"] == "monitored-dev"
    body = aws("cloudwatch").get_dashboard(DashboardName="monitored-dev")["DashboardBody"]
    assert outputs["delivery_stream"] in body
    topic = outputs["alarm_topic_arn"]
    [subscription] = aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
