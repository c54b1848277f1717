"""The event source mapping of the embedded AWS, from a table's stream to the failed batches."""

import datetime
import json
import re
from typing import Any

import pytest
from ministack.services import lambda_svc

from local.ministack_patches.event_source_mapping import poller as mapping
from streaming_etl.stack.clients import Clients
from tests.local.mappings import Source, ids_of

pytestmark = pytest.mark.e2e


def test_a_change_that_fails_its_function_is_found_by_halving_and_set_aside_alone(
    aws: Clients,
) -> None:
    source = Source(aws)
    source.write("a", "b", ("bad", "raise"), "c", "d")
    source.map()

    calls = source.calls("d")

    assert calls == [
        (["a", "b", "bad", "c", "d"], 0),
        (["a", "b"], 2),
        (["bad", "c", "d"], 0),
        (["bad"], 0),
        (["bad"], 0),
        (["c", "d"], 2),
    ]
    assert [ids_of(record) for record in source.set_aside().values()] == [["bad"]]


def test_a_failed_batch_lies_whole_in_the_bucket_as_lambda_writes_it(aws: Clients) -> None:
    source = Source(aws, BisectBatchOnFunctionError=False)
    source.write("a", ("bad", "raise"))
    source.map()

    [(key, record)] = source.set_aside().items()
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


@pytest.mark.parametrize("wish", ["raise", "malformed", "sleep", "die"])
def test_a_function_that_always_fails_is_given_up_after_its_retries_and_the_stream_moves_on(
    aws: Clients, wish: str
) -> None:
    source = Source(aws, timeout=1, BatchSize=2, BisectBatchOnFunctionError=False)
    source.write("a", ("bad", wish), "b", "c")
    source.map()

    calls = source.calls("c")

    assert calls == [(["a", "bad"], 0), (["a", "bad"], 0), (["b", "c"], 2)]
    assert [ids_of(record) for record in source.set_aside().values()] == [["a", "bad"]]


def test_only_what_follows_the_checkpoint_is_sent_again(aws: Clients) -> None:
    source = Source(aws)
    source.write("a", "b", ("bad", "report", 2), "c")
    source.map()

    assert source.calls("c") == [(["a", "b", "bad", "c"], 2), (["bad", "c"], 2)]
    assert source.set_aside(0) == {}


def test_what_a_function_reports_for_ever_is_set_aside_with_what_follows_it(aws: Clients) -> None:
    source = Source(aws)
    source.write("a", ("bad", "report"), "b")
    source.map()
    [record] = source.set_aside().values()
    source.write("c")

    assert source.calls("c") == [
        (["a", "bad", "b"], 1),
        (["bad", "b"], 0),
        (["bad", "b"], 0),
        (["c"], 1),
    ]
    assert ids_of(record) == ["bad", "b"]
    assert record["responseContext"]["functionError"] is None


def test_a_report_is_nothing_to_a_mapping_that_does_not_ask_for_it(aws: Clients) -> None:
    source = Source(aws, BatchSize=1, FunctionResponseTypes=[])
    source.write(("bad", "report"), "a")
    source.map()

    assert source.calls("a") == [(["bad"], 0), (["a"], 1)]
    assert source.set_aside(0) == {}


def test_a_change_too_old_is_set_aside_though_it_has_retries_left(aws: Clients) -> None:
    source = Source(aws, MaximumRetryAttempts=-1, MaximumRecordAgeInSeconds=1)
    source.write(("bad", "raise"))
    source.map()

    [record] = source.set_aside().values()

    assert ids_of(record) == ["bad"]
    assert record["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in record
    source.write("a")
    assert source.calls("a")[-1] == (["a"], 1)


def test_a_change_that_no_filter_lets_through_is_left_out_and_holds_up_no_other(
    aws: Clients,
) -> None:
    pattern = json.dumps({"dynamodb": {"Keys": {"id": {"S": [{"prefix": "a"}]}}}})
    source = Source(aws, BatchSize=2, FilterCriteria={"Filters": [{"Pattern": pattern}]})
    source.write("b1", "b2", "a1", "b3", "a2")
    source.map()

    assert source.calls("a2") == [(["a1"], 1), (["a2"], 1)]


def test_nothing_is_lost_and_each_items_changes_keep_their_order(aws: Clients) -> None:
    source = Source(aws, BatchSize=7, MaximumRetryAttempts=0)
    bad = {4: "raise", 11: "report", 12: "report", 21: "malformed", 34: "die"}
    source.map()
    source.write(*((f"{n % 5}-{n}", bad.get(n, "well")) for n in range(40)))
    source.write("end")

    calls = source.calls("end")

    done = [id_ for ids, count in calls for id_ in ids[:count]]
    aside = [id_ for record in source.set_aside().values() for id_ in ids_of(record)]
    written = [change["dynamodb"]["Keys"]["id"]["S"] for change in source.stream()]
    order = {id_: place for place, id_ in enumerate(written)}
    assert sorted(done + aside, key=order.__getitem__) == written
    assert done == sorted(done, key=order.__getitem__)
    assert {f"{n % 5}-{n}" for n in bad} <= set(aside)


def test_a_mapping_that_is_disabled_rests_and_goes_on_where_it_was(aws: Clients) -> None:
    source = Source(aws, Enabled=False)
    source.map()
    source.write("a")
    other = Source(aws)
    other.map()
    other.write("x")
    other.calls("x")
    assert source._calls() == []

    aws("lambda").update_event_source_mapping(UUID=source.uuid, Enabled=True)

    assert source.calls("a") == [(["a"], 1)]


def test_a_mapping_does_not_read_the_stream_that_took_the_place_of_its_own(aws: Clients) -> None:
    source, other = Source(aws), Source(aws)
    for each in source, other:
        each.map()
        each.write("a")
        each.calls("a")
    images = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    for stream in {"StreamEnabled": False}, images:
        aws("dynamodb").update_table(TableName=source.name, StreamSpecification=stream)

    # More than the position at which the mapping stood in its own stream.
    source.write("b", "c", "d")
    other.write("b")
    other.calls("b")

    assert source._calls() == [(["a"], 1)]


def test_a_ministack_that_lacks_a_borrowed_part_of_the_mapping_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(lambda_svc, "_apply_filter_criteria")

    with pytest.raises(
        SystemExit, match=r"lambda_svc\._apply_filter_criteria.*mapping\.py.*pinned"
    ):
        mapping.install()
