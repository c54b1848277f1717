"""Write the sample, wait for delivery, compare lake tables and source tables."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emulator.athena import Row
from local.emulator.crawl import crawl
from local.sample.lake import Lake, lakes_of, unmatched_changes
from local.sample.report import MovedChange, Partition, PipelineReport, TableReport
from local.sample.writes import Item, Sample, differences, from_dynamodb, to_dynamodb
from streaming_etl.handlers.wire.routing import Where
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline

# Without progress for so long, the missing changes count as lost.
DELIVERY_SECONDS = 30.0
POLL_SECONDS = 0.2

StreamRecord = Mapping[str, Any]
"""A record of a DynamoDB stream, as boto3 returns it."""


@dataclass
class PipelineRun:
    """The sample of one pipeline, and what is known about its changes."""

    clients: Clients
    pipeline: DeployedPipeline
    sample: Sample
    lakes: list[Lake]
    records: list[StreamRecord] = field(default_factory=list)
    """All changes in the source table's stream."""
    expected: dict[str, dict[str, str]] = field(default_factory=dict)
    """Event types by lake table and event id."""
    missing: dict[str, set[str]] = field(default_factory=dict)
    """Event ids of changes that are not delivered yet, by lake table."""
    unmatched: int = 0
    """Changes that no lake table must have."""
    counted_unmatched: int = 0

    def write(self) -> Counter[str]:
        """Write to the source table; return the number of writes by kind."""
        dynamodb, table = self.clients("dynamodb"), self.pipeline.source_table
        for one in self.sample.writes:
            if one.item is None:
                dynamodb.delete_item(TableName=table, Key=to_dynamodb(one.key))
            else:
                dynamodb.put_item(TableName=table, Item=to_dynamodb(one.item))
        return Counter(one.kind for one in self.sample.writes)

    def read_stream(self) -> None:
        """Read the changes, and find the lake tables that must have them."""
        self.records = stream_records(self.clients, self.pipeline)
        self.expected = {
            lake.name: {
                record["eventID"]: kind
                for record in self.records
                if (kind := event_type(record, lake.where))
            }
            for lake in self.lakes
        }
        self.missing = {name: set(kinds) for name, kinds in self.expected.items()}
        self.unmatched = len(self.records) - self.undelivered

    @property
    def undelivered(self) -> int:
        """The number of changes that are missing in a lake table."""
        return len(set().union(*self.missing.values()))

    @property
    def matched(self) -> int:
        """The number of changes that a lake table must have."""
        return len(self.records) - self.unmatched

    @property
    def left(self) -> int:
        """The number of changes that are neither delivered nor counted as unmatched."""
        return self.undelivered + max(self.unmatched - self.counted_unmatched, 0)

    def poll(self) -> None:
        """Look for delivered, dead-lettered and unmatched changes."""
        for lake in self.lakes:
            if missing := self.missing[lake.name]:
                missing.difference_update(lake.event_types())
                missing.difference_update(one.event_id for one in lake.failed_changes())
        if self.counted_unmatched < self.unmatched:
            self.counted_unmatched = unmatched_changes(self.clients, self.pipeline)

    def report(self) -> PipelineReport:
        """Compare the lake tables with the source table."""
        tables = [self._table_report(lake) for lake in self.lakes]
        return PipelineReport(
            name=self.pipeline.name,
            tables=tables,
            is_routed=bool(self.pipeline.lake_tables),
            changes=len(self.records),
            unmatched=self.unmatched,
            counted_unmatched=unmatched_changes(self.clients, self.pipeline),
            moved=moved_changes(self.records, tables),
        )

    def compare(self, lake: Lake) -> tuple[list[str], list[Row]]:
        """Return the items that differ, and the current state."""
        items = table_items(self.clients, self.pipeline, lake.where)
        rows = lake.current_state().rows
        by_id = {str(row["id"]): row for row in rows}
        columns = self.sample.tables[lake.table.key].compared_columns
        return differences(items, by_id, columns), rows

    def _table_report(self, lake: Lake) -> TableReport:
        rows, failed_changes = lake.rows_per_partition(), lake.failed_changes()
        items = table_items(self.clients, self.pipeline, lake.where)
        sample = self.sample.tables.get(lake.table.key)
        columns = sample.compared_columns if sample else ()
        current_state: list[Row] | None = None
        different_ids: list[str] = []
        if sample and lake.has_current_state:
            different_ids, current_state = self.compare(lake)
        return TableReport(
            name=lake.name,
            rules=lake.rules,
            bucket=self.pipeline.bucket,
            location=lake.location(),
            compared_columns=columns,
            expected=self.expected[lake.name],
            event_types=lake.event_types(),
            missing=len(self.missing[lake.name]),
            partitions=[
                Partition(prefix, len(sizes), sum(sizes), rows.get(prefix, 0))
                for prefix, sizes in lake.object_sizes().items()
            ],
            items=len(items),
            current_state=current_state,
            different_ids=different_ids,
            failed_changes=failed_changes,
            expected_failures=sample.expected_failures if sample else 0,
            failure_logs={one.event_id: lake.failure_log(one.event_id) for one in failed_changes},
        )


def runs_of(
    clients: Clients, pipelines: Iterable[DeployedPipeline], known: Mapping[str, Sample]
) -> list[PipelineRun]:
    """Return a run for each pipeline with a sample."""
    return [
        PipelineRun(clients, pipeline, known[pipeline.name], lakes_of(clients, pipeline))
        for pipeline in pipelines
        if pipeline.name in known
    ]


def event_type(record: StreamRecord, where: Where) -> str | None:
    """Return the expected event type of a change, or None.

    It compares the items before and after the change, unlike the forwarder's `routed`.
    """
    was_in, is_in = (
        image in record["dynamodb"] and where.matches(record["dynamodb"][image])
        for image in ("OldImage", "NewImage")
    )
    if was_in and is_in:
        return "MODIFY"
    if was_in or is_in:
        return "INSERT" if is_in else "REMOVE"
    return None


def stream_records(clients: Clients, pipeline: DeployedPipeline) -> list[StreamRecord]:
    """Return all changes of the stream, those of an item in order."""
    streams, stream = clients("dynamodbstreams"), pipeline.source_stream_arn
    records: list[StreamRecord] = []
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            page = streams.get_records(ShardIterator=iterator)
            records += page["Records"]
            iterator = page.get("NextShardIterator") if page["Records"] else None
    return records


def moved_changes(
    records: Iterable[StreamRecord], tables: Sequence[TableReport]
) -> list[MovedChange]:
    """Return the fewest rows of an item in several lake tables."""
    changes: Counter[str] = Counter()
    rows: dict[str, list[MovedChange]] = {}
    for record in records:
        id_ = record["eventID"]
        item = " ".join(map(str, from_dynamodb(record["dynamodb"]["Keys"]).values()))
        changes[item] += 1
        found = [
            MovedChange(item, changes[item], table.name, table.event_types[id_])
            for table in tables
            if id_ in table.event_types
        ]
        # The lake table that the item leaves comes first.
        found.sort(key=lambda change: change.event_type != "REMOVE")
        rows.setdefault(item, []).extend(found)
    moved = (each for each in rows.values() if len({one.lake_table for one in each}) > 1)
    return min(moved, key=len, default=[])


def wait_for_delivery(
    runs: list[PipelineRun], advance: Callable[[float], None], check: Callable[[], None]
) -> None:
    """Wait until all changes are delivered, dead-lettered or counted as unmatched.

    advance: receives each number of newly delivered changes.
    """
    last_progress = time.monotonic()
    while any(one.left for one in runs) and time.monotonic() - last_progress < DELIVERY_SECONDS:
        check()
        for one in runs:
            left = one.left
            one.poll()
            if delivered := left - one.left:
                last_progress = time.monotonic()
                advance(delivered)
        time.sleep(POLL_SECONDS)


def crawl_all(clients: Clients, pipelines: Iterable[DeployedPipeline]) -> dict[str, int]:
    """Run every crawler; return the number of added partitions by lake table."""
    return {
        lake.name: crawl(clients, lake.table.crawler)
        for pipeline in pipelines
        for lake in lakes_of(clients, pipeline)
        if lake.table.crawler
    }


def table_items(
    clients: Clients, pipeline: DeployedPipeline, where: Where | None = None
) -> dict[str, Item]:
    """Return the items of the source table that match, by id."""
    pages = clients("dynamodb").get_paginator("scan").paginate(TableName=pipeline.source_table)
    items = [
        from_dynamodb(item)
        for page in pages
        for item in page["Items"]
        if where is None or where.matches(item)
    ]
    return {item["id"]: item for item in items}
