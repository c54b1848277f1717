"""Drives the sample through the deployed stack, waits for it, and checks what came of it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator import crawl
from local.emulator.athena import Row
from local.sample.lake import Lake, Refused
from local.sample.writes import Item, Sample, Write, differences, from_dynamodb, to_dynamodb
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import Pipeline

# Longer without any change arriving, and it is taken for lost.
PATIENCE_SECONDS = 30.0
POLL_SECONDS = 0.2

Advance = Callable[[str, int, int], None]
"""Is told the pipeline, how many of its changes have arrived, and how many there are."""


@dataclass(frozen=True)
class Arrival:
    """How many changes a table has had, and which of them have arrived nowhere."""

    changes: int
    missing: set[str]


@dataclass(frozen=True)
class Folder:
    """One folder of the lake, as S3 and as Athena see it."""

    path: str
    objects: int
    size: int
    rows: int


@dataclass(frozen=True)
class TableReport:
    """What became of one table's changes."""

    pipeline: Pipeline
    location: str
    compared: tuple[str, ...]
    changes: int
    missing: int
    folders: list[Folder]
    items: int
    state: list[Row]
    differing: list[str]
    refused: list[Refused]
    refusals_expected: int
    refusal_log: Mapping[str, str | None]

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; empty when the pipeline did what it should."""
        name = self.pipeline.name
        found = []
        if self.missing:
            found.append(f"{name}: {self.missing} of {self.changes} changes arrived nowhere.")
        if self.differing:
            ids = ", ".join(self.differing[:5])
            found.append(f"{name}: table and current state differ in {ids}.")
        if len(self.refused) != self.refusals_expected:
            count = len(self.refused)
            found.append(f"{name}: {count} changes were refused, not {self.refusals_expected}.")
        found += [
            f"{name}: Athena sees no row in {folder.path}."
            for folder in self.folders
            if not folder.rows
        ]
        found += [
            f"{name}: the transform's log says nothing of the refused change {event_id}."
            for event_id, line in self.refusal_log.items()
            if line is None
        ]
        return found


def write(clients: Clients, pipeline: Pipeline, writes: tuple[Write, ...]) -> Counter[str]:
    """Do the writes in their order; how many of each kind."""
    dynamodb = clients("dynamodb")
    for one in writes:
        if one.item is None:
            key = to_dynamodb({"id": one.id})
            dynamodb.delete_item(TableName=pipeline.source_table, Key=key)
        else:
            item = to_dynamodb(one.item)
            dynamodb.put_item(TableName=pipeline.source_table, Item=item)
    return Counter(one.kind for one in writes)


def change_ids(clients: Clients, pipeline: Pipeline) -> set[str]:
    """Every change on the table's stream, by event id."""
    streams = clients("dynamodbstreams")
    stream = pipeline.source_stream_arn
    ids: set[str] = set()
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            ids |= {record["eventID"] for record in page["Records"]}
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return ids


def arrived(lake: Lake) -> set[str]:
    """The changes that are rows of the lake or lie in its error prefix."""
    return lake.event_ids() | {refused.event_id for refused in lake.refused()}


def wait_until_arrived(
    clients: Clients, lakes: list[Lake], advance: Advance, check: Callable[[], None]
) -> dict[str, Arrival]:
    """Wait until every change has arrived, or none arrives any more; pipeline to its arrival."""
    missing = {lake.pipeline.name: change_ids(clients, lake.pipeline) for lake in lakes}
    totals = {name: len(ids) for name, ids in missing.items()}
    for name, total in totals.items():
        advance(name, 0, total)
    last_progress = time.monotonic()
    while any(missing.values()) and time.monotonic() - last_progress < PATIENCE_SECONDS:
        check()
        for lake in lakes:
            name = lake.pipeline.name
            left = missing[name] - arrived(lake)
            if len(left) < len(missing[name]):
                last_progress = time.monotonic()
            missing[name] = left
            advance(name, totals[name] - len(left), totals[name])
        time.sleep(POLL_SECONDS)
    return {name: Arrival(total, missing[name]) for name, total in totals.items()}


def crawl_all(clients: Clients, pipelines: list[Pipeline]) -> dict[str, int]:
    """Run every crawler that stands; pipeline to added partitions."""
    return {
        pipeline.name: crawl.crawl(clients, pipeline.crawler)
        for pipeline in pipelines
        if pipeline.crawler
    }


def table_items(clients: Clients, pipeline: Pipeline) -> dict[str, Item]:
    """The table itself, as the web service sees it."""
    pages = clients("dynamodb").get_paginator("scan").paginate(TableName=pipeline.source_table)
    items = [from_dynamodb(item) for page in pages for item in page["Items"]]
    return {item["id"]: item for item in items}


def report(clients: Clients, lake: Lake, sample: Sample, arrival: Arrival) -> TableReport:
    """Ask S3, Athena, DynamoDB and the log what became of one table's changes."""
    rows = lake.rows_per_folder()
    state = lake.current_state().rows
    items = table_items(clients, lake.pipeline)
    refused = lake.refused()
    by_id: dict[str, Any] = {str(row["id"]): row for row in state}
    return TableReport(
        pipeline=lake.pipeline,
        location=lake.location(),
        compared=sample.compared,
        changes=arrival.changes,
        missing=len(arrival.missing),
        folders=[
            Folder(path, objects, size, rows.get(path, 0))
            for path, (objects, size) in lake.folders().items()
        ],
        items=len(items),
        state=state,
        differing=differences(items, by_id, sample.compared),
        refused=refused,
        refusals_expected=sample.refusals,
        refusal_log={one.event_id: lake.refusal_log(one.event_id) for one in refused},
    )
