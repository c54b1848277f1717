"""Event source mapping: parallel batches, retries, bisecting, failed batches."""

import json
from collections import defaultdict, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zlib import crc32

from streaming_etl.components.monitoring.alarms import PERIOD_SECONDS
from streaming_etl.components.stages import forwarder as forwarder_stage
from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX
from tests.simulation import filters
from tests.simulation.functions import MAX_PAYLOAD_BYTES, Function, InvocationResult
from tests.simulation.lake import Lake
from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.routing import is_unmatched
from tests.simulation.scenario import Scenario
from tests.simulation.table import Change
from tests.simulation.world import EndlessError, World

EMPTY_EVENT_BYTES = len('{"Records": []}')


@dataclass(frozen=True)
class Batch:
    """Changes of one invocation."""

    changes: list[Change]
    retries: int = 0
    attempts: int = 0
    """Invocations and throttles so far, which make the pauses longer."""


@dataclass
class ShardPoller:
    """Queue of some items' changes, with one batch at a time."""

    waiting: deque[tuple[float, Change]] = field(default_factory=deque)
    size: int = 0
    """Bytes of the waiting changes."""
    batches: deque[Batch] = field(default_factory=deque)
    """Parts of the current batch, in order."""
    busy: bool = False

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.batches or self.busy)


class Mapping:
    """Reads the shards, children after their parent, and invokes the forwarder."""

    def __init__(self, world: World, scenario: Scenario, forwarder: Function, lake: Lake) -> None:
        self.world, self.scenario = world, scenario
        self.forwarder, self.lake = forwarder, lake
        self.settings = scenario.args.forwarder
        self.pollers: dict[str, list[ShardPoller]] = defaultdict(
            lambda: [ShardPoller() for _ in range(self.settings.parallelization_factor)]
        )
        self.blocked: list[Change] = []
        """Changes of child shards before their parent is done."""
        self.read = 0
        self.repeats = 0
        self.trimmed: dict[str, Change] = {}
        """Changes that expired in the stream before they were read."""
        self.outage = scenario.outage
        if self.outage.is_disabled and self.outage.end > world.now:
            world.after(self.outage.end - world.now, self.enable)

    def publish(self, change: Change, parent: str | None) -> None:
        """Publish a change, which is read from its shard a little later."""
        if not self.passes_filters(change):
            self.world.trace("filtered", change.event_id)
            self.world.events["changes filtered by the mapping"] += 1
            return
        self.read += 1
        if parent is None:
            self.world.after(0.25, self.receive, change)
        else:
            # A parent gets no changes after its split.
            self.blocked.append(change)
            self.world.after(0.25, self.release, parent)

    def passes_filters(self, change: Change) -> bool:
        """Return whether the mapping's patterns include the change."""
        if not self.settings.filter_patterns and not self.scenario.mapping_filters:
            return True
        return filters.matches(forwarder_stage.filter_patterns(self.settings), change.record)

    def release(self, parent: str) -> None:
        """Receive the children's changes after the parent is done."""
        if not self.blocked:
            return
        if not all(poller.idle for poller in self.pollers[parent]):
            is_outage = self.outage.start <= self.world.now < self.outage.end
            self.world.after(600 if is_outage else 1, self.release, parent)
            return
        blocked, self.blocked = self.blocked, []
        for change in blocked:
            self.receive(change)

    def receive(self, change: Change) -> None:
        pollers = self.pollers[change.shard]
        poller = pollers[crc32(change.key.encode()) % len(pollers)]
        poller.waiting.append((self.world.now, change))
        poller.size += change.size + len(", ")
        self.continue_poller(poller)
        self.world.after(self.scenario.args.batching_window_seconds, self.continue_poller, poller)

    def continue_poller(self, poller: ShardPoller) -> None:
        """Continue the current batch, or begin one if it is due."""
        if poller.busy:
            return
        if self.outage.disables(self.world.now):
            self.give_back(poller)
            return
        if not poller.batches:
            batch = self.cut(poller)
            if batch is None:
                return
            poller.batches.append(batch)
        poller.busy = True
        batch = poller.batches[0]
        longest = 600 if self.outage.throttles(self.world.now) else 30
        pause = 0.0 if not batch.attempts else min(longest, 0.5 * 2 ** min(batch.attempts, 20))
        self.world.after(pause, self.attempt, poller)

    def give_back(self, poller: ShardPoller) -> None:
        """Read the current batch again from the stream, after the outage."""
        changes = [change for batch in poller.batches for change in batch.changes]
        poller.batches.clear()
        self.repeats += len(changes)
        for change in reversed(changes):
            poller.waiting.appendleft((change.at, change))
            poller.size += change.size + len(", ")

    def count_polls(self, until: float) -> None:
        """Add the metric of polls, which also counts empty ones."""
        world = self.world
        for period in range(world.metrics.period(until)):
            time = world.metrics.start + (period + 0.5) * PERIOD_SECONDS
            if not self.outage.disables(time):
                world.metrics.put("mapping", "PolledEventCount", time, 0)

    def enable(self) -> None:
        """Continue after the mapping was disabled."""
        for pollers in list(self.pollers.values()):
            for poller in pollers:
                self.continue_poller(poller)

    def trim(self, poller: ShardPoller) -> None:
        """Remove the changes that have expired in the stream."""
        oldest = self.world.now - RETENTION_SECONDS
        while poller.waiting and poller.waiting[0][1].at < oldest:
            _, change = poller.waiting.popleft()
            poller.size -= change.size + len(", ")
            self.trimmed[change.event_id] = change
            self.world.events["changes trimmed"] += 1
            self.world.trace("trimmed", change.event_id)

    def cut(self, poller: ShardPoller) -> Batch | None:
        """Return the next batch of a poller."""
        most = MAX_PAYLOAD_BYTES - EMPTY_EVENT_BYTES
        self.trim(poller)
        if not poller.waiting:
            return None
        due = poller.waiting[0][0] + self.scenario.args.batching_window_seconds
        full = len(poller.waiting) >= self.settings.batch_size or poller.size > most
        if not full and self.world.now < due:
            return None
        changes: list[Change] = []
        size = 0
        while poller.waiting and len(changes) < self.settings.batch_size:
            size += poller.waiting[0][1].size + len(", ")
            if size > most:
                break
            changes.append(poller.waiting.popleft()[1])
            poller.size -= changes[-1].size + len(", ")
        return Batch(changes)

    def attempt(self, poller: ShardPoller) -> None:
        """Invoke the forwarder with the poller's first batch, without old changes."""
        if self.outage.disables(self.world.now):
            self.finish(poller)
            return
        batch = poller.batches.popleft()
        oldest = self.world.now - self.settings.maximum_record_age_seconds
        young = [change for change in batch.changes if change.at >= oldest]
        if len(young) < len(batch.changes):
            self.dead_letter([c for c in batch.changes if c.at < oldest], "RecordAgeExceeded")
        if not young:
            self.finish(poller)
            return
        batch = replace(batch, changes=young, attempts=batch.attempts + 1)
        poller.batches.appendleft(batch)
        if self.is_throttled():
            # A throttle does not count as a retry.
            self.world.after(0.1, self.finish, poller)
            return
        # Every invocation ends a change, bisects a batch, or is a retry or a repeat.
        most = self.read * (3 + self.settings.maximum_retry_attempts) + self.repeats
        if self.forwarder.invocations >= most:
            raise EndlessError(f"the forwarder is invoked more than {most} times")
        result = self.forwarder.invoke(
            '{"Records": [' + ", ".join([change.text for change in young]) + "]}"
        )
        self.world.after(result.seconds, self.settle, poller, result)

    def is_throttled(self) -> bool:
        throttled = self.outage.throttles(self.world.now)
        if throttled or self.world.occurs("forwarder is throttled"):
            self.world.metrics.put("forwarder", "Throttles", self.world.now)
            return True
        return False

    def finish(self, poller: ShardPoller) -> None:
        poller.busy = False
        self.continue_poller(poller)

    def settle(self, poller: ShardPoller, result: InvocationResult) -> None:
        """Continue, bisect, retry or dead-letter the batch."""
        batch = poller.batches.popleft()
        # A batch that the function does not process has no age.
        # https://docs.aws.amazon.com/lambda/latest/dg/events-dynamodb-metrics.html
        age = self.world.now - batch.changes[-1].at
        self.world.metrics.put("forwarder", "IteratorAge", self.world.now, age * 1000)
        first = first_failure(batch.changes, result.response) if result.ok else 0
        self.check(batch, result, first)
        if first is None and self.world.occurs("mapping repeats a batch"):
            self.repeats += 1
            poller.batches.appendleft(batch)
        elif first is None:
            self.world.trace("done", *(change.event_id for change in batch.changes))
        elif first > 0:
            # A partial success bisects at the reported failure; only the later part is retried.
            # https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
            self.world.events["partial failures"] += 1
            poller.batches.appendleft(replace(batch, changes=batch.changes[first:], attempts=0))
        elif len(batch.changes) > 1 and (not result.ok or self.scenario.bisects_without_progress):
            self.world.events["bisects"] += 1
            middle = len(batch.changes) // 2
            poller.batches.appendleft(replace(batch, changes=batch.changes[middle:], attempts=0))
            poller.batches.appendleft(replace(batch, changes=batch.changes[:middle]))
        elif batch.retries < self.settings.maximum_retry_attempts:
            self.world.events["retries"] += 1
            poller.batches.appendleft(replace(batch, retries=batch.retries + 1))
        else:
            if len(batch.changes) > 1 and not result.had_fault:
                self.world.violations.append("a failed change takes others to the failed batches")
            self.dead_letter(batch.changes, "RetryAttemptsExhausted")
        self.finish(poller)

    def check(self, batch: Batch, result: InvocationResult, first: int | None) -> None:
        """Note a failure without a fault or an oversized change."""
        if first is None or result.had_fault:
            return
        rejects = self.scenario.unmatched == "fail"
        if not any(
            change.fits_no_record or (rejects and is_unmatched(change, self.scenario))
            for change in batch.changes
        ):
            self.world.violations.append("the forwarder reports a failure without a cause")

    def dead_letter(self, changes: list[Change], condition: str) -> None:
        """Write the batch to the failure destination.

        https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
        """
        self.world.events[f"failed batches, {condition}"] += 1
        self.world.trace("dead-lettered", condition, *(change.event_id for change in changes))
        metric = "OnFailureDestinationDeliveredEventCount"
        self.world.metrics.put("mapping", metric, self.world.now, len(changes))
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
    """Return the index of the first failed change; None for success.

    An invalid response means that all changes failed.

    https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
    """
    failures = response.get("batchItemFailures") if isinstance(response, dict) else response
    if not failures:
        return None
    if not isinstance(failures, list):
        return 0
    places = {change.sequence_number: place for place, change in enumerate(changes)}
    numbers = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in failures]
    return min(places.get(str(number), 0) for number in numbers)
