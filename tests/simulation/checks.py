"""Checks of a finished run; each yields a sentence per violation."""

import itertools
from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from streaming_etl.components.monitoring import alarms
from streaming_etl.components.monitoring.alarms import PERIOD_SECONDS
from tests.simulation.current_state import current_state, expected_state
from tests.simulation.delivery import INVALID_SCHEMA
from tests.simulation.finished import Run
from tests.simulation.lake import ErrorRecord, Row
from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.routing import matches
from tests.simulation.scenario import Scenario
from tests.simulation.table import SECRET_NUMBER, attributes, compact, keys_of
from tests.simulation.user_module import SECRET
from tests.simulation.world import STREAM_FAULTS

# Error code of a record that the transform dead-letters.
FAILED = "Lambda.ProcessingFailedStatus"
# Error code of a batch whose invocations all failed.
RETRIES_EXHAUSTED = "Lambda.FunctionError"


def nothing_is_missing(run: Run) -> Iterator[str]:
    """Every change is in a row, error record or failed batch."""
    for event_id, change in run.matching.items():
        if event_id in run.landed:
            counts = [len(it.rows) for it in run.outcomes[event_id] if it.rows]
            numbers = {str(row.values.get("_row")) for row in run.landed[event_id]}
            if len(numbers) < min(counts, default=0):
                yield f"{change.kind} {event_id} has {len(numbers)} of its {counts} rows"
        elif not run.is_complete(event_id):
            continue
        elif not run.has_ended(event_id):
            yield f"{change.kind} {event_id} is missing"


def nothing_else_is_there(run: Run) -> Iterator[str]:
    """Every stored change is exact; the transform dead-letters only failed changes, alone."""
    for event_id, rows in run.landed.items():
        if event_id not in run.matching:
            yield f"a row of {event_id}, which was never written or is filtered"
            continue
        expected = defaultdict(list)
        for row in run.possible_rows(event_id):
            expected[str(row.values["_row"])].append(row)
        for row in rows:
            possible = expected[str(row.values.get("_row"))] or [None]
            names = [differing_names(row, one, run.scenario) for one in possible]
            if all(names):
                yield f"a row of {event_id} differs in {' or in '.join(names)}"
    for record in run.errors:
        yield from wrong_error(record, run)
    for failed in itertools.chain(*run.failed):
        written = run.table.changes.get(failed["eventID"])
        if written is None or written.record != failed:
            yield f"a failed batch has a different {failed['eventID']}"


def wrong_error(record: ErrorRecord, run: Run) -> Iterator[str]:
    """Check one error record."""
    ids = record.event_ids
    if not ids or not run.matching.keys() >= set(ids):
        yield f"an error record ({record.code}) of a change that was never written"
        return
    for change in record.changes:
        if change not in run.forwarded_forms(change["eventID"]):
            yield f"an error record has a different {change['eventID']}"
    for row in record.rows:
        if row not in [known.values for known in run.possible_rows(row["_event_id"])]:
            yield f"an error record has a different row of {row['_event_id']}"
    if record.code == FAILED:
        if len(ids) > 1 or not any(it.fails for it in run.outcomes[ids[0]]):
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


def the_current_state_is_the_table(run: Run) -> Iterator[str]:
    """The current state has each item's last change in the lake."""
    state = Counter(current_state(run.rows, run.scenario) if run.rows else [])
    lacking = total = 0
    for change in run.last_landed.values():
        epoch, _ = run.position_of(change)
        copies: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for row in run.landed[change.event_id] if change.kind != "REMOVE" else ():
            if row.values["_stream_epoch"] == epoch:
                copies[str(row.values["_row"])].append(row.values)
        for same in copies.values():
            # Copies differ if a recovered change has another image, or after a deployment: one of
            # them is current. The query of a crawled table removes equal copies only.
            distinct = [row for index, row in enumerate(same) if row not in same[:index]]
            found = state & Counter(expected_state(distinct, run.scenario))
            state -= found if run.scenario.table.columns is None else Counter([*found][:1])
            total += 1
            lacking += not found
    if state.total() or lacking:
        yield (
            f"the current state has {state.total()} unexpected rows and lacks {lacking} of {total}"
        )


def merged_rows_and_window_are_the_state(run: Run) -> Iterator[str]:
    """View and merged table have the change log's state at any time."""
    if run.merge is not None:
        yield from run.merge.violations


def the_backfill_is_complete(run: Run) -> Iterator[str]:
    """Every scanned item has a snapshot; the lake equals the table."""
    if run.scenario.backfill is None:
        return
    if run.backfill.done < run.scenario.backfill.runs:
        yield "the backfill is not complete"
    scanned = {
        change.key
        for name, change in run.backfill.snapshots.items()
        if name not in run.changes or run.has_ended(name)
    }
    for which in run.backfill.always:
        if key_of(which) not in scanned:
            yield f"item {which} was in the table during the scan, but has no snapshot"


def the_lake_has_the_items(run: Run) -> Iterator[str]:
    """The lake's last states are the items that match `where`.

    Items whose changes are dead-lettered, filtered or lost are not compared.
    """
    # Rows without an epoch are older than a replayed change, so failures are replayed before.
    has_labels = run.scenario.deploy is None or run.scenario.deploy.has_label
    if not has_labels or (run.scenario.recreation and run.marked_epoch != run.table.epoch):
        return
    last = run.last_landed
    known = defaultdict(list)
    for event_id, change in run.changes.items():
        if change.epoch == run.table.epoch and run.is_complete(event_id):
            is_missing = event_id in run.matching and not run.has_ended(event_id)
            known[change.key].append(event_id in run.landed or is_missing)
    # Otherwise the lake may lack an item that was written before the stream.
    is_full = run.scenario.backfill is None or run.marked_epoch == run.table.epoch
    for which in {*run.table.items, *range(run.scenario.keys)}:
        key = key_of(which)
        item = run.table.items.get(which)
        expected = item if matches(item, run.scenario.where) else None
        is_known = is_full or key in last
        if is_known and all(known[key]) and (last[key].new if key in last else None) != expected:
            yield f"item {which} differs between lake and table"


def a_failing_stream_stops_no_other(run: Run) -> Iterator[str]:
    """While one stream fails, the others get all their changes."""
    scenario, world = run.scenario, run.world
    is_only_fault = world.faults.keys() <= {*STREAM_FAULTS} - {"one stream is slow"}
    # A change that fails for all lake tables stops those after it in its batch.
    stops = scenario.unmatched == "fail" or scenario.large
    if (
        scenario.failing_stream in (None, scenario.name)
        or not is_only_fault
        or stops
        or run.is_replayed
        or world.events["failed batches, RecordAgeExceeded"]
    ):
        return
    ids = {name for record in run.errors for name in record.event_ids}
    for event_id, change in run.matching.items():
        ended = event_id in run.landed or event_id in ids or event_id in run.mapping.trimmed
        filtered = any(outcome.filtered for outcome in run.outcomes[event_id])
        if run.is_complete(event_id) and not ended and not filtered:
            yield f"{change.kind} {event_id} waits for another lake table"


def unmatched_changes_are_reported(runs: Sequence[Run]) -> Iterator[str]:
    """Changes without a lake table are counted, or are in failed batches."""
    run = runs[0]
    scenario, world = run.scenario, run.world
    if run.is_replayed and scenario.unmatched == "count":
        # A replay counts nothing.
        return
    sent = run.sent & run.table.changes.keys()
    unmatched = {name for name in sent if not any(name in each.changes for each in runs)}
    failed = {record["eventID"] for batch in run.failed for record in batch}
    rest = unmatched - failed - run.mapping.trimmed.keys()
    counted = world.metrics.total("forwarder_counts", "ChangesUnmatched")
    if scenario.unmatched == "fail":
        if rest or counted:
            yield f"{len(rest)} unmatched changes are not in failed batches, {counted} are counted"
        return
    # These repeat changes that the forwarder has counted.
    repeats = world.faults.keys() & {
        "mapping repeats a batch",
        "forwarder runs, but its response is lost",
    }
    if counted < len(rest) or (counted > len(rest) and not repeats):
        yield f"{counted} changes are counted as unmatched instead of {len(rest)}"


def the_replay_is_complete(run: Run) -> Iterator[str]:
    """After a replay every change that can be a row is one."""
    if run.recovered is None:
        return
    for event_id, change in run.matching.items():
        if run.has_landed_or_cannot(event_id):
            continue
        if run.is_complete(event_id):
            yield f"{change.kind} {event_id} is not in the lake after the replay"


def key_of(which: int) -> str:
    return compact(attributes(keys_of(which)))


def an_alarm_precedes_every_loss(run: Run) -> Iterator[str]:
    """An alarm fires before the stream trims an unread change."""
    if not run.mapping.trimmed:
        return
    expires = min(change.at for change in run.mapping.trimmed.values()) + RETENTION_SECONDS
    run.mapping.count_polls(expires)
    about_reading = [
        alarm
        for alarm in alarms.alarms(run.scenario.args)
        if alarm.metric in ("PolledEventCount", "Throttles", "IteratorAge")
        and alarm.metric_source in ("mapping", "forwarder")
    ]
    if not run.world.metrics.firing(about_reading, expires):
        yield f"{len(run.mapping.trimmed)} changes are lost without an alarm"
    age = run.scenario.args.forwarder.maximum_record_age_seconds
    if not run.scenario.outage.is_disabled and age < RETENTION_SECONDS:
        yield "changes expire while the forwarder is throttled"


def an_alarm_reports_every_failure(run: Run) -> Iterator[str]:
    """An alarm fires after changes are dead-lettered."""
    dead_lettered = [it for it in alarms.alarms(run.scenario.args) if it.name == "dead-lettered"]
    until = run.world.now + 2 * PERIOD_SECONDS
    if (run.errors or run.failed) and not run.world.metrics.firing(dead_lettered, until):
        yield "changes are dead-lettered without an alarm"


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
LAKE_TABLE_CHECKS: tuple[Check, ...] = (
    nothing_is_missing,
    nothing_else_is_there,
    the_current_state_is_the_table,
    merged_rows_and_window_are_the_state,
    the_lake_has_the_items,
    the_backfill_is_complete,
    the_replay_is_complete,
    a_failing_stream_stops_no_other,
    an_alarm_reports_every_failure,
)
PIPELINE_CHECKS: tuple[Check, ...] = (
    an_alarm_precedes_every_loss,
    everything_ended,
    logs_have_no_content,
)


def merge_violations_of(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield the violations of the merge stages."""
    yield from _violations_of(runs, (merged_rows_and_window_are_the_state,))


def _violations_of(runs: Sequence[Run], checks: Sequence[Check]) -> Iterator[tuple[str, str]]:
    for run in runs:
        of_table = f"{run.scenario.name}: " if len(runs) > 1 else ""
        for check in checks:
            yield from ((check.__name__, f"{of_table}{text}") for text in check(run))


def violations_of(runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    """Yield the name and sentence of each violation.

    runs: one for each lake table.
    """
    yield from _violations_of(runs, LAKE_TABLE_CHECKS)
    for check in PIPELINE_CHECKS:
        yield from ((check.__name__, text) for text in check(runs[0]))
    for text in unmatched_changes_are_reported(runs):
        yield unmatched_changes_are_reported.__name__, text
