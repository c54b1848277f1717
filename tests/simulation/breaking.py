"""Ways to break the real handlers from outside: patches of what goes in and what comes out."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import Mock, patch

import streaming_etl.handlers.firehose.put_records
import streaming_etl.handlers.forwarder
import streaming_etl.handlers.transform
import streaming_etl.ops.backfill.scan
from streaming_etl.components.table import queries
from streaming_etl.ops.backfill.checkpoint import Segment
from streaming_etl.ops.backfill.scan import Page, Scan
from tests.simulation.puts import Client
from tests.simulation.scenario import STREAM_NAME

Answer = dict[str, Any]


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> Any:
    """`wrapper` gets what it stands for as its first argument."""
    return patch.object(owner, name, partial(wrapper, getattr(owner, name)))


def forwarder_as(wrapper: Callable[..., Any]) -> Any:
    return around(streaming_etl.handlers.forwarder, "lambda_handler", wrapper)


def reported_first(handler: Any, event: Any, context: Any) -> Any:
    """The forwarder reports the first of many changes where it should ask to halve them."""
    try:
        return handler(event, context)
    except streaming_etl.handlers.forwarder.BisectBatchError:
        number = event["Records"][0]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}


def transform_as(wrapper: Callable[..., Any]) -> Any:
    return around(streaming_etl.handlers.transform, "lambda_handler", wrapper)


def told(name: str, value: str) -> Any:
    """The forwarder is told something else than the settings say."""

    def wrapper(handler: Any, event: Any, context: Any) -> Any:
        with patch.dict(os.environ, {name: value}):
            return handler(event, context)

    return forwarder_as(wrapper)


def query(old: str, new: str) -> Any:
    """The current-state query has another text."""

    def wrapper(text_of: Callable[..., str], *arguments: Any) -> str:
        text = text_of(*arguments)
        if old not in text:
            raise ValueError(f"the query has no {old}")
        return text.replace(old, new)

    return around(queries, "current_state_sql", wrapper)


def answers(change: Callable[[list[Answer], list[Answer]], Any]) -> Any:
    """`change` alters the transform's answers; it is given the event's records too."""

    def wrapper(handler: Any, event: Any, context: Any) -> Any:
        # A handler may take its event apart.
        records = list(event["records"])
        response = handler(event, context)
        change(response["records"], records)
        return response

    return transform_as(wrapper)


def each_answer(change: Callable[[Answer, bytes], Any]) -> Any:
    """`change` alters each answer by itself; it is given the record's data too."""

    def all_of_them(given: list[Answer], records: list[Answer]) -> None:
        for answer, record in zip(given, records, strict=True):
            change(answer, b64decode(record["data"]))

    return answers(all_of_them)


def rows(change: Callable[[bytes], bytes]) -> Any:
    """`change` alters the rows of each answer."""

    def of_one(answer: Answer, _: bytes) -> None:
        if answer["result"] == "Ok":
            answer["data"] = b64encode(change(b64decode(answer["data"]))).decode()

    return each_answer(of_one)


def failed_put_count_ignored() -> Any:
    """The functions see every record of a call as taken."""
    put = Client.put_record_batch

    def seen(client: Client, **request: Any) -> Any:
        taken = [{"RecordId": "record"} for _ in request["Records"]]
        return put(client, **request) | {"FailedPutCount": 0, "RequestResponses": taken}

    return patch.object(Client, "put_record_batch", seen)


def snapshots(change: Callable[[dict[str, Any]], Any]) -> Any:
    """`change` alters what a snapshot tells of itself."""

    def wrapper(record_of: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        record = record_of(*arguments)
        change(record["dynamodb"])
        return record

    return around(streaming_etl.ops.backfill.scan, "snapshot_record", wrapper)


def checkpoint_before_put() -> Any:
    """A page counts as passed before Firehose has it."""
    send_page = Scan.send_page

    def early(scan: Scan, number: int) -> int:
        put, lines = scan._writer.write, []
        with patch.object(scan._writer, "write", lines.extend):
            items = send_page(scan, number)
        put(lines)
        return items

    return patch.object(Scan, "send_page", early)


def one_page_to_a_segment() -> Any:
    """A segment counts as done although its scan goes on."""
    read = Scan._read

    def short(scan: Scan, number: int, segment: Segment) -> Page:
        return replace(read(scan, number, segment), next=None)

    return patch.object(Scan, "_read", short)


def pages_left_out() -> Any:
    """Of two pages the first is not put."""
    read = Scan._read

    def second(scan: Scan, number: int, segment: Segment) -> Page:
        page = read(scan, number, segment)
        if page.next is None:
            return page
        return read(scan, number, replace(segment, start=page.next))

    return patch.object(Scan, "_read", second)


def pass_over_large(handler: Any, event: Any, context: Any) -> Any:
    """An oversized change is reported as done."""
    sizes = {
        record["dynamodb"]["SequenceNumber"]: len(json.dumps(record)) for record in event["Records"]
    }
    answer = handler(event, context)
    failures = answer["batchItemFailures"]
    passed = failures and sizes[failures[0]["itemIdentifier"]] > 1_024_000
    return {"batchItemFailures": []} if passed else answer


def forget_identity(handler: Any, event: Any, context: Any) -> Any:
    """Who made a change does not travel."""
    for record in event["Records"]:
        record.pop("userIdentity", None)
    return handler(event, context)


def held(handler: Any, event: Any, context: Any) -> tuple[Any, list[bytes]]:
    """The transform's response, and what it would have put back."""
    client = Mock()
    client.put_record_batch.side_effect = lambda **request: {
        "RequestResponses": [{"RecordId": "record"} for _ in request["Records"]]
    }
    with patch.object(streaming_etl.handlers.firehose.put_records, "firehose", lambda: client):
        response = handler(event, context)
    calls = client.put_record_batch.call_args_list
    return response, [record["Data"] for call in calls for record in call.kwargs["Records"]]


def put_back(*contents: bytes) -> None:
    if contents:
        streaming_etl.handlers.firehose.put_records.firehose().put_record_batch(
            DeliveryStreamName=STREAM_NAME, Records=[{"Data": content} for content in contents]
        )


def forget_last(handler: Any, event: Any, context: Any) -> Any:
    """The last record that must go back does not."""
    response, contents = held(handler, event, context)
    put_back(*contents[:-1])
    return response


def put_back_packs(handler: Any, event: Any, context: Any) -> Any:
    """Where a part of a pack must go back, the whole pack does."""
    packs = [b64decode(record["data"]) for record in event["records"]]
    response, contents = held(handler, event, context)
    put_back(*(next(pack for pack in packs if content in pack) for content in contents))
    return response


def set_aside_packs(handler: Any, event: Any, context: Any) -> Any:
    """Where a part of a pack must go back, the whole pack is set aside."""
    packs = [b64decode(record["data"]) for record in event["records"]]
    response, contents = held(handler, event, context)
    for answer, pack in zip(response["records"], packs, strict=True):
        if any(content in pack for content in contents):
            answer |= {"result": "ProcessingFailed"}
    return response


def put_back_large(handler: Any, event: Any, context: Any) -> Any:
    """A change whose rows fit into no response goes back on the stream."""
    packs = [b64decode(record["data"]) for record in event["records"]]
    response = handler(event, context)
    for answer, pack in zip(response["records"], packs, strict=True):
        if answer["result"] == "ProcessingFailed" and b'"width"' in pack:
            answer["result"] = "Dropped"
            put_back(pack)
    return response
