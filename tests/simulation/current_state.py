"""The component's own current-state query over the simulated lake, run by DuckDB for Athena."""

import atexit
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb

from streaming_etl.components.table import queries
from streaming_etl.components.table.column_types import athena_type
from tests.simulation.lake import Row
from tests.simulation.scenario import DATABASE, Scenario

SHOWN = ("id", "number", "price", "note", "seen", "before", "_sequence_number")
# Athena's names that DuckDB has not.
DUCKDB_TYPES = {"varchar": "VARCHAR", "integer": "INTEGER"}

State = list[tuple[Any, ...]]


@cache
def database() -> duckdb.DuckDBPyConnection:
    """One database for all runs of a process: opening one takes longer than a run's query."""
    connection = duckdb.connect(config={"threads": 1})
    # Left to the interpreter's end, DuckDB tells of leaks there.
    atexit.register(database.cache_clear)
    connection.execute(f'CREATE SCHEMA "{DATABASE}"')
    return connection


def current_state(rows: Sequence[Row], scenario: Scenario) -> State:
    """What the query answers over these rows, the columns of SHOWN as one text or number each."""
    table = scenario.table
    fill(rows, scenario)
    text = queries.current_state_sql(DATABASE, table)
    # Where projection asks for a key, one query per value sees all folders.
    stores = sorted({row.folder["store"] for row in rows}) if table.injected_keys else [""]
    shown = ", ".join(f'CAST("{name}" AS VARCHAR)' for name in SHOWN)
    found: State = []
    for store in stores:
        sql = text.replace("<store>", store)
        found += database().execute(f"SELECT {shown} FROM ({sql})").fetchall()
    return in_order(plain(*row) for row in found)


def fill(rows: Sequence[Row], scenario: Scenario) -> None:
    """Make the lake table anew, of these rows."""
    table = scenario.table
    if table.columns is None:
        # The crawler's part: every column that it finds.
        names = {name: "VARCHAR" for row in rows for name in row.values}
        kinds = dict.fromkeys((*SHOWN, "_key", "_op", "_event_id", "_row"), "VARCHAR") | names
    else:
        types = {column.name: athena_type(column.type) for column in table.all_columns}
        kinds = {name: DUCKDB_TYPES.get(kind, kind) for name, kind in types.items()}
    columns = {name: [text_of(row.values.get(name)) for row in rows] for name in kinds}
    columns |= {name: [row.folder[name] for row in rows] for name in table.partition_keys}
    selected = ", ".join(
        f'CAST(unnest(?::VARCHAR[]) AS {kinds.get(name, "VARCHAR")}) AS "{name}"'
        for name in columns
    )
    database().execute(
        f'CREATE OR REPLACE TABLE "{DATABASE}"."{table.name}" AS SELECT {selected}',
        list(columns.values()),
    )


def text_of(value: Any) -> str | None:
    return None if value is None else str(value)


def expected_state(rows: Iterable[dict[str, Any]], scenario: Scenario) -> State:
    """The same of rows of the model."""
    found = []
    for row in rows:
        texts = [text_of(row.get(name)) for name in SHOWN]
        if scenario.table.format == "csv":
            # A CSV cannot tell NULL from an empty text.
            texts = [text or None for text in texts]
        found.append(plain(*texts))
    return in_order(found)


def plain(*texts: str | None) -> tuple[Any, ...]:
    """A row that compares by value, however its numbers and times are spelled."""
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


def in_order(rows: Iterable[tuple[Any, ...]]) -> State:
    return sorted(rows, key=repr)
