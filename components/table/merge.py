"""Merged table: its columns, and the SQL that keeps and reads it.

The merged table has the rows of each item's last change, also of a removal: such a tombstone keeps
a late older change from reviving the item. The change log stays the source of truth, and a window
of it supplies what is not merged yet:

- Each row of the change log must be in the window of one merge that reads it after its object
  exists, and in the window of each query before that merge.
- A window ends at the present. A merge over older days only could revive an item: its removal may
  be in a later day, and its tombstone may have expired. For the same reason a first build over
  several ranges begins with the newest one.
- With ingestion-time prefixes the removal may also be in a day before that of a late row. So a
  merge that begins before the window begins with the first day of the change log. It may begin
  later by the days that tombstones are kept longer than the rule below needs.
- A tombstone is kept for some days after the last merge that inserted or renewed it. A late row
  older than that revives the item. So the days are at least the longest time between a change and
  its row, by replay or backfill, the window, in which that row remains, and a day, because a window
  reads full days. If the change log expires, a rebuild reads a late row for as long as the log is
  kept, so these days replace those of the window.
- A run counts these days back from the start of the successful run before the last one, not from
  the present. After missed runs, two runs at once may both read older days, and need the tombstones
  of these also after one of them has succeeded.
- A merge renews the tombstones in its window. So a rebuild needs no lock against an expiry at the
  same time: its first range has a tombstone for the older rows in the ranges after it, provided
  that all ranges take less than the tombstones' days but one.
"""

from dataclasses import dataclass
from typing import Any

from streaming_etl.components.table.column_types import (
    METADATA,
    Column,
    ColumnType,
    athena_type,
    is_nested,
)
from streaming_etl.components.table.declared_field_ids import (
    FIRST_COLUMN_ID,
    NESTED_IDS,
    FieldIds,
)
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import PARTITION_KEY_TYPE, merged_table_name
from streaming_etl.components.table.queries import (
    qualified,
    quoted,
    select_expression,
    view_columns,
)
from streaming_etl.components.table.window import SUCCESS_DAY, Window

# Iceberg has neither of the first two. https://iceberg.apache.org/spec/#primitive-types
ICEBERG_INTEGERS = {"tinyint": "int", "smallint": "int"}
ICEBERG_NAMES = {"bigint": "long"}

# Field ids of the metadata columns, which the program defines: append only.
METADATA_IDS = {column.name: number for number, column in enumerate(METADATA, 1)}
# Time of the merge that inserted the row, or renewed the tombstone. No view shows it.
MERGED_AT = Column("_merged_at", "timestamp")
MERGED_AT_ID = 19
# A table has at most 50 partition keys, in an order that never changes.
FIRST_PARTITION_KEY_ID = 20

# Iceberg's times have microseconds, and those of the metadata are in UTC.
NOW = "CAST(current_timestamp AT TIME ZONE 'UTC' AS timestamp(6))"
# A renewal with each merge would commit a snapshot without a change.
RENEWED_AFTER_DAYS = 1


@dataclass(frozen=True)
class MergedColumn:
    """A column of the merged table."""

    id: int
    name: str
    type: ColumnType
    """A type that Iceberg has."""
    schema_type: str | dict[str, Any]
    """The type in Iceberg's schema, with the ids of nested fields."""


def merged_columns(table: LakeTable) -> list[MergedColumn]:
    """Columns of the merged table: COLUMNS, partition keys, metadata and MERGED_AT."""
    columns = [
        Column(column.name, iceberg_type(column.type)) for column in (*_columns(table), MERGED_AT)
    ]
    ids = _nested_ids(columns, {**_own_ids(table), **field_ids(table)}, table.pinned_field_ids)
    return [
        MergedColumn(
            ids[column.name], column.name, column.type, _schema_type(column.type, column.name, ids)
        )
        for column in columns
    ]


def field_ids(table: LakeTable) -> dict[str, int]:
    """Field ids of COLUMNS and of the fields in them.

    The rule: a path in FIELD_IDS of the transform module has that id, others have the ids after the
    highest one, in the order of COLUMNS. FIELD_IDS is empty until a column is removed or moved;
    then it is this function's result for the former COLUMNS, and its former entries. A removed
    column stays in it, so its id is never used again. An appended column needs no entry.

    Why a literal: ids by position alone would move with a removed column. A file of ids would be
    one more artifact, which a command has to write before the first deployment. A hash of the name
    needs neither, but gives a column that returns with another type the id of its old values.
    The layout in the stack's state has the former ids, so that a guard rejects an id that moves by
    mistake.
    """
    pinned = table.pinned_field_ids
    columns = [Column(column.name, iceberg_type(column.type)) for column in table.columns or ()]
    top = {path: number for path, number in pinned.items() if "." not in path}
    names = [column.name for column in columns]
    return _nested_ids(columns, _assigned(names, top, FIRST_COLUMN_ID), pinned)


def _columns(table: LakeTable) -> list[Column]:
    """Columns of a change log row, with the types of the view."""
    if table.columns is None:
        raise ValueError("a lake table without COLUMNS has no merged table")
    keys = (Column(key, PARTITION_KEY_TYPE) for key in table.partition_keys)
    return [*table.columns, *keys, *METADATA]


def _own_ids(table: LakeTable) -> dict[str, int]:
    keys = enumerate(table.partition_keys, FIRST_PARTITION_KEY_ID)
    return {**METADATA_IDS, MERGED_AT.name: MERGED_AT_ID, **{key: number for number, key in keys}}


def _nested_ids(columns: list[Column], top: FieldIds, pinned: FieldIds) -> dict[str, int]:
    ids = dict(top)
    for column in columns:
        prefix = f"{column.name}."
        of_column = {path: number for path, number in pinned.items() if path.startswith(prefix)}
        first = ids[column.name] * NESTED_IDS + 1
        ids |= _assigned(_nested_paths(column.type, column.name), of_column, first)
    return ids


def _assigned(paths: list[str], pinned: FieldIds, first: int) -> dict[str, int]:
    ids: dict[str, int] = {}
    following = max(pinned.values(), default=first - 1) + 1
    for path in paths:
        ids[path] = pinned.get(path, following)
        following += path not in pinned
    return ids


def _nested_paths(column_type: ColumnType, path: str) -> list[str]:
    """Paths of the fields in a type, in Iceberg's notation."""
    return [
        nested
        for name, inner in _fields(column_type)
        for nested in (f"{path}.{name}", *_nested_paths(inner, f"{path}.{name}"))
    ]


def _fields(column_type: ColumnType) -> list[tuple[str, ColumnType]]:
    if isinstance(column_type, str):
        return []
    [(kind, inner)] = column_type.items()
    if kind == "array":
        return [("element", inner)]
    if kind == "map":
        return [("key", inner[0]), ("value", inner[1])]
    return [] if kind == "decimal" else [(name, item) for name, item in inner]


def iceberg_type(column_type: ColumnType) -> ColumnType:
    """The type with integers that Iceberg has."""
    if isinstance(column_type, str):
        return ICEBERG_INTEGERS.get(column_type, column_type)
    [(kind, inner)] = column_type.items()
    if kind == "array":
        return {kind: iceberg_type(inner)}
    if kind == "map":
        return {kind: [iceberg_type(item) for item in inner]}
    if kind == "struct":
        return {kind: [[name, iceberg_type(item)] for name, item in inner]}
    return column_type


def _schema_type(column_type: ColumnType, path: str, ids: FieldIds) -> str | dict[str, Any]:
    """A type as in a schema. https://iceberg.apache.org/spec/#appendix-c-json-serialization"""
    if isinstance(column_type, str):
        return ICEBERG_NAMES.get(column_type, column_type)
    [(kind, inner)] = column_type.items()
    if kind == "decimal":
        return f"decimal({inner[0]}, {inner[1]})"
    nested = {
        name: (ids[f"{path}.{name}"], _schema_type(item, f"{path}.{name}", ids))
        for name, item in _fields(column_type)
    }
    if kind == "struct":
        fields = [
            {"id": number, "name": name, "required": False, "type": schema_type}
            for name, (number, schema_type) in nested.items()
        ]
        return {"type": "struct", "fields": fields}
    document: dict[str, Any] = {"type": "list" if kind == "array" else "map"}
    for name, (number, schema_type) in nested.items():
        document |= {f"{name}-id": number, name: schema_type}
        if name != "key":
            document[f"{name}-required"] = False
    return document


def _merged_sql_type(column_type: ColumnType) -> str:
    """The type of the merged table in SQL: Iceberg's times have microseconds."""
    return "timestamp(6)" if column_type == "timestamp" else athena_type(iceberg_type(column_type))


def _converted(expression: str, column: Column, sql_type: str) -> str:
    """An expression with `sql_type`, which differs for some columns.

    Trino itself converts nested types, in INSERT and from a query to the columns of its view. So
    the text has no type that DuckDB lacks.
    """
    if is_nested(column.type) or _merged_sql_type(column.type) == athena_type(column.type):
        return expression
    return f"CAST({expression} AS {sql_type})"


def _position(relation: str = "") -> str:
    """Position of a row's change, as text that orders all streams."""
    return f"""{_epoch(relation)} || lpad({relation}"_sequence_number", 40, '0')"""


def _epoch(relation: str = "") -> str:
    return f"""coalesce({relation}"_stream_epoch", '')"""


def merge_sql(database: str, table: LakeTable, window: Window) -> str:
    """MERGE a window of the change log into the merged table.

    Of each item in the window it inserts the rows of the newest change that are missing, and
    deletes the rows of older changes, unless the merged table has a newer change. So the windows of
    merges may overlap and come in any order, and a second run changes nothing. It renews the
    tombstones of these changes that are older than RENEWED_AFTER_DAYS.

    The window is read once. Both joins have it on their right side: Trino keeps that side in
    memory and streams the merged table past it. Rows of streams before a marker are left out from
    the merge after the marker's; a maximum over the window would be a second read of it.
    """
    merged = qualified(database, merged_table_name(table.name))
    names = [quoted(column.name) for column in _columns(table)]
    values = ", ".join([*(f'"changes".{name}' for name in names), NOW])
    merged_at = quoted(MERGED_AT.name)
    return f"""\
MERGE INTO {merged} AS "merged"
USING (
  SELECT "changes".*, "_action"
  FROM {merged} AS "later"
  RIGHT JOIN (
    SELECT *,
      rank() OVER (PARTITION BY "_key" ORDER BY {_position()} DESC) AS "_rank",
      row_number() OVER (PARTITION BY "_key" ORDER BY {_position()} DESC) AS "_number",
      row_number() OVER (PARTITION BY "_key", {_position()}, "_row") AS "_copy"
    FROM (
      {_logged_rows(database, table, window)}
    ) AS "logged"
    WHERE {_epoch()} >= (
      SELECT coalesce(max("_stream_epoch"), '') FROM {merged} WHERE "_op" = 'BACKFILL'
    )
  ) AS "changes"
    ON "later"."_key" = "changes"."_key"
    AND {_position('"later".')} > {_position('"changes".')}
  CROSS JOIN (VALUES ('insert'), ('delete')) AS "actions" ("_action")
  WHERE "later"."_key" IS NULL AND "_rank" = 1
    AND ("_action" = 'insert' AND "_copy" = 1 OR "_action" = 'delete' AND "_number" = 1)
) AS "changes"
ON "merged"."_key" = "changes"."_key" AND (
  "changes"."_action" = 'insert' AND "merged"."_row" = "changes"."_row"
    AND {_position('"merged".')} = {_position('"changes".')}
  OR "changes"."_action" = 'delete'
    AND {_position('"merged".')} < {_position('"changes".')}
)
WHEN MATCHED AND "changes"."_action" = 'delete' THEN DELETE
WHEN MATCHED AND "merged"."_op" = 'REMOVE'
  AND "merged".{merged_at} < {NOW} - INTERVAL '{RENEWED_AFTER_DAYS}' DAY THEN
  UPDATE SET {merged_at} = {NOW}
WHEN NOT MATCHED AND "changes"."_action" = 'insert' THEN
  INSERT ({", ".join([*names, merged_at])})
  VALUES ({values})"""


def _logged_rows(database: str, table: LakeTable, window: Window) -> str:
    """SELECT the window's rows with the types of the merged table."""
    columns = ", ".join(_logged_column(table, column) for column in _columns(table))
    source = qualified(database, table.name)
    return f"SELECT {columns}\n      FROM {source}\n      WHERE {window.condition(table)}"


def _logged_column(table: LakeTable, column: Column) -> str:
    value = _logged_value(table, column)
    return _named(_converted(value, column, _merged_sql_type(column.type)), column)


def _logged_value(table: LakeTable, column: Column) -> str:
    """Value of a change log's column, with its declared type."""
    is_text = table.format == "csv" and column.name not in table.partition_keys
    return select_expression(column, is_text)


def merged_state_sql(database: str, table: LakeTable, window: Window) -> str:
    """SELECT the current state from the merged table and the window.

    The result is that of `current_state_sql` over the full change log.
    """
    merged = qualified(database, merged_table_name(table.name))
    log = qualified(database, table.name)
    condition = window.condition(table)
    columns = _columns(table)
    from_merged = ", ".join(
        _named(_converted(quoted(column.name), column, athena_type(column.type)), column)
        for column in columns
    )
    from_log = ", ".join(_named(_logged_value(table, column), column) for column in columns)
    return f"""\
SELECT {", ".join(quoted(column.name) for column in view_columns(table))}
FROM (
  SELECT *,
    rank() OVER (PARTITION BY "_key" ORDER BY {_position()} DESC) AS "_rank",
    row_number() OVER (PARTITION BY "_key", {_position()}, "_row") AS "_copy"
  FROM (
    SELECT {from_merged}
    FROM {merged}
    UNION ALL
    SELECT {from_log}
    FROM {log}
    WHERE {condition}
  ) AS "rows"
  WHERE {_epoch()} >= (
    SELECT coalesce(max("_stream_epoch"), '') FROM (
      SELECT "_stream_epoch" FROM {merged} WHERE "_op" = 'BACKFILL'
      UNION ALL
      SELECT "_stream_epoch" FROM {log} WHERE "_op" = 'BACKFILL' AND {condition}
    ) AS "markers"
  )
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" NOT IN ('REMOVE', 'BACKFILL')"""


def _named(expression: str, column: Column) -> str:
    name = quoted(column.name)
    return name if expression == name else f"{expression} AS {name}"


def expire_tombstones_sql(
    database: str, table: LakeTable, days: int | None, success_day: str = SUCCESS_DAY
) -> str:
    """DELETE the rows that no query shows.

    These are old tombstones, and history before the newest marker.
    days: least time from a tombstone's merge to `success_day`; see the module's docstring for its
    lower limit. None keeps all tombstones.
    success_day: ISO date in UTC of the successful run before the last one, or its placeholder.
    Markers stay, because they exclude late rows of earlier streams.
    """
    merged = qualified(database, merged_table_name(table.name))
    expired = ""
    if days is not None:
        merged_at = quoted(MERGED_AT.name)
        before = f"DATE '{success_day}' - INTERVAL '{days}' DAY"
        expired = f""""_op" = 'REMOVE' AND {merged_at} < {before}\n  OR """
    return f"""\
DELETE FROM {merged}
WHERE {expired}{_epoch()} < (
    SELECT coalesce(max("_stream_epoch"), '') FROM {merged} WHERE "_op" = 'BACKFILL'
  )"""


def optimize_sql(database: str, table: LakeTable) -> str:
    """OPTIMIZE the merged table: rewrite small files, and apply the delete files.

    AWS documents no quotes for this statement, so only names that need them have some.
    https://docs.aws.amazon.com/athena/latest/ug/optimize-statement.html
    """
    names = (database, merged_table_name(table.name))
    name = ".".join(name if name[0].isalpha() else quoted(name) for name in names)
    return f"OPTIMIZE {name} REWRITE DATA USING BIN_PACK"


def vacuum_sql(database: str, table: LakeTable) -> str:
    """VACUUM the merged table: delete expired snapshots and files.

    A table's name that does not begin with a letter needs backticks, and a database's has none.
    https://docs.aws.amazon.com/athena/latest/ug/vacuum-statement.html
    """
    name = merged_table_name(table.name)
    return f"VACUUM {database}.{name if name[0].isalpha() else f'`{name}`'}"
