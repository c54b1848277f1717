"""Follow new changes to their rows or failures."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.emulator.crawl import list_objects
from local.sample.lake import Lake, lakes_of
from local.sample.run import StreamRecord, event_type
from streaming_etl.components.table.layout import resource_prefix
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import DeployedPipeline

# Without progress for so long, the changes count as not delivered.
DELIVERY_SECONDS = 30.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Failure:
    """A dead-lettered change, without its content."""

    event_id: str
    reason: str
    location: str
    """Object of the failed batch or the error record."""


@dataclass
class LakeTableDelivery:
    """What became of the changes that one lake table must have."""

    lake: Lake
    rows: int = 0
    failures: list[Failure] = field(default_factory=list)
    filtered: int = 0
    """Changes for which the transform returned no row."""
    missing: set[str] = field(default_factory=set)
    """Event ids of the other changes."""


class Delivery:
    """New changes of a pipeline's source table; create it before the writes."""

    def __init__(self, clients: Clients, pipeline: DeployedPipeline) -> None:
        self._clients, self.pipeline = clients, pipeline
        self._start_ms = int(time.time() * 1000)
        self._iterators = self._latest()
        self.changes = 0
        """Changes in the stream; a write that changes nothing is none."""
        self.unmatched = 0
        """Changes that no lake table must have."""
        self.unmatched_batches: dict[str, str] = {}
        """With `forwarder.unmatched: fail`, the failed batch of each of these, by event id."""
        self._unmatched_failures = set[str]()
        self.tables = [LakeTableDelivery(lake) for lake in lakes_of(clients, pipeline)]
        self._expected: dict[str, set[str]] = {}
        self._excluded = excluded_events(pipeline)

    def _latest(self) -> list[str]:
        streams, stream = self._clients("dynamodbstreams"), self.pipeline.source_stream_arn
        shards = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        return [
            streams.get_shard_iterator(
                StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
            )["ShardIterator"]
            for shard in shards
        ]

    def read(self) -> None:
        """Read the changes of all writes, which must have ended."""
        streams, records = self._clients("dynamodbstreams"), list[StreamRecord]()
        for first in self._iterators:
            iterator: str | None = first
            while iterator:
                page = streams.get_records(ShardIterator=iterator)
                records += page["Records"]
                iterator = page.get("NextShardIterator") if page["Records"] else None
        forwarded = [one for one in records if one["eventName"] not in self._excluded]
        for table in self.tables:
            lake = table.lake
            # A REMOVE of a stream without old images matches only without conditions.
            table.missing = {
                one["eventID"] for one in forwarded if not lake.rules or event_type(one, lake.where)
            }
            self._expected[table.lake.name] = set(table.missing)
        self.changes = len(records)
        matched = set[str]().union(*self._expected.values())
        self.unmatched = len(records) - len(matched)
        if unmatched_fails(self.pipeline):
            self._unmatched_failures = {one["eventID"] for one in forwarded} - matched

    @property
    def left(self) -> int:
        """The number of changes of which nothing is known."""
        left = sum(max(len(one.missing) - one.filtered, 0) for one in self.tables)
        return left + len(self._unmatched_failures) - len(self.unmatched_batches)

    def wait(
        self,
        advance: Callable[[float], None] = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> bool:
        """Wait until nothing is left; return whether that is so.

        advance: receives each number of changes that are no longer left.
        check: is called before each look.
        """
        last_progress = time.monotonic()
        while self.left:
            if time.monotonic() - last_progress > DELIVERY_SECONDS:
                return False
            left = self.left
            check()
            self.poll()
            if done := left - self.left:
                last_progress = time.monotonic()
                advance(done)
            elif self.left:
                time.sleep(POLL_SECONDS)
        return True

    def poll(self) -> None:
        """Look for rows, error records, failed batches and filtered changes."""
        batches = failed_batches(self._clients, self.pipeline)
        ids = sorted(self._unmatched_failures & batches.keys())
        self.unmatched_batches = {id_: batches[id_] for id_ in ids}
        for table in self.tables:
            if not table.missing:
                continue
            expected = self._expected[table.lake.name]
            counts = table.lake.row_counts()
            table.rows = sum(counts[id_] for id_ in expected & counts.keys())
            failed = {
                one.event_id: f"s3://{self.pipeline.bucket}/{one.key}"
                for one in table.lake.failed_changes()
            }
            locations = {**batches, **failed}
            table.failures = [
                Failure(id_, self._reason(table.lake, id_), locations[id_])
                for id_ in sorted(expected & locations.keys() - counts.keys())
            ]
            table.missing = expected - counts.keys() - locations.keys()
            table.filtered = self._filtered(table.lake) if table.missing else 0

    def _reason(self, lake: Lake, event_id: str) -> str:
        line = lake.failure_log(event_id)
        entry: Mapping[str, Any] = json.loads(line) if line else {}
        return (
            ": ".join(str(entry[key]) for key in ("message", "error") if key in entry)
            or "the logs have no reason"
        )

    def _filtered(self, lake: Lake) -> int:
        """Return the changes without a row, as the transform counts them."""
        prefix = resource_prefix(self.pipeline.oldest_name, lake.table.key)
        lines = lake.log_lines(
            '"transformed"', prefix=f"{prefix}-transform-logs-", since_ms=self._start_ms
        )
        return sum(json.loads(line)["filtered"] for line in lines)


def excluded_events(pipeline: DeployedPipeline) -> set[str]:
    """Return the event types that the forwarder does not send."""
    names: Sequence[str] | None = (pipeline.settings.get("forwarder") or {}).get("event_names")
    return {"INSERT", "MODIFY", "REMOVE"} - set(names) if names else set()


def unmatched_fails(pipeline: DeployedPipeline) -> bool:
    """Return whether a change without a lake table is a failed change."""
    return (pipeline.settings.get("forwarder") or {}).get("unmatched") == "fail"


def failed_batches(clients: Clients, pipeline: DeployedPipeline) -> dict[str, str]:
    """Return the failed batch of each change in one, by event id."""
    s3, found = clients("s3"), dict[str, str]()
    for key in list_objects(clients, pipeline.failed_batches_location):
        body = json.loads(s3.get_object(Bucket=pipeline.bucket, Key=key)["Body"].read())
        payload = body["payload"]
        event = json.loads(payload) if isinstance(payload, str) else payload
        found |= {one["eventID"]: f"s3://{pipeline.bucket}/{key}" for one in event["Records"]}
    return found
