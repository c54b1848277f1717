"""Event source mappings, from a stream to failed batches."""

import datetime
import json
import re
from typing import Any

import pytest

from streaming_etl.stack.clients import Clients
from tests.local.ministack_patches.event_source_mapping.sources import Source, ids_of

pytestmark = pytest.mark.e2e


ONLY_A = json.dumps({"dynamodb": {"Keys": {"id": {"S": [{"prefix": "a"}]}}}})

# Mapping, items, invocations as (ids, number of successes), failed batches.
Case = tuple[dict[str, Any], list[Any], list[tuple[list[str], int]], list[list[str]]]
CASES: dict[str, Case] = {
    "bisection isolates the change that fails": (
        {},
        ["a", "b", ("bad", "raise"), "c", "d"],
        [
            (["a", "b", "bad", "c", "d"], 0),
            (["a", "b"], 2),
            (["bad", "c", "d"], 0),
            (["bad"], 0),
            (["bad"], 0),
            (["c", "d"], 2),
        ],
        [["bad"]],
    ),
    "retries begin at the reported record": (
        {},
        ["a", "b", ("bad", "report", 2), "c"],
        [(["a", "b", "bad", "c"], 2), (["bad", "c"], 2)],
        [],
    ),
    "without the response type, reported failures have no effect": (
        {"BatchSize": 1, "FunctionResponseTypes": []},
        [("bad", "report"), "a"],
        [(["bad"], 0), (["a"], 1)],
        [],
    ),
    "filtered records are not sent": (
        {"BatchSize": 2, "FilterCriteria": {"Filters": [{"Pattern": ONLY_A}]}},
        ["b1", "b2", "a1", "b3", "a2"],
        [(["a1"], 1), (["a2"], 1)],
        [],
    ),
    **{
        f"after its retries a batch is dead-lettered: {action}": (
            {"BatchSize": 2, "BisectBatchOnFunctionError": False},
            ["a", ("bad", action), "b", "c"],
            [(["a", "bad"], 0), (["a", "bad"], 0), (["b", "c"], 2)],
            [["a", "bad"]],
        )
        for action in ("raise", "malformed", "sleep", "exit")
    },
}


@pytest.mark.parametrize(
    ("mapping", "items", "invocations", "failed"), CASES.values(), ids=list(CASES)
)
def test_invocations_and_failed_batches_of_one_mapping(
    aws: Clients,
    mapping: dict[str, Any],
    items: list[Any],
    invocations: list[tuple[list[str], int]],
    failed: list[list[str]],
) -> None:
    source = Source(aws, timeout=1, **mapping)
    source.write(*items)
    source.map()

    assert source.invocations(until=items[-1]) == invocations
    assert [ids_of(record) for record in source.failed_batches(len(failed)).values()] == failed


def test_a_failed_batch_is_a_complete_object_as_lambda_writes_it(aws: Clients) -> None:
    source = Source(aws, BisectBatchOnFunctionError=False)
    source.write("a", ("bad", "raise"))
    source.map()

    [(key, record)] = source.failed_batches().items()
    first, last = source.stream()
    request_id, timestamp = record["requestContext"].pop("requestId"), record.pop("timestamp")
    changes = json.loads(record.pop("payload"))["Records"]

    shard = "shardId-00000000000000000000-00000000"
    assert record == {
        "requestContext": {
            "functionArn": source.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first["dynamodb"]["SequenceNumber"],
            "endSequenceNumber": last["dynamodb"]["SequenceNumber"],
            "approximateArrivalOfFirstRecord": arrival(first),
            "approximateArrivalOfLastRecord": arrival(last),
            "batchSize": 2,
            "streamArn": source.stream_arn,
        },
    }
    assert [change["eventID"] for change in changes] == [first["eventID"], last["eventID"]]
    assert changes[1]["dynamodb"]["NewImage"] == {"id": {"S": "bad"}, "do": {"S": "raise"}}
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, request_id)
    written = datetime.datetime.fromisoformat(timestamp)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp)
    folder = f"aws/lambda/{source.uuid}/{shard}/{written:%Y/%m/%d}/{written:%Y-%m-%dT%H.%M.%S}"
    assert re.fullmatch(f"{re.escape(folder)}-{uuid}", key)


def arrival(change: dict[str, Any]) -> str:
    created = change["dynamodb"]["ApproximateCreationDateTime"].astimezone(datetime.UTC)
    return f"{created:%Y-%m-%dT%H:%M:%SZ}"


def test_a_record_reported_until_retries_are_exhausted_is_dead_lettered_with_those_after_it(
    aws: Clients,
) -> None:
    source = Source(aws)
    source.write("a", ("bad", "report"), "b")
    source.map()
    [record] = source.failed_batches().values()
    source.write("c")

    assert source.invocations("c") == [
        (["a", "bad", "b"], 1),
        (["bad", "b"], 0),
        (["bad", "b"], 0),
        (["c"], 1),
    ]
    assert ids_of(record) == ["bad", "b"]
    assert record["responseContext"]["functionError"] is None


def test_dead_letters_an_expired_record_that_has_retries_left(aws: Clients) -> None:
    source = Source(aws, MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=1)
    source.write(("bad", "raise"))
    source.map()

    [record] = source.failed_batches().values()

    assert ids_of(record) == ["bad"]
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in record
    source.write("a")
    assert source.invocations("a")[-1] == (["a"], 1)


def test_loses_no_change_and_keeps_the_order_of_each_item(aws: Clients) -> None:
    source = Source(aws, BatchSize=7, MaximumRetryAttempts=0)
    bad = {4: "raise", 11: "report", 12: "report", 21: "malformed", 34: "exit"}
    source.map()
    source.write(*((f"{n % 5}-{n}", bad.get(n, "succeed")) for n in range(40)))
    source.write("end")

    invocations = source.invocations("end")

    done = [id_ for ids, count in invocations for id_ in ids[:count]]
    failed = [id_ for record in source.failed_batches().values() for id_ in ids_of(record)]
    written = [change["dynamodb"]["Keys"]["id"]["S"] for change in source.stream()]
    order = {id_: index for index, id_ in enumerate(written)}
    assert sorted(done + failed, key=order.__getitem__) == written
    assert done == sorted(done, key=order.__getitem__)
    assert {f"{n % 5}-{n}" for n in bad} <= set(failed)


def test_a_disabled_mapping_continues_at_its_position_when_enabled(aws: Clients) -> None:
    source = Source(aws, Enabled=False)
    source.map()
    source.write("a")
    other = Source(aws)
    other.map()
    other.write("x")
    other.invocations("x")
    assert source.invocations_so_far() == []

    aws("lambda").update_event_source_mapping(UUID=source.uuid, Enabled=True)

    assert source.invocations("a") == [(["a"], 1)]


def test_does_not_read_a_stream_that_replaced_the_mappings_stream(aws: Clients) -> None:
    source, other = Source(aws), Source(aws)
    for each in source, other:
        each.map()
        each.write("a")
        each.invocations("a")
    images = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    for stream in {"StreamEnabled": False}, images:
        aws("dynamodb").update_table(TableName=source.name, StreamSpecification=stream)

    # More records than the mapping's position in its first stream.
    source.write("b", "c", "d")
    other.write("b")
    other.invocations("b")

    assert source.invocations_so_far() == [(["a"], 1)]
