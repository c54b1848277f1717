"""What is known about changes that are no rows."""

import json

import pytest

from local.sample.delivery import excluded_events, failed_batches
from streaming_etl.stack.clients import Clients
from tests.local.builders import create_bucket
from tests.support.deployed import deployed_pipeline


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
