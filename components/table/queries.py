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


def qualified(database: str, table: str) -> str:
    """The name of a table in SQL."""
    return f"{quoted(database)}.{quoted(table)}"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


# Rows of versions before this column have no epoch and count as the oldest.
EPOCH = "coalesce(\"_stream_epoch\", '')"
# Sequence numbers order the changes of one stream; they have varying length and are padded.
POSITION = f"{EPOCH} || lpad(\"_sequence_number\", 40, '0')"
# Copies of a row are equal in these columns. A change that an earlier version and this one deliver
# has rows without and with an epoch, and only the latter have the item's last position.
COPY = f'"_event_id", {EPOCH}, "_row"'
# Value of injected partition keys in the marker of a backfill; see handlers/rows/encoder.py.
MARKER_PARTITION = "backfill"


def current_state_sql(database: str, table: LakeTable) -> str:
    """SELECT the rows of each existing item's last change, without duplicates.

    Delivery is at least once: of the copies of one row (same event, epoch and index) one is kept.
    Rows of streams before the last completed backfill are history. For an injected partition key
    of a partitioned table the text contains a placeholder.
    """
    if table.columns is None:
        return _crawled_state_sql(database, table)
    text_only = table.format == "csv"
    selected = [
        *(_select(column, text_only) for column in table.columns),
        *(quoted(key) for key in table.partition_keys),
        *(_select(column, text_only) for column in CURRENT_STATE_METADATA),
    ]
    keys, where, marker_where = "", "", ""
    if table.objects_name is not None:
        source = qualified(database, table.objects_name)
        keys = "".join(f" {_key_from_path(key)}," for key in table.partition_keys)
    else:
        source = qualified(database, table.name)
        where = "".join(f" AND {quoted(key)} = '<{key}>'" for key in table.injected_keys)
        marker_where = "".join(
            f" AND {quoted(key)} = '{MARKER_PARTITION}'" for key in table.injected_keys
        )
    return f"""\
SELECT {", ".join(selected)}
FROM (
  SELECT *,{keys}
    rank() OVER (
      PARTITION BY "_key" ORDER BY {POSITION} DESC
    ) AS "_rank",
    row_number() OVER (PARTITION BY {COPY}) AS "_copy"
  FROM {source}
  WHERE {_since_marker(source, marker_where)}{where}
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" NOT IN ('REMOVE', 'BACKFILL')"""


def _since_marker(source: str, where: str = "") -> str:
    """Condition of rows since the newest marker's stream.

    A subquery instead of a window, because a window over all rows runs on one node.
    """
    return f"""{EPOCH} >= (
    SELECT coalesce(max("_stream_epoch"), '') FROM {source} WHERE "_op" = 'BACKFILL'{where}
  )"""


def _key_from_path(key: str) -> str:
    """A partition key's value in the path of the row's object."""
    return f"""regexp_extract("$path", '/{key}=([^/]+)/', 1) AS {quoted(key)}"""


def _crawled_state_sql(database: str, table: LakeTable) -> str:
    """SELECT the current state of a table with crawled columns.

    Athena cannot exclude a column from `*`, so the query adds none. Copies of a row are equal but
    for their ingestion time: one partition of each row is read, and DISTINCT removes the others.
    """
    source = qualified(database, table.name)
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
  AND ({COPY}, {partition}) IN (
    SELECT {COPY}, min({partition})
    FROM {source}
    GROUP BY {COPY}
  )
  AND {_since_marker(source)}
  AND "_op" NOT IN ('REMOVE', 'BACKFILL')"""


def rows_per_partition_sql(database: str, table: LakeTable) -> str:
    """SELECT the number of rows in each partition."""
    keys = ", ".join(quoted(key) for key in table.partition_keys)
    return f"""\
SELECT {keys}, count(*) AS "rows"
FROM {qualified(database, table.name)}{_where_injected(table)}
GROUP BY {keys}
ORDER BY {keys}"""


def latest_changes_sql(database: str, table: LakeTable) -> str:
    """SELECT the hundred latest changes."""
    return f"""\
SELECT *
FROM {qualified(database, table.name)}{_where_injected(table)}
ORDER BY {POSITION} DESC
LIMIT 100"""


# Description and text of the other saved queries, by kind.
SAVED_QUERIES = {
    "rows-per-partition": ("Number of rows in each partition", rows_per_partition_sql),
    "latest-changes": ("The hundred latest changes", latest_changes_sql),
}


def _where_injected(table: LakeTable) -> str:
    terms = " AND ".join(f"{quoted(key)} = '<{key}>'" for key in table.injected_keys)
    return f"\nWHERE {terms}" if terms else ""


def _select(column: Column, text_only: bool) -> str:
    name, expression = quoted(column.name), select_expression(column, text_only)
    return name if expression == name else f"{expression} AS {name}"


def select_expression(column: Column, text_only: bool) -> str:
    """A column's value with its declared type.

    text_only: whether the table has text instead.
    """
    name = quoted(column.name)
    if not text_only:
        return name
    # OpenCSVSerde reads NULL and empty text of a CSV as the same value.
    value = f"NULLIF({name}, '')"
    if column.type == "string":
        return value
    return f"CAST({value} AS {athena_type(column.type)})"


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
