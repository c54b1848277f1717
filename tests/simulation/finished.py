"""Finished run: its bucket, and what each change may have become."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tests.simulation.backfill import Backfill
from tests.simulation.expected import Code, Outcome, codes_of, old_image, outcome_of
from tests.simulation.filters import FILTERS
from tests.simulation.lake import ErrorRecord, Lake, Row
from tests.simulation.mapping import Mapping
from tests.simulation.merging import MergeStage
from tests.simulation.routing import routed
from tests.simulation.scenario import Scenario
from tests.simulation.table import Change, Table, attributes
from tests.simulation.world import World


@dataclass
class Run:
    """Finished run of one lake table, before or after the operator's replay."""

    world: World
    scenario: Scenario
    table: Table
    backfill: Backfill
    lake: Lake
    mapping: Mapping
    merge: MergeStage | None
    recovered: dict[str, Change] | None = None
    """After a replay: changes that it sent with the item of that time, by event id."""
    gone: set[str] = field(default_factory=set)
    """Changes that a replay does not send, because their items are deleted by now."""
    rows: list[Row] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    failed: list[list[dict[str, Any]]] = field(default_factory=list)

    def read(self) -> None:
        """Read all objects of the bucket, and merge them."""
        self.rows = list(self.lake.rows())
        self.errors = list(self.lake.errors())
        self.failed = list(self.lake.failed_batches())
        if self.merge is not None:
            if self.is_replayed:
                self.merge.merge_replayed()
            self.merge.advance(self.world.now)

    @property
    def is_replayed(self) -> bool:
        return self.recovered is not None

    @cached_property
    def written(self) -> dict[str, Change]:
        """All changes, snapshots and markers by event id."""
        return {**self.table.changes, **self.backfill.snapshots, **self.backfill.markers}

    @cached_property
    def changes(self) -> dict[str, Change]:
        """Those of the lake table, as it must have them."""
        routes = {name: routed(it, self.scenario.where) for name, it in self.written.items()}
        return {name: it for name, it in routes.items() if it is not None}

    @cached_property
    def outcomes(self) -> dict[str, list[Outcome]]:
        """Every correct outcome of each change."""
        return {event_id: self.outcomes_of(event_id) for event_id in self.changes}

    def outcomes_of(self, event_id: str) -> list[Outcome]:
        return [
            outcome_of(form, self.scenario, code)
            for form in self.forms(event_id)
            for code in codes_of(form, self.scenario, self.is_replayed)
        ]

    def forms(self, event_id: str) -> list[Change]:
        """Return the change as it was written, and as it was recovered."""
        forms = [self.changes[event_id]]
        if forms[0].kind == "BACKFILL":
            times = sorted(self.backfill.marker_times)
            return [replace(forms[0], at=at, sequence_number=str(at * 1000)) for at in times]
        if self.recovered and event_id in self.recovered:
            forms.append(self.recovered[event_id])
        return forms

    def possible_rows(self, event_id: str) -> list[Row]:
        return [row for outcome in self.outcomes[event_id] for row in outcome.rows]

    def forwarded_forms(self, event_id: str) -> list[dict[str, Any]]:
        """Return the change in each form that the forwarder may send."""
        return [
            trimmed(form, code)
            for form in self.forms(event_id)
            for code in codes_of(form, self.scenario, self.is_replayed)
        ]

    @cached_property
    def landed(self) -> dict[str, list[Row]]:
        """Rows of the lake by the event id of their change."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows[str(row.values.get("_event_id"))].append(row)
        return rows

    @cached_property
    def sent(self) -> set[str]:
        """Changes that the settings do not filter; snapshots are never filtered."""
        kinds = self.scenario.args.forwarder.event_names
        passes = FILTERS[self.scenario.filter_name].matches
        return {
            name
            for name, it in self.written.items()
            if name not in self.table.changes or (it.kind in kinds and passes(it))
        }

    @cached_property
    def matching(self) -> dict[str, Change]:
        """Changes that the lake table must have."""
        return {name: it for name, it in self.changes.items() if name in self.sent}

    @cached_property
    def dead_lettered(self) -> set[str]:
        """Changes in an error record or in a failed batch."""
        ids = {name for record in self.errors for name in record.event_ids}
        return ids | {record["eventID"] for batch in self.failed for record in batch}

    @cached_property
    def marked_epoch(self) -> str:
        """The newest stream with a marker in the lake, if any."""
        markers = self.backfill.markers
        epochs = (change.epoch for name, change in markers.items() if name in self.landed)
        return max(epochs, default="")

    def position_of(self, change: Change) -> tuple[str, int]:
        """Return what orders rows; those without an epoch are the oldest."""
        epochs = (str(row.values["_stream_epoch"]) for row in self.landed[change.event_id])
        return max(epochs), int(change.sequence_number)

    @cached_property
    def last_landed(self) -> dict[str, Change]:
        """Last change of each item since the marked stream, by key."""
        last: dict[str, Change] = {}
        for event_id in self.landed:
            change = self.changes.get(event_id)
            if change is None or change.kind == "BACKFILL":
                continue
            position = self.position_of(change)
            known = last.get(change.key)
            is_current = position[0] >= self.marked_epoch
            if is_current and (known is None or position > self.position_of(known)):
                last[change.key] = change
        return last

    def is_complete(self, event_id: str) -> bool:
        """Return whether the change was written, or its sender succeeded."""
        if self.changes[event_id].kind == "BACKFILL":
            return self.backfill.done > 0
        # Otherwise its page was read again, so the command does not count it.
        return event_id in self.table.changes or event_id in self.backfill.passed

    def has_landed_or_cannot(self, event_id: str) -> bool:
        """Return whether the change is in the lake or cannot be."""
        lost = event_id in self.mapping.trimmed or event_id in self.gone
        never = lost or any(not outcome.rows for outcome in self.outcomes[event_id])
        return event_id in self.landed or never or self.written[event_id].fits_no_record

    def has_ended(self, event_id: str) -> bool:
        lost = event_id in self.mapping.trimmed or event_id in self.gone
        stored = lost or event_id in self.landed or event_id in self.dead_lettered
        return stored or any(outcome.filtered for outcome in self.outcomes[event_id])


def trimmed(change: Change, code: Code) -> dict[str, Any]:
    """Return the change as the forwarder must send it."""
    record = change.record
    stream = record["dynamodb"]
    names = ("ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber")
    kept = {name: stream[name] for name in names if name in stream}
    old = old_image(change, code.old_image)
    if old is not None:
        kept["OldImage"] = attributes(old)
    outer: tuple[str, ...] = ("eventID", "eventName", "userIdentity")
    label = {"streamLabel": change.epoch} if code.has_label else {}
    return {**{name: record[name] for name in outer if name in record}, **label, "dynamodb": kept}
