"""What is known about changes that are no rows."""

import json

import pytest

from local.commands.items import exit_code
from local.sample.delivery import Delivery, excluded_events, failed_batches
from local.sample.lake import FailedChange, lakes_of
from local.sample.run import stream_records
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import EXIT_PARTIAL
from tests.local.builders import create_bucket
from tests.support.deployed import deployed_pipeline
from tests.support.failure_objects import error_line

FORMAT_CONVERSION = "DataFormatConversion.MalformedData"


@pytest.mark.e2e
def test_each_change_of_a_failed_batch_has_its_object(aws: Clients) -> None:
    bucket = create_bucket(aws, "failed-batches")
    location = f"s3://{bucket}/aws/lambda/UUID/"
    pipeline = deployed_pipeline(bucket=bucket, failed_batches_location=location)
    event = {"Records": [{"eventID": "1"}, {"eventID": "2"}]}
    for key, payload in (("a", json.dumps(event)), ("b", {"Records": [{"eventID": "3"}]})):
        body = json.dumps({"payload": payload}).encode()
        aws("s3").put_object(Bucket=bucket, Key=f"aws/lambda/UUID/{key}", Body=body)

    assert failed_batches(aws, pipeline) == {
        "1": f"{location}a",
        "2": f"{location}a",
        "3": f"{location}b",
    }


@pytest.mark.e2e
def test_failed_changes_are_those_of_records_and_of_rows(aws: Clients) -> None:
    bucket = create_bucket(aws, "error-records")
    pipeline = deployed_pipeline(bucket=bucket, errors_location=f"s3://{bucket}/errors/")
    [lake] = lakes_of(aws, pipeline)
    # Firehose converts what the transform returns, so a failure of the conversion has a row.
    bodies = {
        "conversion": error_line(b'{"id":"o-2","_event_id":"2"}\n', code=FORMAT_CONVERSION),
        "processing": error_line(b'{"eventID":"1","eventName":"INSERT"}\n'),
    }
    for name, body in bodies.items():
        aws("s3").put_object(Bucket=bucket, Key=f"errors/{name}", Body=body)

    assert lake.failed_changes() == [
        FailedChange("2", FORMAT_CONVERSION, "errors/conversion"),
        FailedChange("1", "Lambda.ProcessingFailedStatus", "errors/processing"),
    ]


@pytest.mark.e2e
@pytest.mark.parametrize("unmatched", ["count", "fail"])
def test_an_unmatched_change_may_be_a_failed_change(aws: Clients, unmatched: str) -> None:
    bucket = create_bucket(aws, f"unmatched-{unmatched}")
    table = aws("dynamodb").create_table(
        TableName=f"shop-{unmatched}",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )["TableDescription"]
    leads = {"table": "leads", "delivery_stream": "leads", "errors_location": "s3://lake/errors/"}
    pipeline = deployed_pipeline(
        settings={
            "forwarder": {"unmatched": unmatched},
            "lake_tables": {"leads": {"where": {"type": ["lead"]}}},
        },
        lake_tables={"leads": leads},
        bucket=bucket,
        source_table=table["TableName"],
        source_stream_arn=table["LatestStreamArn"],
        failed_batches_location=f"s3://{bucket}/aws/lambda/UUID/",
    )
    delivery = Delivery(aws, pipeline)
    cart = {"id": {"S": "1"}, "type": {"S": "cart"}}
    aws("dynamodb").put_item(TableName=table["TableName"], Item=cart)
    delivery.read()
    fails = unmatched == "fail"
    assert (delivery.unmatched, delivery.left) == (1, int(fails))

    [record] = stream_records(aws, pipeline)
    body = json.dumps({"payload": {"Records": [{"eventID": record["eventID"]}]}}).encode()
    aws("s3").put_object(Bucket=bucket, Key="aws/lambda/UUID/a", Body=body)
    delivery.poll()
    location = f"s3://{bucket}/aws/lambda/UUID/a"
    assert delivery.unmatched_batches == ({record["eventID"]: location} if fails else {})
    assert (delivery.left, exit_code(delivery)) == (0, EXIT_PARTIAL if fails else 0)


@pytest.mark.parametrize(
    ("forwarder", "excluded"),
    [
        (None, set()),
        ({"event_names": ["INSERT", "MODIFY"]}, {"REMOVE"}),
        ({"event_names": ["INSERT", "MODIFY", "REMOVE"]}, set()),
    ],
)
def test_events_that_the_forwarder_does_not_send_are_not_expected(
    forwarder: dict[str, list[str]] | None, excluded: set[str]
) -> None:
    assert excluded_events(deployed_pipeline({"forwarder": forwarder})) == excluded
