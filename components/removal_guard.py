"""Guard of a pipeline's lake tables against their removal from the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.table.layout import lake_table_name

CAUSE = (
    "The update would delete its delivery stream with the changes in its buffers, and the Glue"
    " table {glue_table}, so that no query finds its rows."
)
PERMISSION = (
    "Only an update with `allow_layout_change: true` {place}, before this one and without another"
    " change, permits the removal. See docs/safe-changes.md#remove-a-lake-table."
)

# {key} is the removed lake table.
MESSAGES: Mapping[str, str] = {
    "lake-table-removed": (
        f"`lake_tables.{{key}}` must stay in the settings (got none). {CAUSE} If it has another"
        f" name now, set `renamed_from: {{key}}` there. {PERMISSION}"
    ),
    "lake-tables-added": (
        "`lake_tables` must have a lake table with `renamed_from: lake-table`, the pipeline's lake"
        f" table until now (got none). {CAUSE} Set `renamed_from: lake-table` and"
        f" `glue_table_name: {{glue_table}}` in the lake table that continues it. {PERMISSION}"
    ),
    "lake-tables-dropped": (
        f"`lake_tables` must stay in the settings with {{key}} (got none). {CAUSE} A pipeline"
        f" without `lake_tables` cannot continue one of them. {PERMISSION}"
    ),
}


@dataclass(frozen=True)
class RemovedLakeTable:
    """A deployed lake table that the settings no longer have."""

    rule: str
    """A key of MESSAGES."""
    key: str
    """Its name in `lake_tables`, or ONLY_LAKE_TABLE."""
    glue_table: str

    def __str__(self) -> str:
        is_only = self.key == ONLY_LAKE_TABLE
        place = "of the pipeline" if is_only else f"in `lake_tables.{self.key}`"
        values = {"key": self.key, "glue_table": self.glue_table, "place": place}
        return f"{MESSAGES[self.rule].format(**values)} [{self.rule}]"


def lake_tables_of(args: StreamingEtlPipelineArgs) -> dict[str, dict[str, Any]]:
    """Return the pipeline's lake tables by name, as plain data."""
    return {
        key: {
            "glue_table": lake_table_name(args, key),
            "allow_layout_change": table.allow_layout_change,
            "renamed_from": [*table.former_names],
        }
        for key, table in args.tables.items()
    }


def removed_lake_tables(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[RemovedLakeTable]:
    """Compare the deployed lake tables with the new ones.

    old: empty for the state of an earlier version.
    """
    continued = {
        # The engine takes the first name that its state has, and deletes the others.
        next((name for name in (key, *table["renamed_from"]) if name in old), None)
        for key, table in new.items()
    }
    for key, table in old.items():
        if key in continued or table["allow_layout_change"]:
            continue
        if key == ONLY_LAKE_TABLE:
            rule = "lake-tables-added"
        elif ONLY_LAKE_TABLE in new:
            rule = "lake-tables-dropped"
        else:
            rule = "lake-table-removed"
        yield RemovedLakeTable(rule, key, table["glue_table"])
