"""SQL of the lake table: current state, view and saved queries."""

import base64
import json
from collections.abc import Sequence

from streaming_etl.components.table.column_types import METADATA, Column, athena_type
from streaming_etl.components.table.lake_table import LakeTable

# Metadata columns of the current state: the change that a row comes from, and its time.
CURRENT_STATE_METADATA = tuple(
    column for column in METADATA if column.name in ("_sequence_number", "_changed_at")
)


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# Sequence numbers have varying length and are compared left-padded.
POSITION = "lpad(\"_sequence_number\", 40, '0')"


def current_state_sql(database: str, table: LakeTable) -> str:
    """SELECT the rows of each existing item's last change, without duplicates.

    Delivery is at least once: of the copies of one row (same event, same index in it) one is
    kept. For an injected partition key the text contains a placeholder.
    """
    if table.columns is None:
        return _crawled_state_sql(database, table)
    text_only = table.format == "csv"
    selected = [
        *(_select(column, text_only) for column in table.columns),
        *(quoted(key) for key in table.partition_keys),
        *(_select(column, text_only) for column in CURRENT_STATE_METADATA),
    ]
    return f"""\
SELECT {", ".join(selected)}
FROM (
  SELECT *,
    rank() OVER (
      PARTITION BY "_key" ORDER BY {POSITION} DESC
    ) AS "_rank",
    row_number() OVER (PARTITION BY "_event_id", "_row") AS "_copy"
  FROM {quoted(database)}.{quoted(table.name)}{_where_injected(table, "  ")}
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" <> 'REMOVE'"""


def _crawled_state_sql(database: str, table: LakeTable) -> str:
    """SELECT the current state of a table with crawled columns.

    Athena cannot exclude a column from `*`, so the query adds none. Copies of a row are equal but
    for their ingestion time: one partition of each row is read, and DISTINCT removes the others.
    """
    source = f"{quoted(database)}.{quoted(table.name)}"
    partition = " || '/' || ".join(
        f"CAST({quoted(key)} AS varchar)" for key in table.partition_keys
    )
    return f"""\
SELECT DISTINCT *
FROM {source}
WHERE ("_key", {POSITION}) IN (
    SELECT "_key", max({POSITION})
    FROM {source}
    GROUP BY "_key"
  )
  AND ("_event_id", "_row", {partition}) IN (
    SELECT "_event_id", "_row", min({partition})
    FROM {source}
    GROUP BY "_event_id", "_row"
  )
  AND "_op" <> 'REMOVE'"""


def rows_per_partition_sql(database: str, table: LakeTable) -> str:
    """SELECT the number of rows in each partition."""
    keys = ", ".join(quoted(key) for key in table.partition_keys)
    return f"""\
SELECT {keys}, count(*) AS "rows"
FROM {quoted(database)}.{quoted(table.name)}{_where_injected(table)}
GROUP BY {keys}
ORDER BY {keys}"""


def latest_changes_sql(database: str, table: LakeTable) -> str:
    """SELECT the hundred latest changes."""
    return f"""\
SELECT *
FROM {quoted(database)}.{quoted(table.name)}{_where_injected(table)}
ORDER BY {POSITION} DESC
LIMIT 100"""


# Description and text of the other saved queries, by kind.
SAVED_QUERIES = {
    "rows-per-partition": ("Number of rows in each partition", rows_per_partition_sql),
    "latest-changes": ("The hundred latest changes", latest_changes_sql),
}


def _where_injected(table: LakeTable, indent: str = "") -> str:
    terms = " AND ".join(f"{quoted(key)} = '<{key}>'" for key in table.injected_keys)
    return f"\n{indent}WHERE {terms}" if terms else ""


def _select(column: Column, text_only: bool) -> str:
    name = quoted(column.name)
    if not text_only:
        return name
    # OpenCSVSerde reads NULL and empty text of a CSV as the same value.
    value = f"NULLIF({name}, '')"
    if column.type == "string":
        return f"{value} AS {name}"
    return f"CAST({value} AS {athena_type(column.type)}) AS {name}"


def view_columns(table: LakeTable) -> list[Column]:
    """Columns of the current state, in the order of its SELECT."""
    keys = (Column(key, "string") for key in table.partition_keys)
    return [*(table.columns or ()), *keys, *CURRENT_STATE_METADATA]


def view_text(sql: str, database: str, columns: Sequence[Column]) -> str:
    """The text with which Glue stores an Athena view.

    Trino rejects a view with neither an owner nor `runAsInvoker` as INVALID_VIEW.
    https://docs.aws.amazon.com/athena/latest/ug/views.html
    """
    definition = {
        "originalSql": sql,
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": column.name, "type": athena_type(column.type)} for column in columns],
        "path": [],
        "runAsInvoker": True,
    }
    encoded = base64.b64encode(json.dumps(definition).encode()).decode()
    return f"/* Presto View: {encoded} */"
