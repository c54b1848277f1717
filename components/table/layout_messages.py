"""Sentences of changes that put rows at risk, one per rule."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE, lake_table_title
from streaming_etl.components.settings.messages import value_text
from streaming_etl.components.table.layout import DATA_PREFIX
from streaming_etl.components.table.layout_guard import Finding, Layout, former_field_ids

PAGE = "docs/safe-changes.md#change-a-layout"

# {name} is the setting or column, {old} and {new} are its values.
MESSAGES: Mapping[str, str] = {
    "format": (
        "{name} must stay {old} (got {new}). Athena reads all objects of a table in one format."
    ),
    "serde": "{name} must stay {old} (got {new}). Athena would read existing objects differently.",
    "columns-declared": (
        "{name} must stay {old} (got {new}). A crawler derives other types from the objects than"
        " those in COLUMNS."
    ),
    "metadata-columns": (
        "{name} must keep the columns {old} (got {new}). This version of the program writes other"
        " metadata than existing rows have."
    ),
    "column-removed": (
        "{name} must keep position {old} in COLUMNS (got no such column). Athena reads CSV by"
        " position: existing values of it and of later columns would be in other columns. A renamed"
        " column counts as another one."
    ),
    "column-inserted": (
        "{name} must follow the columns of existing rows in COLUMNS (got position {new}). Athena"
        " reads CSV by position: existing values would be in other columns. Move it to the end."
    ),
    "column-moved": (
        "{name} must keep position {old} in COLUMNS (got {new}). Athena reads CSV by position:"
        " existing values would be in other columns."
    ),
    "column-type": (
        "{name} must keep the type {old} in COLUMNS (got {new}). Existing values are stored as"
        " {old}, and queries that read one may fail. Add a column with another name instead."
    ),
    "partition-keys": (
        "{name} must keep the partition keys {old} (got {new}). Existing objects are below the"
        " former prefixes, which queries no longer find."
    ),
    "partition-values": (
        "{name} must keep the values {old} (got {new}). Projection lists only the prefixes of"
        " these values: keep a value that existing rows have."
    ),
    "partition-any-value": (
        "{name} must accept any value (got {new}). Projection would list only the prefixes of"
        " these values."
    ),
    "projection-start-year": (
        "{name} must be {old} or less (got {new}). Projection lists no prefixes of earlier years."
    ),
    "time-zone": (
        "{name} must stay {old} (got {new}). Existing rows stay in the partitions of the former"
        " zone: queries by time would miss some of them."
    ),
    "partition-time": (
        "{name} must stay {old} (got {new}). Existing rows stay in the partitions of the former"
        " time: queries by time would miss some of them."
    ),
    "location": (
        "{name} must stay {old} (got {new}). The table would read another location, without the"
        " existing objects."
    ),
    "bucket-deleted": (
        "{name} must stay unset (got {new}). The update would delete the bucket {old}, which the"
        " pipeline created, with all objects in it."
    ),
    "database-deleted": (
        "{name} must stay unset (got {new}). The update would delete the database {old}, which the"
        " pipeline created, with all tables and views in it."
    ),
    "database-replaced": (
        "{name} must keep the oldest name of the pipeline (got the database {new} instead of"
        " {old}). The name of the database derives from this name and the stack's."
    ),
    "filters": (
        "{name} must stay {old} (got {new}). The current state would keep items as they were whose"
        " changes are filtered from now on, and lack items whose changes were filtered before."
    ),
    "where": (
        "{name} must stay {old} (got {new}). Nothing removes the rows of items that no longer"
        " match: the current state would keep them."
    ),
    "where-wider": (
        "{name} must stay {old} (got {new}). More items match, and the rows of those are missing"
        " until a backfill."
    ),
    "source-table": (
        "{name} must stay {old} (got {new}). The current state would have items of both tables."
    ),
    "expired-rows": (
        "{name} must stay false (got true). Rows have expired, so the current state would lack"
        " items that still exist."
    ),
    "field-id-moved": (
        "{name} must keep the field id {old} (got {new}). The merged table finds values by id:"
        " existing values would be in another column."
    ),
    "field-id-missing": (
        "{name} must stay in FIELD_IDS with the id {old} (got no such entry). A later column could"
        " get its id, and with it the existing values."
    ),
    "field-id-reused": (
        "{name} must have a field id that no field had (got {new} of {old}). The merged table finds"
        " values by id: it would show those of the other field."
    ),
    "field-id-returned": (
        "{name} must have a field id that no field had (got {new} of a removed field). Existing"
        " values may have another type: rename the entry of the removed field in FIELD_IDS."
    ),
    "merged-column-type": (
        "{name} must keep the type {old}, or get one to which Iceberg promotes it (got {new}):"
        " bigint for int, double for float, more digits for a decimal. Add a column with another"
        " name instead."
    ),
    "merged-before-rebuild": (
        "{name} must be objects or partitions in the update that enables merge (got {new}). The"
        " merged table has no rows yet: the current state would lack items that still exist."
    ),
    "log-expired": (
        "{name} must stay {old} (got {new}). Rows of the change log have expired, so the current"
        " state would lack items that still exist."
    ),
}

ROWS: Mapping[str, str] = {
    "all": "all rows",
    "bucket": "all rows, also those of other pipelines",
    "database": "no rows; all tables and views of the database",
    "with-column": "rows with a value of {name}",
    "other-values": "rows with a value that is no longer listed",
    "before-year": "rows before {new}",
    "filtered-items": "rows of items whose changes are or were filtered",
    "former-items": "rows of items of {old}",
    "former-matches": "rows of items that no longer match",
    "unmatched-items": "no rows; items that did not match before are missing",
    "expired-items": "rows of items that have not changed recently",
    "unmerged-items": "no rows; items without a recent change are missing",
    "merged-with-column": "rows of the merged table with a value of {name}",
}
"""Rows at risk."""

HEAD = "{pipeline}: {count} of the layout would put existing rows of {table} at risk:"
WAY = (
    "To change the layout, set another `glue_table_name`, one that no earlier table had, in the"
    " same update. Before the update, stop the forwarder until the delivery stream is empty,"
    " because its buffers have records of the former layout; after it, run `{command}`. See {page}."
    " New rows and the current items go to the new table; the existing rows stay below {location}."
    " If the table has no rows, set `allow_layout_change: true` for one update."
)
WIDER = (
    "To change the condition, set `allow_layout_change: true` for one update, and run `{command}`"
    " after it, which loads the current items that match. An item that left the table before"
    " returns with its next change; to have it at once, set another `glue_table_name` instead."
)
RETAIN = (
    "To keep a bucket or database that the pipeline no longer creates, set `retain: true` in an"
    " update before this one, without another change. Neither `glue_table_name` nor"
    " `allow_layout_change` permits its deletion."
)
FIELD_IDS = (
    "To keep the field ids of the merged table, write this into the transform module, without the"
    " entries of another FIELD_IDS for these fields: `FIELD_IDS = {ids}`."
)
REBUILD = (
    "To read the merged table, run `{command}` after an update with `merge.enabled: true` and"
    " `query.current_state_source: objects`; then set `query.current_state_source: merged` in"
    " another update."
)
OVERRIDDEN = (
    "The update continues, because `allow_layout_change` is true. Remove the setting afterwards."
)
BACKFILL = "Run `{command}` after the update, which loads the current items that match."
GUARD_OFF = (
    "{pipeline}: `allow_layout_change` is true, so changes of the layout do not fail. Remove the"
    " setting after the update that needs it."
)
NEW_TABLE = (
    "{pipeline}: new rows go to {new_table} instead of {table}. The existing rows stay below"
    " {location}, which no table of the stack reads after the update. {new_table} reads"
    " {new_location}, which must be empty or contain objects of the new layout only. Stop the"
    " forwarder until the delivery stream is empty before the update, and load the current items"
    " into the new table after it: `{command}`. See {page}."
)


# Findings that need no new table.
FIELD_ID_RULES = ("field-id-moved", "field-id-missing", "field-id-reused")
OWN_WAY = (*FIELD_ID_RULES, "field-id-returned", "merged-before-rebuild", "log-expired")

FINDING = re.compile(r"^- `([^`]+)` .* \[([a-z-]+)\]$", re.MULTILINE)
"""The subject and the rule of each finding in a message."""


def describe(finding: Finding) -> str:
    """The message of one finding."""
    names = {
        "name": f"`{finding.subject}`",
        "old": _value(finding.old),
        "new": _value(finding.new),
    }
    sentence = MESSAGES[finding.rule].format(**names)
    return f"{sentence} At risk: {ROWS[finding.rows].format(**names)}. [{finding.rule}]"


def _value(value: object) -> str:
    return "unset" if value is None else value_text(value)


@dataclass(frozen=True)
class Place:
    """The lake table of a message."""

    stack: str
    pipeline: str
    key: str
    """Name in `lake_tables`, or ONLY_LAKE_TABLE."""

    def __str__(self) -> str:
        return lake_table_title(self.pipeline, self.key)

    @property
    def backfill(self) -> str:
        """The command that loads the current items."""
        command = f"streaming-etl backfill {self.pipeline} --stack {self.stack} --restart"
        return command if self.key == ONLY_LAKE_TABLE else f"{command} --lake-table {self.key}"

    @property
    def rebuild(self) -> str:
        """The command that merges the entire change log."""
        command = f"streaming-etl merge {self.pipeline} --stack {self.stack} --rebuild"
        return command if self.key == ONLY_LAKE_TABLE else f"{command} --lake-table {self.key}"


def rejection(place: Place, old: Layout, found: Sequence[Finding]) -> str:
    """The message of a rejected update: all findings, and what to do."""
    ways = [RETAIN] if any(finding.deletes for finding in found) else []
    rules = {finding.rule for finding in found}
    if not rules.isdisjoint(FIELD_ID_RULES):
        ways.append(FIELD_IDS.format(ids=json.dumps(former_field_ids(old))))
    if "merged-before-rebuild" in rules:
        ways.append(REBUILD.format(command=place.rebuild))
    if others := [it for it in found if not it.deletes and it.rule not in OWN_WAY]:
        way = WIDER if all(finding.rule == "where-wider" for finding in others) else WAY
        ways.append(way.format(**_names(place, old)))
    return "\n".join([*_summary(place, old, found), *ways])


def overridden(place: Place, old: Layout, found: Sequence[Finding]) -> str:
    """The warning of an update that `allow_layout_change` permits."""
    ends = [OVERRIDDEN]
    if any(finding.rule == "where-wider" for finding in found):
        ends.append(BACKFILL.format(command=place.backfill))
    return "\n".join([*_summary(place, old, found), *ends])


def new_table(place: Place, old: Layout, new: Layout) -> str:
    """The warning of a new Glue table, without the existing rows."""
    return NEW_TABLE.format(
        **_names(place, old), new_table=_table(new), new_location=_location(new)
    )


def _summary(place: Place, old: Layout, found: Sequence[Finding]) -> list[str]:
    count = "1 change" if len(found) == 1 else f"{len(found)} changes"
    head = HEAD.format(pipeline=place, count=count, table=_table(old))
    return [head, *(f"- {describe(finding)}" for finding in found)]


def _names(place: Place, old: Layout) -> dict[str, str]:
    return {
        "pipeline": str(place),
        "table": _table(old),
        "location": _location(old),
        "page": PAGE,
        "command": place.backfill,
    }


def _table(layout: Layout) -> str:
    return f"{layout.get('database', '?')}.{layout.get('glue_table', '?')}"


def _location(layout: Layout) -> str:
    names = (layout.get(name, "?") for name in ("bucket", "database", "glue_table"))
    bucket, database, table = names
    return f"s3://{bucket}/{DATA_PREFIX}{database}/{table}/"
