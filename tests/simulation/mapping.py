"""The event source mapping: batches in parallel lanes, retries, bisecting, age, failed batches."""

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX
from tests.simulation.functions import MAX_PAYLOAD_BYTES, Answer, Function
from tests.simulation.lake import Lake
from tests.simulation.scenario import Scenario
from tests.simulation.table import Change
from tests.simulation.world import EndlessError, World

EMPTY_EVENT_BYTES = len('{"Records": []}')


@dataclass(frozen=True)
class Batch:
    """Changes that are sent together; `tries` are the failures that counted as retries."""

    changes: list[Change]
    tries: int = 0
    calls: int = 0
    """Invocations, and what kept them from being made, so far: the pauses grow with them."""


@dataclass
class Lane:
    """One of a shard's parallel batches: the items that hash to it, in order, one batch a time."""

    waiting: deque[tuple[float, Change]] = field(default_factory=deque)
    size: int = 0
    """Bytes of what waits."""
    batches: deque[Batch] = field(default_factory=deque)
    """What is left of the batch under way, parts in order."""
    busy: bool = False

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.batches or self.busy)


class Mapping:
    """Reads the shards, a child after its parent, and calls the forwarder."""

    def __init__(self, world: World, scenario: Scenario, forwarder: Function, lake: Lake) -> None:
        self.world, self.scenario = world, scenario
        self.forwarder, self.lake = forwarder, lake
        self.settings = scenario.args.forwarder
        self.lanes: dict[str, list[Lane]] = defaultdict(
            lambda: [Lane() for _ in range(self.settings.parallelization_factor)]
        )
        self.held: list[Change] = []
        """The changes of a child shard whose parent is not at its end."""
        self.read = 0
        self.repeats = 0

    def publish(self, change: Change, parent: str | None) -> None:
        """Take a change that the table wrote; it is read from its shard a little later."""
        if self.scenario.mapping_filters and change.kind not in self.settings.event_names:
            return
        self.read += 1
        if parent is None:
            self.world.after(0.25, self.receive, change)
        else:
            # The parent takes no more changes once it has split.
            self.held.append(change)
            self.world.after(0.25, self.release, parent)

    def release(self, parent: str) -> None:
        """Let the children's changes go if the parent is drained, else look again later."""
        if not self.held:
            return
        if not all(lane.idle for lane in self.lanes[parent]):
            self.world.after(1, self.release, parent)
            return
        held, self.held = self.held, []
        for change in held:
            self.receive(change)

    def receive(self, change: Change) -> None:
        lanes = self.lanes[change.shard]
        lane = lanes[crc32(change.key.encode()) % len(lanes)]
        lane.waiting.append((self.world.now, change))
        lane.size += change.size + len(", ")
        self.consider(lane)
        self.world.after(self.settings.batching_window_seconds, self.consider, lane)

    def consider(self, lane: Lane) -> None:
        """Go on with the batch under way, or begin one if it is full or has waited long enough."""
        if lane.busy:
            return
        if not lane.batches:
            batch = self.cut(lane)
            if batch is None:
                return
            lane.batches.append(batch)
        lane.busy = True
        batch = lane.batches[0]
        pause = 0.0 if not batch.calls else min(30, 0.5 * 2**batch.calls)
        self.world.after(pause, self.attempt, lane)

    def cut(self, lane: Lane) -> Batch | None:
        """The next batch of what waits in a lane."""
        most = MAX_PAYLOAD_BYTES - EMPTY_EVENT_BYTES
        if not lane.waiting:
            return None
        due = lane.waiting[0][0] + self.settings.batching_window_seconds
        full = len(lane.waiting) >= self.settings.batch_size or lane.size > most
        if not full and self.world.now < due:
            return None
        changes: list[Change] = []
        size = 0
        while lane.waiting and len(changes) < self.settings.batch_size:
            size += lane.waiting[0][1].size + len(", ")
            if size > most:
                break
            changes.append(lane.waiting.popleft()[1])
            lane.size -= changes[-1].size + len(", ")
        return Batch(changes)

    def attempt(self, lane: Lane) -> None:
        """Send the first batch of the lane, without what has become too old."""
        batch = lane.batches.popleft()
        oldest = self.world.now - self.settings.maximum_record_age_seconds
        young = [change for change in batch.changes if change.at >= oldest]
        if len(young) < len(batch.changes):
            self.set_aside([c for c in batch.changes if c.at < oldest], "RecordAgeExceeded")
        if not young:
            self.go_on(lane)
            return
        batch = replace(batch, changes=young, calls=batch.calls + 1)
        lane.batches.appendleft(batch)
        if self.world.strikes("forwarder is throttled"):
            # Neither this nor an error of Lambda's own counts as a retry.
            self.world.after(0.1, self.go_on, lane)
            return
        # Every invocation ends a change, halves a batch or is a retry, unless it is repeated.
        most = self.read * (3 + self.settings.maximum_retry_attempts) + self.repeats
        if self.forwarder.invocations >= most:
            raise EndlessError(f"the forwarder is invoked more than {most} times")
        answer = self.forwarder.invoke(
            '{"Records": [' + ", ".join([change.text for change in young]) + "]}"
        )
        self.world.after(answer.seconds, self.settle, lane, answer)

    def go_on(self, lane: Lane) -> None:
        lane.busy = False
        self.consider(lane)

    def settle(self, lane: Lane, answer: Answer) -> None:
        """Do with the batch what the answer asks for."""
        batch = lane.batches.popleft()
        first = first_failure(batch.changes, answer.response) if answer.ok else 0
        self.complain(batch, answer, first)
        if first is None and self.world.strikes("mapping repeats a batch"):
            self.repeats += 1
            lane.batches.appendleft(batch)
        elif first is None:
            self.world.trace("done", *(change.event_id for change in batch.changes))
        elif first > 0:
            # A partial success bisects at the failure reported; only the rest is sent again.
            # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
            self.world.events["partial failures"] += 1
            lane.batches.appendleft(replace(batch, changes=batch.changes[first:], calls=0))
        elif len(batch.changes) > 1 and (not answer.ok or self.scenario.halves_without_progress):
            self.world.events["bisects"] += 1
            middle = len(batch.changes) // 2
            lane.batches.appendleft(replace(batch, changes=batch.changes[middle:], calls=0))
            lane.batches.appendleft(replace(batch, changes=batch.changes[:middle]))
        elif batch.tries < self.settings.maximum_retry_attempts:
            self.world.events["retries"] += 1
            lane.batches.appendleft(replace(batch, tries=batch.tries + 1))
        else:
            if len(batch.changes) > 1 and not answer.struck:
                self.world.complaints.append("a bad change takes others to the failed batches")
            self.set_aside(batch.changes, "RetryAttemptsExhausted")
        self.go_on(lane)

    def complain(self, batch: Batch, answer: Answer, first: int | None) -> None:
        """Note a failure told where no fault struck and every change fits into a record."""
        if first is None or answer.struck:
            return
        if not any(change.fits_no_record for change in batch.changes):
            self.world.complaints.append("the forwarder tells a failure without a cause")

    def set_aside(self, changes: list[Change], condition: str) -> None:
        """Write the whole batch to the on-failure destination.

        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        self.world.events[f"failed batches, {condition}"] += 1
        self.world.trace("set aside", condition, *(change.event_id for change in changes))
        now = datetime.fromtimestamp(self.world.now, UTC)
        number = len(self.lake.objects)
        shard = f"shardId-{changes[0].shard}"
        key = (
            f"{FAILED_BATCHES_PREFIX}uuid-of-mapping/{shard}/{now:%Y/%m/%d}/"
            f"{now:%Y-%m-%dT%H.%M.%S}-{number:08}"
        )
        body = {
            "requestContext": {"condition": condition},
            "version": "1.0",
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": changes[0].sequence_number,
                "endSequenceNumber": changes[-1].sequence_number,
                "batchSize": len(changes),
            },
            "payload": json.dumps({"Records": [change.record for change in changes]}),
        }
        self.lake.put(key, json.dumps(body).encode())


def first_failure(changes: list[Change], response: Any) -> int | None:
    """The index of the first change to send again; None for success, 0 for what is malformed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    failures = response.get("batchItemFailures") if isinstance(response, dict) else response
    if not failures:
        return None
    if not isinstance(failures, list):
        return 0
    places = {change.sequence_number: place for place, change in enumerate(changes)}
    reported = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return min(places.get(str(number), 0) for number in reported)
