"""Run Athena's queries on DuckDB, with the SQL's text as it is.

Each table and view that a query reads is created in a DuckDB catalog named `awsdatacatalog`, with
a schema per Glue database. ministack's own engine replaces names in the text instead, and knows
neither views nor `"$path"`.
"""

import asyncio
import base64
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import duckdb
from ministack.services import athena, glue, s3

from local.ministack_patches.athena.files import TableFiles
from local.ministack_patches.athena.result import athena_type, text
from local.ministack_patches.athena.statement import CATALOG, PATH, Statement, TableName, quoted
from local.ministack_patches.athena.tables import create_table
from local.ministack_patches.compat import require_private_api

# Private names of ministack that this package uses.
PRIVATE_API = {
    athena: "_DUCKDB_TYPE_MAP _data_format _hidden _run_duckdb _table_references",
    glue: "_tables",
    s3: "_buckets _get_object_data",
}

PRESTO_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")

# Without a match DuckDB returns the empty text, Trino NULL.
# https://trino.io/docs/current/functions/regexp.html
REGEXP_EXTRACT = """\
CREATE MACRO {schema}.regexp_extract(string, pattern, "group" := 0) AS
CASE WHEN regexp_matches(string, pattern)
THEN system.main.regexp_extract(string, pattern, "group") END"""


def install() -> None:
    """Replace the function that runs a query."""
    require_private_api(PRIVATE_API)

    async def run_duckdb(query: str, database: str, _catalog: str | None = None) -> dict[str, Any]:
        # In a thread, because DuckDB blocks.
        return await asyncio.to_thread(run, query, database)

    athena._run_duckdb = run_duckdb


def run(sql: str, database: str) -> dict[str, Any]:
    """Run one statement; return its columns, their types, and rows as text."""
    with (
        tempfile.TemporaryDirectory(prefix="athena-") as directory,
        duckdb.connect(":memory:") as connection,
    ):
        # DuckDB 2.0's type_pushdown makes TRY_CAST of a CSV's columns fail.
        connection.execute("SET disabled_optimizers = 'type_pushdown'")
        result = Session(connection, Path(directory)).execute(sql, database.lower())
        columns = result.description or []
        return {
            "columns": [name for name, *_ in columns],
            "column_types": [athena_type(type_) for _, type_, *_ in columns],
            "rows": [
                [None if value is None else text(value) for value in row]
                for row in (result.fetchall() if columns else [])
            ],
        }


class Session:
    """The tables and views of one query."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, directory: Path) -> None:
        self._connection = connection
        self._files = TableFiles(directory)
        self._tables: dict[TableName, dict[str, Any]] = {}
        # A view's position is after those of the views that it reads.
        self._views: dict[TableName, Statement] = {}

    def execute(self, sql: str, database: str) -> duckdb.DuckDBPyConnection:
        """Create what the statement reads, and run it."""
        statement = Statement(self._connection, sql, database)
        self._find(statement, set())
        statements = [statement, *self._views.values()]
        # Without a mention, `"$path"` does not exist, and no text is changed.
        with_path = any(PATH in one.sql for one in statements)
        hidden = self._tables if with_path else {}
        self._connection.execute(f"ATTACH ':memory:' AS {CATALOG}")
        for schema in {database, *(name.database for name in (*self._tables, *self._views))}:
            self._create_schema(schema)
        for name, table in self._tables.items():
            create_table(self._connection, name, table, self._files, with_path)
        for name, view in self._views.items():
            # DuckDB searches the schema of a view for the names in it.
            self._connection.execute(f"CREATE VIEW {name.quoted()} AS {view.without_path(hidden)}")
        self._connection.execute(f"USE {CATALOG}.{quoted(database)}")
        return self._connection.execute(statement.without_path(hidden))

    def _find(self, statement: Statement, seen: set[TableName]) -> None:
        """Collect the tables and views that a statement reads, in views too."""
        for name in statement.tables:
            table = glue._tables.get(f"{name.database}/{name.table}")
            if table is None or name in seen:
                continue
            seen.add(name)
            if table.get("TableType") != "VIRTUAL_VIEW":
                self._tables[name] = table
                continue
            view = view_statement(self._connection, name, table)
            self._find(view, seen)
            self._views[name] = view

    def _create_schema(self, schema: str) -> None:
        qualified = f"{CATALOG}.{quoted(schema)}"
        self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {qualified}")
        self._connection.execute(REGEXP_EXTRACT.format(schema=qualified))


def view_statement(
    connection: duckdb.DuckDBPyConnection, name: TableName, table: dict[str, Any]
) -> Statement:
    """Decode the SQL of a Glue view."""
    encoded = PRESTO_VIEW.fullmatch(table.get("ViewOriginalText") or "")
    if encoded is None:
        raise ValueError(f"The view {name.quoted()} has no SQL of Presto.")
    definition = json.loads(base64.b64decode(encoded[1]))
    return Statement(connection, definition["originalSql"], definition["schema"].lower())
