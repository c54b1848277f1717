"""On the embedded AWS: what is set aside is told of by name, and alarms and dashboard stand."""

import json
import time
from typing import Any

import pytest

from local.deploy.deploy import deploy
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import StackConfig
from tests.components.alarm_cases import MINIMAL
from tests.components.pipelines import ROOT

pytestmark = pytest.mark.e2e

WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def outputs(aws: Clients) -> dict[str, Any]:
    """The outputs of a pipeline called `watched`, which stands on the embedded AWS."""
    settings = {
        "table_name": "watched",
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "monitoring": {"alarm_emails": ["ops@example.com"]},
    }
    config = StackConfig(
        "streaming-etl", "dev", {"streaming-etl:tables": json.dumps({"watched": settings})}
    )
    found: dict[str, Any] = deploy(ROOT, config, aws)["watched"]
    return found


def messages_on(aws: Clients, queue: str, count: int) -> list[str]:
    """The texts of the first `count` messages."""
    found: list[str] = []
    deadline = time.monotonic() + WAIT_SECONDS
    while len(found) < count and time.monotonic() < deadline:
        answer = aws("sqs").receive_message(
            QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", []):
            found.append(json.loads(json.loads(message["Body"])["Message"]))
    return found


def test_an_object_that_is_set_aside_is_told_of_by_name_and_no_other_is(
    aws: Clients, outputs: dict[str, Any]
) -> None:
    queue = aws("sqs").create_queue(QueueName="watched")["QueueUrl"]
    [arn] = (
        aws("sqs")
        .get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
        .values()
    )
    topic = outputs["failure_events_topic_arn"]
    policy = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    aws("sqs").set_queue_attributes(
        QueueUrl=queue,
        Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [policy]})},
    )
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    batches, errors = outputs["failed_batches_location"], outputs["errors_location"]
    bucket = outputs["bucket"]

    def put(location: str) -> None:
        key = location.removeprefix(f"s3://{bucket}/")
        aws("s3").put_object(Bucket=bucket, Key=key, Body=b"{}")

    # What is none of these is told of by nobody, although it comes first.
    put(f"s3://{bucket}/data/dev/watched/row.json.gz")
    put(f"s3://{bucket}/replayed/aws/lambda/batch")
    put(f"s3://{bucket}/errors/another/table/record")
    put(f"{batches}shard/2026/11/23/batch")
    put(f"{errors}processing-failed/2026/11/23/record")

    assert sorted(messages_on(aws, queue, 2)) == [
        f"watched: a batch was given up and lies whole in {batches}shard/2026/11/23/batch",
        "watched: records were refused and lie whole in"
        f" {errors}processing-failed/2026/11/23/record",
    ]


def test_the_alarms_stand_and_tell_their_section_of_the_runbook(
    aws: Clients, outputs: dict[str, Any]
) -> None:
    pages = aws("cloudwatch").get_paginator("describe_alarms").paginate()
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    ours = {
        alarm["AlarmName"].removeprefix("watched-monitoring-")[:-8]: alarm
        for alarm in alarms
        if alarm["AlarmName"].startswith("watched-monitoring-")
    }
    assert set(ours) == set(MINIMAL)
    for kind, alarm in ours.items():
        assert alarm["AlarmActions"] == [outputs["alarm_topic_arn"]]
        assert alarm["AlarmDescription"].endswith(f"docs/runbook.md, section {kind}.")


def test_the_dashboard_stands_and_an_address_is_asked_to_confirm(
    aws: Clients, outputs: dict[str, Any]
) -> None:
    assert outputs["dashboard"] == "watched-dev"
    body = aws("cloudwatch").get_dashboard(DashboardName="watched-dev")["DashboardBody"]
    assert outputs["delivery_stream"] in body
    [subscription] = aws("sns").list_subscriptions_by_topic(TopicArn=outputs["alarm_topic_arn"])[
        "Subscriptions"
    ]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
