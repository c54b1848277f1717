"""The six checks after a run that has drained; each gives sentences, none when all is well."""

import itertools
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tests.simulation.backfill import Backfill
from tests.simulation.current_state import current_state, expected_state
from tests.simulation.expected import Outcome, old_image, outcome_of
from tests.simulation.lake import ErrorRecord, Lake, Row
from tests.simulation.scenario import Scenario
from tests.simulation.table import SECRET_NUMBER, Change, Table, attributes, compact, keys_of
from tests.simulation.user_module import SECRET
from tests.simulation.world import World

# The error code under which the transform itself sets a record aside.
REFUSED = "Lambda.ProcessingFailedStatus"
# The one under which a batch goes there whose invocations all failed.
GIVEN_UP = "Lambda.FunctionError"


@dataclass
class Run:
    """A run at its end."""

    world: World
    scenario: Scenario
    table: Table
    backfill: Backfill
    lake: Lake
    endless: str = ""
    """Why the run was stopped before its end, if it was; the checks then have no meaning."""
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
        """All that was written, and all that a backfill read, by event id."""
        return {**self.table.changes, **self.backfill.snapshots}

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        return {name: outcome_of(change, self.scenario) for name, change in self.changes.items()}

    @cached_property
    def landed(self) -> dict[str, list[Row]]:
        """The lake's rows by the change they name."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            found[str(row.values.get("_event_id"))].append(row)
        return found

    @cached_property
    def wanted(self) -> dict[str, Change]:
        """The changes that the settings do not filter out; a snapshot they do not concern."""
        kinds = {*self.scenario.args.forwarder.event_names, "SNAPSHOT"}
        return {name: change for name, change in self.changes.items() if change.kind in kinds}

    @cached_property
    def set_aside(self) -> set[str]:
        """The changes in the error output or in a failed batch."""
        found = {change["eventID"] for record in self.errors for change in record.changes}
        return found | {record["eventID"] for batch in self.failed for record in batch}

    @cached_property
    def last_landed(self) -> dict[str, Change]:
        """The last change of each item that reached the lake, by the item's key."""
        last: dict[str, Change] = {}
        for event_id in self.landed:
            change = self.changes.get(event_id)
            if change is None:
                continue
            known = last.setdefault(change.key, change)
            if int(change.sequence_number) > int(known.sequence_number):
                last[change.key] = change
        return last

    def is_somewhere(self, event_id: str) -> bool:
        known = event_id in self.landed or event_id in self.set_aside
        return known or self.outcomes[event_id].left_out


def nothing_is_missing(run: Run) -> Iterator[str]:
    """Every change is a row in the lake, a record in the error output or in a failed batch."""
    for event_id, change in run.wanted.items():
        rows = run.outcomes[event_id].rows
        if event_id in run.landed:
            here = {str(row.values.get("_row")) for row in run.landed[event_id]}
            if len(here) < len(rows):
                yield f"{change.kind} {event_id} has {len(here)} of its {len(rows)} rows"
        elif change.kind == "SNAPSHOT" and event_id not in run.backfill.passed:
            # Of a page that was read again: the command takes it for nothing.
            continue
        elif not run.is_somewhere(event_id):
            yield f"{change.kind} {event_id} is nowhere"


def nothing_else_is_there(run: Run) -> Iterator[str]:
    """What is there was written so; what the transform sets aside is one bad change alone."""
    for event_id, rows in run.landed.items():
        if event_id not in run.wanted:
            yield f"a row of {event_id}, which was never written or not wanted"
            continue
        expected = {str(row.values["_row"]): row for row in run.outcomes[event_id].rows}
        for row in rows:
            other = differs(row, expected.get(str(row.values.get("_row"))), run.scenario)
            if other:
                yield f"a row of {event_id} is not as expected: {other}"
    for record in run.errors:
        yield from wrong_error(record, run)
    for failed in itertools.chain(*run.failed):
        written = run.changes.get(failed["eventID"])
        if written is None or written.record != failed:
            yield f"a failed batch holds {failed['eventID']} not as written"


def wrong_error(record: ErrorRecord, run: Run) -> Iterator[str]:
    """What is wrong with a record in the error output."""
    ids = [change.get("eventID", "something") for change in record.changes]
    if not ids or not run.wanted.keys() >= set(ids):
        yield f"an error record ({record.code}) of a change that was never written"
        return
    for event_id, change in zip(ids, record.changes, strict=True):
        if change != trimmed(run.wanted[event_id], run.scenario):
            yield f"an error record of {event_id} is not the change as written"
    if record.code == REFUSED:
        if len(ids) > 1 or not run.outcomes[ids[0]].bad:
            yield f"the transform sets aside {', '.join(ids)}: not one bad change alone"
    elif record.code != GIVEN_UP:
        yield f"Firehose cannot take an answer: {record.code}"


def differs(row: Row, expected: Row | None, scenario: Scenario) -> str:
    """In which names a row differs from what it must be."""
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
    """The change as it must travel."""
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
    """The current-state query answers, for each item, its last change that reached the lake."""
    rows = [
        row.values
        for change in run.last_landed.values()
        if change.kind != "REMOVE"
        for row in run.outcomes[change.event_id].rows
    ]
    expected = expected_state(rows, run.scenario)
    found = current_state(run.rows, run.scenario) if run.rows else []
    if found != expected:
        more, less = Counter(found) - Counter(expected), Counter(expected) - Counter(found)
        yield (
            f"the current state has {more.total()} rows too many and lacks {less.total()}, of"
            f" {len(expected)}"
        )


def the_backfill_is_whole(run: Run) -> Iterator[str]:
    """Every item that was there all through a scan has a snapshot; the lake tells of the table."""
    if run.scenario.backfill is None:
        return
    if run.backfill.done < run.scenario.backfill.runs:
        yield "the backfill did not come to its end"
    scanned = {
        change.key for name, change in run.backfill.snapshots.items() if run.is_somewhere(name)
    }
    for which in run.backfill.always:
        if key_of(which) not in scanned:
            yield f"item {which} was in the table all the time, and its snapshot is nowhere"
    last = run.last_landed
    written = defaultdict(list)
    for event_id, change in run.table.changes.items():
        written[change.key].append(event_id in run.landed)
    for which in {*run.table.items, *run.table.removed}:
        key = key_of(which)
        if key in last and all(written[key]):
            item = run.table.items.get(which)
            if last[key].new != item:
                yield f"the last that the lake tells of item {which} is not what the table holds"


def key_of(which: int) -> str:
    return compact(attributes(keys_of(which)))


def everything_ended(run: Run) -> Iterator[str]:
    """No loop, and no function that fails, or makes a wrong call, by itself."""
    yield from run.world.complaints


def nothing_is_told_in_logs(run: Run) -> Iterator[str]:
    """No part of a change in what the functions print, plain or as base64."""
    secret = SECRET.encode()
    # Base64 of a text depends on where in three bytes it begins; its ends are cut off.
    encoded = [b64encode(b"\0" * shift + secret).decode()[4:-4] for shift in range(3)]
    forms = [SECRET, str(SECRET_NUMBER)[:12], *encoded]
    for text in run.world.logs:
        for line in text.splitlines():
            if any(form in line for form in forms):
                yield "a log line tells of a change"


Check = Callable[[Run], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    nothing_is_missing,
    nothing_else_is_there,
    the_current_state_is_the_table,
    the_backfill_is_whole,
    everything_ended,
    nothing_is_told_in_logs,
)
