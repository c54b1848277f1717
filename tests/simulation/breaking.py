"""Patches of the real handlers' inputs and outputs, for mutations."""

import csv
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import Any
from unittest.mock import Mock, patch

from streaming_etl.components.monitoring import alarms as component_alarms
from streaming_etl.components.table import queries
from streaming_etl.components.table.column_types import METADATA, Column
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.handlers import forwarder, transform
from streaming_etl.handlers.firehose import put_records
from streaming_etl.handlers.rows import schemaless_json
from streaming_etl.ops.backfill import scan as scan_module
from streaming_etl.ops.backfill.checkpoint import Segment
from streaming_etl.ops.backfill.scan import Page, Scan
from streaming_etl.ops.replay import run as replay_run
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from tests.simulation.puts import Client

Result = dict[str, Any]


def around(owner: Any, name: str, wrapper: Callable[..., Any]) -> Any:
    """Patch with `wrapper`, which receives the original as its first argument."""
    return patch.object(owner, name, partial(wrapper, getattr(owner, name)))


def without_failures(owner: Any) -> Any:
    """Report all records of `put_records` as accepted."""
    return around(owner, "put_records", lambda put, *a, **k: (put(*a, **k), [])[1])


def forwarder_as(wrapper: Callable[..., Any]) -> Any:
    return around(forwarder, "lambda_handler", wrapper)


def report_first(handler: Any, event: Any, context: Any) -> Any:
    """Report the first change of a batch instead of bisecting the batch."""
    try:
        return handler(event, context)
    except forwarder.BisectBatchError:
        number = event["Records"][0]["dynamodb"]["SequenceNumber"]
        return {"batchItemFailures": [{"itemIdentifier": number}]}


def transform_as(wrapper: Callable[..., Any]) -> Any:
    return around(transform, "lambda_handler", wrapper)


def forwarder_config(change: Callable[[dict[str, Any]], Any]) -> Any:
    """Change the forwarder's forwarder.json; `change` may return another."""

    def wrapper(routing_of: Any, config: dict[str, Any], streams: Any) -> Any:
        return routing_of(change(config) or config, streams)

    return around(forwarder, "routing_of", wrapper)


def old_image(value: str) -> Any:
    """Give all routes another `old_image`."""
    return forwarder_config(
        lambda config: [route.update(old_image=value) for route in config["routes"]] and None
    )


def exit_of_the_module() -> Any:
    """Let a SystemExit of the user's module end the invocation."""

    def reason(original: Callable[..., Any], error: BaseException, *arguments: Any) -> Any:
        if isinstance(error, SystemExit):
            raise error
        return original(error, *arguments)

    return around(transform, "_reason", reason)


def query(old: str, new: str) -> Any:
    """Replace a part of the current-state query."""

    def wrapper(sql: Callable[..., str], *arguments: Any) -> str:
        text = sql(*arguments)
        if old not in text:
            raise ValueError(f"the query does not contain {old}")
        return text.replace(old, new)

    return around(queries, "current_state_sql", wrapper)


def results(change: Callable[[list[Result], list[Result]], Any]) -> Any:
    """Change the transform's results; `change` also receives the event's records."""

    def wrapper(handler: Any, event: Any, context: Any) -> Any:
        # A handler may modify its event.
        records = list(event["records"])
        response = handler(event, context)
        change(response["records"], records)
        return response

    return transform_as(wrapper)


def each_result(change: Callable[[Result, bytes], Any]) -> Any:
    """Change each result; `change` also receives the record's data."""

    def change_all(some: list[Result], records: list[Result]) -> None:
        for result, record in zip(some, records, strict=True):
            change(result, b64decode(record["data"]))

    return results(change_all)


def rows(change: Callable[[bytes], bytes]) -> Any:
    """Change the rows of each result."""

    def change_rows(result: Result, _: bytes) -> None:
        if result["result"] == "Ok":
            result["data"] = b64encode(change(b64decode(result["data"]))).decode()

    return each_result(change_rows)


def name_checks(wrapper: Callable[..., Any]) -> Any:
    """Replace the checks of names; those of maps reserve no names."""
    return around(schemaless_json, "_name_check", wrapper)


def deserializer(settings: dict[str, Any]) -> dict[str, Any]:
    """Return a conversion to Parquet with another deserializer."""
    return {"input_format_configuration": {"deserializer": {"open_x_json_ser_de": settings}}}


def failed_put_count_ignored() -> Any:
    """Report all records of a call as accepted."""
    put = Client.put_record_batch

    def put_all(client: Client, **request: Any) -> Any:
        accepted = [{"RecordId": "record"} for _ in request["Records"]]
        return put(client, **request) | {"FailedPutCount": 0, "RequestResponses": accepted}

    return patch.object(Client, "put_record_batch", put_all)


def snapshots(change: Callable[[dict[str, Any]], Any]) -> Any:
    """Change the stream record of each snapshot."""

    def wrapper(record_of: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
        record = record_of(*arguments)
        change(record["dynamodb"])
        return record

    return around(scan_module, "snapshot_record", wrapper)


def settled_early() -> Any:
    """Move the objects of a replay before their changes are sent."""

    def early(send: Any, run: Any, parsed: Any, recovered: Any, *others: Any) -> None:
        for each in parsed:
            run._settle(each, recovered)
        send(run, parsed, recovered, *others)

    send = replay_run.Replay._send
    return patch.object(replay_run.Replay, "_send", lambda *arguments: early(send, *arguments))


def first_lines_of(entries_of: Callable[..., Any], *arguments: Any) -> Any:
    """Return entries with only their first change."""
    return [
        replace(entry, lines=entry.lines[:1], lake_tables=entry.lake_tables[:1])
        for entry in entries_of(*arguments)
    ]


def first_shard() -> Any:
    """Find only the first shard of a stream."""
    shards = ChangeRecovery._shards
    return patch.object(ChangeRecovery, "_shards", lambda recovery: [next(shards(recovery))])


def recovered(change: Callable[[dict[str, Any]], Any]) -> Any:
    """Change the line of each item of a replay."""
    from_table = ChangeRecovery.from_table

    def changed(line: Any) -> Any:
        record = json.loads(line)
        change(record["dynamodb"])
        return json.dumps(record).encode() + b"\n"

    def from_table_changed(recovery: ChangeRecovery, rows: Any) -> dict[str, Any]:
        return {name: changed(line) for name, line in from_table(recovery, rows).items()}

    return patch.object(ChangeRecovery, "from_table", from_table_changed)


def without_alarms(*names: str) -> Any:
    """Remove some of the component's alarms."""
    return around(
        component_alarms,
        "alarms",
        lambda alarms, args: [it for it in alarms(args) if it.name not in names],
    )


def metadata_last() -> Any:
    """Write and read the metadata of CSV rows after the columns."""
    width = len(METADATA)

    def all_columns(table: LakeTable) -> tuple[Column, ...]:
        columns = (*(table.columns or ()), *METADATA)
        return tuple(Column(column.name, "string") for column in columns)

    def rotated(data: bytes) -> bytes:
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
        for cells in csv.reader(data.decode().split("\n")[:-1], escapechar="\x01"):
            writer.writerow(cells[width:] + cells[:width])
        return text.getvalue().encode()

    @contextmanager
    def both() -> Iterator[None]:
        columns = patch.object(LakeTable, "all_columns", property(all_columns))
        with columns, rows(rotated):
            yield

    return ReusablePatch(both)


class ReusablePatch:
    """Context manager that can be entered again."""

    def __init__(self, enter: Callable[[], Any]) -> None:
        self._enter = enter

    def __enter__(self) -> None:
        self._context = self._enter()
        self._context.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._context.__exit__(*error)


def keep_first_config(config: dict[str, Any]) -> Any:
    """Return the config of the first container, which a deployment changes."""
    return json.loads(os.environ.setdefault("FIRST_CONFIG", json.dumps(config)))


def checkpoint_before_put() -> Any:
    """Save the checkpoint of a page before Firehose has the page."""
    send_page = Scan.send_page

    def early(scan: Scan, number: int) -> int:
        put = scan._writer.write
        with patch.object(scan._writer, "write") as write:
            items = send_page(scan, number)
        put(*write.call_args.args)
        return items

    return patch.object(Scan, "send_page", early)


def one_page_per_segment() -> Any:
    """End a segment after one page."""
    read = Scan._read

    def short(scan: Scan, number: int, segment: Segment) -> Page:
        return replace(read(scan, number, segment), next=None)

    return patch.object(Scan, "_read", short)


def skipped_pages() -> Any:
    """Skip the first of two pages."""
    read = Scan._read

    def second(scan: Scan, number: int, segment: Segment) -> Page:
        page = read(scan, number, segment)
        if page.next is None:
            return page
        return read(scan, number, replace(segment, start=page.next))

    return patch.object(Scan, "_read", second)


def skip_large(handler: Any, event: Any, context: Any) -> Any:
    """Report success for an oversized change."""
    sizes = {
        record["dynamodb"]["SequenceNumber"]: len(json.dumps(record)) for record in event["Records"]
    }
    response = handler(event, context)
    failures = response["batchItemFailures"]
    is_large = failures and sizes[failures[0]["itemIdentifier"]] > 1_024_000
    return {"batchItemFailures": []} if is_large else response


def remove_identity(handler: Any, event: Any, context: Any) -> Any:
    """Remove the user identity of each change."""
    for record in event["Records"]:
        record.pop("userIdentity", None)
    return handler(event, context)


def intercepted(handler: Any, event: Any, context: Any) -> tuple[Any, list[bytes]]:
    """Return the transform's response and the records to requeue."""
    client = Mock()
    client.put_record_batch.side_effect = lambda **request: {
        "RequestResponses": [{"RecordId": "record"} for _ in request["Records"]]
    }
    with patch.object(put_records, "firehose", lambda: client):
        response = handler(event, context)
    calls = client.put_record_batch.call_args_list
    return response, [record["Data"] for call in calls for record in call.kwargs["Records"]]


def requeue(event: Any, *contents: bytes) -> None:
    if contents:
        stream = event["deliveryStreamArn"].rpartition("/")[2]
        put_records.firehose().put_record_batch(
            DeliveryStreamName=stream, Records=[{"Data": content} for content in contents]
        )


def skip_last_requeued(handler: Any, event: Any, context: Any) -> Any:
    """Do not requeue the last record."""
    response, contents = intercepted(handler, event, context)
    requeue(event, *contents[:-1])
    return response


def requeue_aggregated(handler: Any, event: Any, context: Any) -> Any:
    """Requeue an entire aggregated record instead of a part."""
    aggregated = [b64decode(record["data"]) for record in event["records"]]
    response, contents = intercepted(handler, event, context)
    requeue(
        event, *(next(record for record in aggregated if content in record) for content in contents)
    )
    return response


def dead_letter_aggregated(handler: Any, event: Any, context: Any) -> Any:
    """Dead-letter an entire aggregated record instead of requeueing a part."""
    aggregated = [b64decode(record["data"]) for record in event["records"]]
    response, contents = intercepted(handler, event, context)
    for result, record in zip(response["records"], aggregated, strict=True):
        if any(content in record for content in contents):
            result |= {"result": "ProcessingFailed"}
    return response


def requeue_large(handler: Any, event: Any, context: Any) -> Any:
    """Requeue a change whose rows do not fit into any response."""
    aggregated = [b64decode(record["data"]) for record in event["records"]]
    response = handler(event, context)
    for result, record in zip(response["records"], aggregated, strict=True):
        if result["result"] == "ProcessingFailed" and b'"width"' in record:
            result["result"] = "Dropped"
            requeue(event, record)
    return response
