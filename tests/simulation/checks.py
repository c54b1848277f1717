"""Six checks of a finished run; each yields a sentence per violation."""

import itertools
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.simulation.backfill import Backfill
from tests.simulation.current_state import current_state, expected_state
from tests.simulation.delivery import INVALID_SCHEMA
from tests.simulation.expected import Outcome, old_image, outcome_of
from tests.simulation.filters import FILTERS
from tests.simulation.lake import ErrorRecord, Lake, Row
from tests.simulation.scenario import Scenario
from tests.simulation.table import SECRET_NUMBER, Change, Table, attributes, compact, keys_of
from tests.simulation.user_module import SECRET
from tests.simulation.world import World

# Error code of a record that the transform dead-letters.
FAILED = "Lambda.ProcessingFailedStatus"
# Error code of a batch whose invocations all failed.
RETRIES_EXHAUSTED = "Lambda.FunctionError"


@dataclass
class Run:
    """Finished run."""

    world: World
    scenario: Scenario
    table: Table
    backfill: Backfill
    lake: Lake
    endless: str = ""
    """Why the run was stopped, if it was; the other checks then have no meaning."""
    rows: list[Row] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    failed: list[list[dict[str, Any]]] = field(default_factory=list)

    def read(self) -> None:
        """Read all objects of the bucket."""
        self.rows = list(self.lake.rows())
        self.errors = list(self.lake.errors())
        self.failed = list(self.lake.failed_batches())

    @cached_property
    def changes(self) -> dict[str, Change]:
        """All changes and snapshots by event id."""
        return {**self.table.changes, **self.backfill.snapshots}

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        return {name: outcome_of(change, self.scenario) for name, change in self.changes.items()}

    @cached_property
    def landed(self) -> dict[str, list[Row]]:
        """Rows of the lake by the event id of their change."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows[str(row.values.get("_event_id"))].append(row)
        return rows

    @cached_property
    def matching(self) -> dict[str, Change]:
        """Changes that the settings do not filter; snapshots are never filtered."""
        kinds = self.scenario.args.forwarder.event_names
        passes = FILTERS[self.scenario.filter_name].matches
        written = self.table.changes.items()
        matching = {name: it for name, it in written if it.kind in kinds and passes(it)}
        return matching | self.backfill.snapshots

    @cached_property
    def dead_lettered(self) -> set[str]:
        """Changes in an error record or in a failed batch."""
        ids = {name for record in self.errors for name in record.event_ids}
        return ids | {record["eventID"] for batch in self.failed for record in batch}

    @cached_property
    def last_landed(self) -> dict[str, Change]:
        """Last change of each item in the lake, by key."""
        last: dict[str, Change] = {}
        for event_id in self.landed:
            change = self.changes.get(event_id)
            if change is None:
                continue
            known = last.setdefault(change.key, change)
            if int(change.sequence_number) > int(known.sequence_number):
                last[change.key] = change
        return last

    def has_ended(self, event_id: str) -> bool:
        stored = event_id in self.landed or event_id in self.dead_lettered
        return stored or self.outcomes[event_id].filtered


def nothing_is_missing(run: Run) -> Iterator[str]:
    """Every change is in a row, error record or failed batch."""
    for event_id, change in run.matching.items():
        rows = run.outcomes[event_id].rows
        if event_id in run.landed:
            numbers = {str(row.values.get("_row")) for row in run.landed[event_id]}
            if len(numbers) < len(rows):
                yield f"{change.kind} {event_id} has {len(numbers)} of its {len(rows)} rows"
        elif change.kind == "SNAPSHOT" and event_id not in run.backfill.passed:
            # Its page was read again, so the command does not count it.
            continue
        elif not run.has_ended(event_id):
            yield f"{change.kind} {event_id} is missing"


def nothing_else_is_there(run: Run) -> Iterator[str]:
    """Every stored change is exact; the transform dead-letters only failed changes, alone."""
    for event_id, rows in run.landed.items():
        if event_id not in run.matching:
            yield f"a row of {event_id}, which was never written or is filtered"
            continue
        expected = {str(row.values["_row"]): row for row in run.outcomes[event_id].rows}
        for row in rows:
            names = differing_names(row, expected.get(str(row.values.get("_row"))), run.scenario)
            if names:
                yield f"a row of {event_id} differs in {names}"
    for record in run.errors:
        yield from wrong_error(record, run)
    for failed in itertools.chain(*run.failed):
        written = run.changes.get(failed["eventID"])
        if written is None or written.record != failed:
            yield f"a failed batch has a different {failed['eventID']}"


def wrong_error(record: ErrorRecord, run: Run) -> Iterator[str]:
    """Check one error record."""
    ids = record.event_ids
    if not ids or not run.matching.keys() >= set(ids):
        yield f"an error record ({record.code}) of a change that was never written"
        return
    for change in record.changes:
        if change != trimmed(run.matching[change["eventID"]], run.scenario):
            yield f"an error record has a different {change['eventID']}"
    for row in record.rows:
        if row not in [known.values for known in run.outcomes[row["_event_id"]].rows]:
            yield f"an error record has a different row of {row['_event_id']}"
    if record.code == FAILED:
        if len(ids) > 1 or not run.outcomes[ids[0]].fails:
            yield f"the transform dead-letters {', '.join(ids)}: not one failed change alone"
    elif record.code not in (RETRIES_EXHAUSTED, INVALID_SCHEMA):
        yield f"Firehose rejects a result: {record.code}"


def differing_names(row: Row, expected: Row | None, scenario: Scenario) -> str:
    """Return the names in which a row differs from the expected row."""
    if expected is None:
        return "no such row"
    names = [
        name
        for name in {**row.values, **expected.values}
        if row.values.get(name) != expected.values.get(name)
    ]
    names += [name for name, value in expected.folder.items() if row.folder.get(name) != value]
    if tuple(row.folder) != scenario.table.partition_keys:
        names.append("its folder")
    return ", ".join(names)


def trimmed(change: Change, scenario: Scenario) -> dict[str, Any]:
    """Return the change as the forwarder must send it."""
    record = change.record
    stream = record["dynamodb"]
    names = ("ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber")
    kept = {name: stream[name] for name in names if name in stream}
    old = old_image(change, scenario)
    if old is not None:
        kept["OldImage"] = attributes(old)
    outer: tuple[str, ...] = ("eventID", "eventName", "userIdentity")
    return {**{name: record[name] for name in outer if name in record}, "dynamodb": kept}


def the_current_state_is_the_table(run: Run) -> Iterator[str]:
    """The current state has each item's last change in the lake."""
    rows = [
        row.values
        for change in run.last_landed.values()
        if change.kind != "REMOVE"
        for row in run.outcomes[change.event_id].rows
    ]
    expected = expected_state(rows, run.scenario)
    state = current_state(run.rows, run.scenario) if run.rows else []
    if state != expected:
        more, less = Counter(state) - Counter(expected), Counter(expected) - Counter(state)
        yield (
            f"the current state has {more.total()} unexpected rows and lacks {less.total()} of"
            f" {len(expected)}"
        )


def the_backfill_is_complete(run: Run) -> Iterator[str]:
    """Every scanned item has a snapshot; the lake equals the table."""
    if run.scenario.backfill is None:
        return
    if run.backfill.done < run.scenario.backfill.runs:
        yield "the backfill is not complete"
    scanned = {change.key for name, change in run.backfill.snapshots.items() if run.has_ended(name)}
    for which in run.backfill.always:
        if key_of(which) not in scanned:
            yield f"item {which} was in the table during the scan, but has no snapshot"
    last = run.last_landed
    written = defaultdict(list)
    for event_id, change in run.table.changes.items():
        written[change.key].append(event_id in run.landed)
    for which in {*run.table.items, *run.table.removed}:
        key = key_of(which)
        if key in last and all(written[key]):
            item = run.table.items.get(which)
            if last[key].new != item:
                yield f"item {which} differs between lake and table"


def key_of(which: int) -> str:
    return compact(attributes(keys_of(which)))


def everything_ended(run: Run) -> Iterator[str]:
    """No endless retry, no failure without a fault, and no invalid call."""
    yield from run.world.violations


def logs_have_no_content(run: Run) -> Iterator[str]:
    """The functions print no part of a change, plain or as base64."""
    secret = SECRET.encode()
    # Base64 of a text depends on its position modulo 3; its ends are ignored.
    encoded = [b64encode(b"\0" * shift + secret).decode()[4:-4] for shift in range(3)]
    forms = [SECRET, str(SECRET_NUMBER)[:12], *encoded]
    for text in run.world.logs:
        for line in text.splitlines():
            if any(form in line for form in forms):
                yield "a log line has content of a change"


Check = Callable[[Run], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    nothing_is_missing,
    nothing_else_is_there,
    the_current_state_is_the_table,
    the_backfill_is_complete,
    everything_ended,
    logs_have_no_content,
)
