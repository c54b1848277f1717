"""Write the sample, wait for delivery, compare lake and source table."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator.athena import Row
from local.emulator.crawl import crawl
from local.sample.lake import FailedChange, Lake, has_current_state
from local.sample.writes import Item, Sample, Write, differences, from_dynamodb, to_dynamodb
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline

# Without progress for so long, the missing changes count as lost.
DELIVERY_SECONDS = 30.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Partition:
    """One partition prefix: objects and bytes from S3, rows from Athena."""

    prefix: str
    objects: int
    size: int
    rows: int


@dataclass(frozen=True)
class TableReport:
    """Results for one table."""

    pipeline: DeployedPipeline
    location: str
    compared_columns: tuple[str, ...]
    changes: int
    missing: int
    """Changes that are neither a row nor in an error record."""
    partitions: list[Partition]
    items: int
    current_state: list[Row] | None
    """None where the pipeline has no current state."""
    different_ids: list[str]
    failed_changes: list[FailedChange]
    expected_failures: int
    failure_logs: Mapping[str, str | None]
    """The transform's log line, by event id of the failed change."""

    @property
    def problems(self) -> dict[str, str]:
        """Deviations from the expected result: code to sentence."""
        name, failed = self.pipeline.name, len(self.failed_changes)
        problems = {}
        if self.missing:
            problems["missing-changes"] = (
                f"{name}: {self.missing} of {self.changes} changes were not delivered."
            )
        if self.different_ids:
            ids = ", ".join(self.different_ids[:5])
            problems["different-items"] = f"{name}: source table and current state differ in {ids}."
        if failed != self.expected_failures:
            problems["failed-changes"] = (
                f"{name}: {failed} changes failed instead of {self.expected_failures}."
            )
        if empty := [partition.prefix for partition in self.partitions if not partition.rows]:
            problems["empty-partitions"] = f"{name}: Athena finds no rows in {', '.join(empty)}."
        if unlogged := [id_ for id_, line in self.failure_logs.items() if line is None]:
            problems["unlogged-failures"] = (
                f"{name}: the transform has no log line for the failed change {unlogged[0]}."
            )
        return problems


def write(clients: Clients, pipeline: DeployedPipeline, writes: tuple[Write, ...]) -> Counter[str]:
    """Write to the source table; return the number of writes by kind."""
    dynamodb, table = clients("dynamodb"), pipeline.source_table
    for one in writes:
        if one.item is None:
            dynamodb.delete_item(TableName=table, Key=to_dynamodb({"id": one.id}))
        else:
            dynamodb.put_item(TableName=table, Item=to_dynamodb(one.item))
    return Counter(one.kind for one in writes)


def change_ids(clients: Clients, pipeline: DeployedPipeline) -> set[str]:
    """Return the event ids of all changes in the source table's stream."""
    streams, stream = clients("dynamodbstreams"), pipeline.source_stream_arn
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


def wait_for_delivery(
    lakes: list[Lake],
    expected: Mapping[str, set[str]],
    advance: Callable[[float], None],
    check: Callable[[], None],
) -> dict[str, set[str]]:
    """Wait until all expected changes are delivered or dead-lettered; return missing ones.

    expected, and the result: event ids by pipeline.
    advance: receives each number of newly delivered changes.
    """
    missing = dict(expected)
    last_progress = time.monotonic()
    while any(missing.values()) and time.monotonic() - last_progress < DELIVERY_SECONDS:
        check()
        for lake in lakes:
            name = lake.pipeline.name
            failed = {change.event_id for change in lake.failed_changes()}
            remaining = missing[name] - lake.event_ids() - failed
            if delivered := len(missing[name]) - len(remaining):
                last_progress = time.monotonic()
                missing[name] = remaining
                advance(delivered)
        time.sleep(POLL_SECONDS)
    return missing


def crawl_all(clients: Clients, pipelines: list[DeployedPipeline]) -> dict[str, int]:
    """Run every crawler; return the number of added partitions by pipeline."""
    return {
        pipeline.name: crawl(clients, pipeline.only.crawler)
        for pipeline in pipelines
        if pipeline.only.crawler
    }


def table_items(clients: Clients, pipeline: DeployedPipeline) -> dict[str, Item]:
    """Return the source table's items by id."""
    pages = clients("dynamodb").get_paginator("scan").paginate(TableName=pipeline.source_table)
    items = [from_dynamodb(item) for page in pages for item in page["Items"]]
    return {item["id"]: item for item in items}


def report(
    clients: Clients, lake: Lake, sample: Sample, changes: set[str], missing: set[str]
) -> TableReport:
    """Compare the lake of one table with the table."""
    rows = lake.rows_per_partition()
    has_state = has_current_state(lake.pipeline)
    current_state = lake.current_state().rows if has_state else None
    items, failed_changes = table_items(clients, lake.pipeline), lake.failed_changes()
    by_id: dict[str, Any] = {str(row["id"]): row for row in current_state or ()}
    return TableReport(
        pipeline=lake.pipeline,
        location=lake.location(),
        compared_columns=sample.compared_columns,
        changes=len(changes),
        missing=len(missing),
        partitions=[
            Partition(prefix, len(sizes), sum(sizes), rows.get(prefix, 0))
            for prefix, sizes in lake.object_sizes().items()
        ],
        items=len(items),
        current_state=current_state,
        different_ids=differences(items, by_id, sample.compared_columns) if has_state else [],
        failed_changes=failed_changes,
        expected_failures=sample.expected_failures,
        failure_logs={one.event_id: lake.failure_log(one.event_id) for one in failed_changes},
    )
