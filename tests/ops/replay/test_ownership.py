"""The pipeline of a failure object, by its ARNs and names."""

from typing import Any

import pytest

from streaming_etl.ops.replay.entries import (
    Entry,
    EventFilter,
    OtherPipelineError,
    Problem,
    entries_of,
)
from streaming_etl.ops.replay.ownership import PipelineIdentity
from tests.support.changes import STREAM_LABEL, line, stream_record
from tests.support.deployed import STREAM_ARN, TABLE_ARN
from tests.support.failure_objects import batch, error_line

OWN = PipelineIdentity(TABLE_ARN, "orders-delivery-stream-0a1b2c3")
ALL = EventFilter(("INSERT", "MODIFY", "REMOVE"), "on_remove")
EXHAUSTED = "RetryAttemptsExhausted"
FAILED = "Lambda.ProcessingFailedStatus"
FUNCTION = "arn:aws:lambda:ap-northeast-1:123456789012:function:"
OBJECT = "errors/shop/orders/processing-failed/2026/11/23/"


OWN_LINE = line(1).replace(STREAM_LABEL.encode(), STREAM_ARN[-len(STREAM_LABEL) :].encode())


def from_stream(number: int, arn: Any) -> dict[str, Any]:
    return {**stream_record(number), "eventSourceARN": arn}


@pytest.mark.parametrize(
    ("arn", "owned"),
    [
        (STREAM_ARN, True),
        (f"{TABLE_ARN}/stream/2020-01-01T00:00:00.000", True),
        (STREAM_ARN.replace("orders", "orders2"), False),
        (STREAM_ARN.replace("123456789012", "210987654321"), False),
        (STREAM_ARN.replace("ap-northeast-1", "us-east-1"), False),
        (TABLE_ARN, None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_a_stream_is_of_the_pipelines_table(arn: Any, owned: bool | None) -> None:
    assert OWN.owns_stream(arn) is owned


@pytest.mark.parametrize(
    ("arn", "owned"),
    [
        (f"{FUNCTION}orders-transform-function-0a1b2c3:$LATEST", True),
        (f"{FUNCTION}orders-forwarder-function-fffffff", True),
        (f"{FUNCTION}orders-eu-transform-function-0a1b2c3", False),
        (f"{FUNCTION}payments-forwarder-function-0a1b2c3", False),
        (f"{FUNCTION}any-other-name", None),
        (f"{FUNCTION}any-other-name".replace("123456789012", "210987654321"), False),
        (f"{FUNCTION}any-other-name".replace("ap-northeast-1", "us-east-1"), False),
        ("arn", None),
        (7, None),
    ],
)
def test_a_function_is_of_the_pipeline_by_its_name(arn: Any, owned: bool | None) -> None:
    assert OWN.owns_function(arn) is owned


@pytest.mark.parametrize(
    ("key", "owned"),
    [
        (f"{OBJECT}orders-delivery-stream-fffffff-1-2026-11-23-12-00-00-uuid", True),
        (f"{OBJECT}payments-delivery-stream-0a1b2c3-1-2026-11-23-12-00-00-uuid", False),
        (f"{OBJECT}asdl123-2.json", None),
        ("payments-delivery-stream-0a1b2c3-1/file", None),
    ],
)
def test_an_object_has_the_name_of_its_delivery_stream(key: str, owned: bool | None) -> None:
    assert OWN.owns_object(key) is owned
    custom = PipelineIdentity(TABLE_ARN, "custom-name")
    assert custom.owns_object(key) is None


def test_a_recreated_stream_is_the_pipelines() -> None:
    body = batch(from_stream(1, f"{TABLE_ARN}/stream/2020-01-01T00:00:00.000"))
    old = line(1).replace(STREAM_LABEL.encode(), b"2020-01-01T00:00:00.000")
    assert entries_of(body, ALL, OWN) == [Entry(EXHAUSTED, [old])]


def test_a_batch_without_its_own_stream_is_not_sent() -> None:
    other = STREAM_ARN.replace("orders", "payments")
    with pytest.raises(OtherPipelineError):
        entries_of(batch(from_stream(1, other), from_stream(2, other), "no"), ALL, OWN)
    assert entries_of(batch(from_stream(1, STREAM_ARN), from_stream(2, other)), ALL, OWN) == [
        Entry(EXHAUSTED, [OWN_LINE]),
        Entry(EXHAUSTED, problem=Problem("other-pipeline")),
    ]
    assert entries_of(batch(from_stream(1, None), "no"), ALL, OWN) == [
        Entry(EXHAUSTED, problem=Problem("no-source")),
        Entry(EXHAUSTED, problem=Problem("no-source")),
    ]


def test_the_batch_names_the_stream_of_a_record_without_one() -> None:
    record = from_stream(1, None)
    assert entries_of(batch(record, stream=STREAM_ARN), ALL, OWN) == [Entry(EXHAUSTED, [OWN_LINE])]
    with pytest.raises(OtherPipelineError):
        entries_of(batch(record, stream=STREAM_ARN.replace("orders", "payments")), ALL, OWN)


def test_a_batch_of_another_forwarder_on_the_same_table_is_not_sent() -> None:
    body = batch(stream_record(1), function=f"{FUNCTION}audit-forwarder-function-0a1b2c3")
    with pytest.raises(OtherPipelineError):
        entries_of(body, ALL, OWN)


def test_error_records_of_another_transform_are_not_sent() -> None:
    other = error_line(line(1), function="payments-transform-function-0a1b2c3")
    documented = other.replace(b"lambdaARN", b"lambdaArn")
    for body in (other, documented, other + b"no JSON\n"):
        with pytest.raises(OtherPipelineError):
            entries_of(body, ALL, OWN)
    assert entries_of(error_line(line(2)) + other, ALL, OWN) == [
        Entry(FAILED, [line(2)]),
        Entry(FAILED, problem=Problem("other-pipeline")),
    ]
    assert entries_of(other, ALL) == [Entry(FAILED, [line(1)])]
