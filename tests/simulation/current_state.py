"""Current-state query of the component over the simulated lake, in DuckDB."""

import atexit
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb

from streaming_etl.components.table import queries
from streaming_etl.components.table.column_types import athena_type
from streaming_etl.components.table.lake_table import LakeTable
from tests.simulation.lake import Row
from tests.simulation.scenario import DATABASE, Scenario

SHOWN = ("id", "number", "price", "note", "seen", "before", "_sequence_number")
# Types with another name in DuckDB.
DUCKDB_TYPES = {"varchar": "VARCHAR", "integer": "INTEGER"}

State = list[tuple[Any, ...]]


@cache
def database() -> duckdb.DuckDBPyConnection:
    """Return the process's database: opening one takes longer than a query."""
    connection = duckdb.connect(config={"threads": 1})
    # Otherwise DuckDB reports leaks at the interpreter's end.
    atexit.register(database.cache_clear)
    connection.execute(f'CREATE SCHEMA "{DATABASE}"')
    return connection


def current_state(rows: Sequence[Row], scenario: Scenario) -> State:
    """Return the query's result over these rows: the columns of SHOWN."""
    table = scenario.table
    fill(rows, scenario)
    text = queries.current_state_sql(DATABASE, table)
    # SQL defines no order of copies: use the one that a wrong query would not survive.
    text = text.replace(') AS "_copy"', ' ORDER BY "_stream_epoch") AS "_copy"')
    # With an injected key, one query per value reads all partition prefixes.
    stores = sorted({row.folder["store"] for row in rows}) if "<store>" in text else [""]
    shown = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in SHOWN)
    state: State = []
    for store in stores:
        sql = text.replace("<store>", store)
        state += database().execute(f"SELECT {shown} FROM ({sql})").fetchall()
    return sorted_rows(plain(*row) for row in state)


def fill(rows: Sequence[Row], scenario: Scenario) -> None:
    """Create the lake table again with these rows."""
    table = scenario.table
    values = [row.values for row in rows]
    if table.columns is None:
        # Like the crawler: every column in the rows, in lower case.
        values = [{name.lower(): value for name, value in row.items()} for row in values]
        names = {name: "VARCHAR" for row in values for name in row}
        kinds = (
            dict.fromkeys((*SHOWN, "_key", "_op", "_event_id", "_row", "_stream_epoch"), "VARCHAR")
            | names
        )
    else:
        types = {column.name: athena_type(column.type) for column in table.all_columns}
        kinds = {name: duckdb_type(kind) for name, kind in types.items()}
    columns = {name: [text_of(row.get(name)) for row in values] for name in kinds}
    columns |= folders_of(rows, table)
    selected = ", ".join(
        f'CAST(unnest(?::VARCHAR[]) AS {kinds.get(name, "VARCHAR")}) AS "{name}"'
        for name in columns
    )
    database().execute(
        f'CREATE OR REPLACE TABLE "{DATABASE}"."{table.name}" AS SELECT {selected}',
        list(columns.values()),
    )
    # The table without partition keys has them in the path of each row's object.
    folders = "/".join(f"{name}=' || \"{name}\" || '" for name in table.partition_keys)
    names = ", ".join(f'"{name}"' for name in table.partition_keys)
    database().execute(
        f'CREATE OR REPLACE VIEW "{DATABASE}"."{table.name}_objects" AS'
        f""" SELECT * EXCLUDE ({names}), 's3://lake/{folders}/object' AS "$path\""""
        f' FROM "{DATABASE}"."{table.name}"'
    )


def column_values(
    rows: Sequence[Row], names: Iterable[str], table: LakeTable
) -> dict[str, list[str | None]]:
    """Return the texts of each column, also of the partition keys."""
    columns = {name: [text_of(row.values.get(name)) for row in rows] for name in names}
    return {**columns, **folders_of(rows, table)}


def folders_of(rows: Sequence[Row], table: LakeTable) -> dict[str, list[str | None]]:
    return {name: [row.folder[name] for row in rows] for name in table.partition_keys}


def duckdb_type(kind: str) -> str:
    """Return the type in DuckDB, where maps are texts."""
    return "VARCHAR" if kind.startswith("map(") else DUCKDB_TYPES.get(kind, kind)


def text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def expected_state(rows: Iterable[dict[str, Any]], scenario: Scenario) -> State:
    """Return the expected result for rows of the model."""
    return sorted_rows(shown_row(row, scenario.table) for row in rows)


def shown_row(row: Mapping[str, Any], table: LakeTable) -> tuple[Any, ...]:
    """Return the columns of SHOWN of a row of the lake."""
    texts = [text_of(row.get(name)) for name in SHOWN]
    if table.format == "csv":
        # In CSV, NULL and an empty text are equal.
        texts = [text or None for text in texts]
    return plain(*texts)


def plain(*texts: str | None) -> tuple[Any, ...]:
    """Return a row to compare by value, in any text form."""
    item, number, price, note, seen, before, at = texts
    return (
        item,
        None if number is None else int(number),
        None if price is None else Decimal(price),
        note,
        None if seen is None else seen.replace("T", " "),
        None if before is None else int(before),
        at,
    )


def sorted_rows(rows: Iterable[tuple[Any, ...]]) -> State:
    return sorted(rows, key=repr)
