"""Mutations of the merge stage: its statements, and what its runs read."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from streaming_etl.components.table import merge
from tests.simulation import conditions as when
from tests.simulation.breaking import around
from tests.simulation.merge_plan import DAY, HOUR
from tests.simulation.merging import MergeStage
from tests.simulation.mutation import detected_by
from tests.simulation.scenario import Scenario

EPOCH = "coalesce(\"_stream_epoch\", '')"
NUMBER = "lpad(\"_sequence_number\", 40, '0')"
MARKER = "\"_op\" = 'BACKFILL'"
RANKED = ' AND "_rank" = 1'
HIDDEN = "('REMOVE', 'BACKFILL')"


def statement(name: str, old: str, new: str) -> Any:
    """Replace a part of a statement."""

    def wrapper(sql: Callable[..., str], *arguments: Any) -> str:
        text = sql(*arguments)
        if old not in text:
            raise ValueError(f"the statement does not contain {old}")
        return text.replace(old, new)

    return around(merge, name, wrapper)


def method(name: str, change: Callable[..., Any]) -> Any:
    """Replace a method of MergeStage; `change` receives the original first."""
    original = getattr(MergeStage, name)
    return patch.object(MergeStage, name, lambda stage, *a: change(original, stage, *a))


def plans(condition: Callable[[Scenario], Any]) -> Callable[[Scenario], bool]:
    """Return whether a lake table with a merge stage meets the condition."""
    return lambda scenario: any(
        each.merge is not None and condition(each) for each in scenario.lake_tables
    )


def add_merge_mutations() -> None:
    """Add them to MUTATIONS."""
    add = detected_by("merged_rows_and_window_are_the_state")
    for name, old, new, applies_to in MERGE_TEXTS:
        add(f"merge: {name}", statement("merge_sql", old, new), plans(also_sql(applies_to)))
    for name, old, new, applies_to in VIEW_TEXTS:
        add(f"view: {name}", statement("merged_state_sql", old, new), plans(also_sql(applies_to)))
    for name, old, new, applies_to in EXPIRY_TEXTS:
        patched = statement("expire_tombstones_sql", old, new)
        add(f"expiry: {name}", patched, plans(also_sql(applies_to)))
    for name, change, applies_to in STAGE_CHANGES:
        add(f"merge stage: {name}", change, plans(applies_to))


def also_sql(condition: Callable[[Scenario], Any]) -> Callable[[Scenario], Any]:
    return lambda scenario: scenario.merge and scenario.merge.is_sql and condition(scenario)


def always(_: Scenario) -> bool:
    return True


def is_yearly(scenario: Scenario) -> bool:
    return scenario.args.partitions.granularity == "year"


def expires(scenario: Scenario) -> bool:
    return scenario.merge is not None and scenario.merge.log_days is not None


Text = tuple[str, str, str, Callable[[Scenario], Any]]
"""Name, part, its replacement, and the scenarios that can detect it."""

MERGE_TEXTS: tuple[Text, ...] = (
    ("older changes are merged", RANKED, "", always),
    ("copies are merged", ' AND "_copy" = 1', "", always),
    ("a later merged change is ignored", '"later"."_key" IS NULL', "true", always),
    (
        "older rows stay",
        'WHEN MATCHED AND "changes"."_action" = \'delete\' THEN DELETE\n',
        "",
        always,
    ),
    ("a row is deleted several times", ' AND "_number" = 1', "", always),
    ("the same change is deleted", '< coalesce("changes"', '<= coalesce("changes"', always),
    ("the rows of a change are equal", ' AND "merged"."_row" = "changes"."_row"', "", always),
    ("the positions of rows differ", '= coalesce("changes"', '<> coalesce("changes"', always),
    ("streams are not ordered", f"ORDER BY {EPOCH} ||", "ORDER BY", when.has_new_stream),
    ("numbers are compared as text", f"|| {NUMBER} DESC", '|| "_sequence_number" DESC', always),
    (
        "the streams of later changes are ignored",
        'coalesce("later"."_stream_epoch", \'\')',
        "''",
        always,
    ),
    (
        "earlier streams are merged after a marker",
        f"WHERE {EPOCH} >=",
        "WHERE '9' >=",
        when.has_restored_state,
    ),
    (
        "markers are not merged",
        RANKED,
        f'{RANKED} AND "changes"."_op" <> \'BACKFILL\'',
        when.has_restored_state,
    ),
    ("tombstones are not merged", RANKED, f'{RANKED} AND "changes"."_op" <> \'REMOVE\'', always),
)
VIEW_TEXTS: tuple[Text, ...] = (
    ("it has no window", 'WHERE (("', 'WHERE false AND (("', always),
    ("it has no merged rows", '_merged"\n    UNION', '_merged" WHERE false\n    UNION', always),
    ("it has copies", ' AND "_copy" = 1', "", always),
    ("it has one row of each change", ', "_row") AS "_copy"', ') AS "_copy"', always),
    ("it has older changes", '"_rank" = 1 AND ', "", always),
    ("it has removed items", HIDDEN, "('BACKFILL')", always),
    ("it has markers", HIDDEN, "('REMOVE')", when.has_backfill),
    ("it has earlier streams", f"WHERE {EPOCH} >=", "WHERE '9' >=", when.has_restored_state),
    (
        "merged markers are ignored",
        f'_merged" WHERE {MARKER}',
        '_merged" WHERE false',
        when.has_restored_state,
    ),
    ("streams are not ordered", f"ORDER BY {EPOCH} ||", "ORDER BY", when.has_new_stream),
    ("numbers are compared as text", f"|| {NUMBER} DESC", '|| "_sequence_number" DESC', always),
)
EXPIRY_TEXTS: tuple[Text, ...] = (
    ("items expire", "\"_op\" = 'REMOVE' AND ", "", always),
    ("markers expire", "WHERE ", f"WHERE {MARKER} OR ", when.has_restored_state),
    (
        "the rows of earlier streams stay",
        f"OR {EPOCH} <",
        "OR '9' <",
        when.has_restored_state,
    ),
)
STAGE_CHANGES: tuple[tuple[str, Any, Callable[[Scenario], Any]], ...] = (
    (
        "it reads the window before the present, not before the last success",
        method(
            "first_day",
            lambda _, stage: stage.date(stage.now - stage.plan.window_hours * HOUR) - timedelta(1),
        ),
        lambda scenario: any(end - start > 4 * DAY for start, end in scenario.merge.outages),
    ),
    (
        "it reads the time since the last success only",
        method("first_day", lambda _, stage: stage.date(stage.last_success)),
        lambda scenario: scenario.merge.late,
    ),
    (
        "the view reads the present day only",
        method("view_hours", lambda *_: -1),
        lambda scenario: scenario.merge.late and not is_yearly(scenario),
    ),
    (
        "tombstones expire after the window",
        method("tombstone_days", lambda days, stage: days(stage) - stage.plan.replay_days),
        always,
    ),
    (
        "tombstones expire without the days of a partition",
        method("tombstone_days", lambda days, stage: days(stage) - 365),
        lambda scenario: is_yearly(scenario) and expires(scenario),
    ),
)
