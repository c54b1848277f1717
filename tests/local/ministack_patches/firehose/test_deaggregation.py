"""Aggregated records in a delivery stream with the processor RecordDeAggregation."""

import json
import re

import pytest

from streaming_etl.stack.clients import Clients
from tests.local.ministack_patches.firehose.streams import DYNAMIC, Stream, aggregated, raw_data

pytestmark = pytest.mark.e2e

ECHO = {"do": "echo"}


@pytest.mark.parametrize("separator", ["", "\n", "\r\n", " \n\n "])
def test_each_json_object_reaches_the_transform_without_line_breaks(
    aws: Clients, separator: str
) -> None:
    stream = Stream(aws, deaggregate=True)

    stream.put_data(aggregated({"do": "echo", "n": '1}{"\n'}, ECHO, separator=separator) + b"\n")

    assert stream.rows() == [b'<{"do": "echo", "n": "1}{\\"\\n"}><{"do": "echo"}>']
    assert stream.invocations() == 1


def test_without_the_processor_an_aggregated_record_stays_unsplit(aws: Clients) -> None:
    stream = Stream(aws)

    [data] = stream.put_data(aggregated(ECHO, ECHO) + b"\n")

    assert stream.rows() == [b"<" + data + b">"]


def test_the_rows_of_one_record_go_to_the_prefixes_of_their_keys(aws: Clients) -> None:
    stream = Stream(aws, deaggregate=True, **DYNAMIC)
    yamato, sagawa = ({"do": "keys", "keys": {"carrier": name}} for name in ("yamato", "sagawa"))

    stream.put_data(
        aggregated({**yamato, "text": "1\n"}, {**sagawa, "text": "2\n"}, {**yamato, "text": "3\n"})
    )

    assert stream.rows_by_carrier() == {"carrier=yamato": b"1\n3\n", "carrier=sagawa": b"2\n"}


def test_the_parts_of_all_records_have_unique_ids(aws: Clients) -> None:
    stream = Stream(aws, deaggregate=True)
    one = {"do": "echo id"}

    stream.put_data(aggregated(one, one), aggregated(one), aggregated(one, one, one))

    [body] = stream.rows()
    ids = re.findall("<(.*?)>", body.decode())
    assert len(ids) == len(set(ids)) == 6


def test_a_failed_part_does_not_affect_the_others(aws: Clients) -> None:
    stream = Stream(aws, deaggregate=True)
    good, bad = {"do": "ok", "text": "row\n"}, {"do": "fail", "text": "secret"}

    stream.put_data(aggregated(good, bad, good))

    [error] = stream.errors()
    assert error["errorCode"] == "Lambda.ProcessingFailedStatus"
    assert json.loads(raw_data(error)) == bad
    assert stream.rows() == [b"row\nrow\n"]


@pytest.mark.parametrize(("count", "parts"), [(500, 500), (501, 1)])
def test_a_record_with_more_than_500_objects_stays_unsplit(
    aws: Clients, count: int, parts: int
) -> None:
    stream = Stream(aws, deaggregate=True)

    [data] = stream.put_data(aggregated(*[ECHO] * count) + b"\n")

    [body] = stream.rows()
    assert body.count(b"<") == parts
    assert (body == b"<" + data + b">") == (parts == 1)


def test_a_record_of_other_content_becomes_an_error_record(aws: Clients) -> None:
    stream = Stream(aws, deaggregate=True)
    unreadable = [
        b'{"do": "ok"}, {"do": "ok"}',
        b'{"do": "ok"}\n{"do": ',
        b"\n",
        b'[{"do": "ok"}]',
        b'{"do": "ok"}\n7',
        b'{"do":\n"ok"}',
        b'{"do": "\xff"}',
        b"[" * 100_000,
    ]

    stream.put_data(*unreadable, aggregated({"do": "ok", "text": "row\n"}))

    [key] = stream.objects("errors/")
    errors = stream.errors()
    assert key.startswith("errors/processing-failed/")
    assert {error["errorCode"] for error in errors} == {
        "DynamicPartitioning.MetadataExtractionFailed"
    }
    assert [raw_data(error) for error in errors] == unreadable
    assert not any("lambdaARN" in error for error in errors)
    assert stream.rows() == [b"row\n"]


def test_the_transforms_buffer_counts_parts(aws: Clients) -> None:
    stream = Stream(aws, deaggregate=True, buffer_mb="0.2")
    row = {"do": "ok", "text": "x" * 120_000}

    stream.put_data(aggregated(row, row))

    stream.rows(2)
    assert stream.invocations() == 2
