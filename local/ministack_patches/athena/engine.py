"""Run Athena's queries on DuckDB, with the SQL's text as it is.

Each table and view that a query reads is created in a DuckDB catalog named `awsdatacatalog`, with
a schema per Glue database. ministack's own engine replaces names in the text instead, and knows
neither views nor `"$path"` nor Iceberg tables.
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
from local.ministack_patches.athena.iceberg import SNAPSHOTS, IcebergTable
from local.ministack_patches.athena.result import athena_type, text
from local.ministack_patches.athena.statement import CATALOG, PATH, Statement, TableName, quoted
from local.ministack_patches.athena.tables import create_table
from local.ministack_patches.compat import require_private_api
from local.ministack_patches.iceberg.catalog import is_iceberg

# Private names of ministack that this package uses.
PRIVATE_API = {
    athena: "_Cursor _DUCKDB_TYPE_MAP _data_format _hidden _run_duckdb _table_references",
    glue: "_tables",
    s3: "_buckets _get_object_data",
}

PRESTO_VIEW = re.compile(r"/\* Presto View: (\S+) \*/")

# DuckDB's error. The name has a schema if the schema does not exist.
MISSING_TABLE = re.compile('Catalog Error: Table with name "?(.+?)"? does not exist')

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
        statement = Statement(connection, sql, database.lower())
        session = Session(connection, Path(directory))
        if statement.is_maintenance:
            session.require_iceberg(statement)
            return {"columns": [], "column_types": [], "rows": []}
        if statement.target is not None:
            session.write(statement)
            # The number of rows is not among the results.
            return {"columns": ["rows"], "column_types": ["bigint"], "rows": []}
        result = session.execute(statement)
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
        self._iceberg: dict[TableName, IcebergTable] = {}
        # A view's position is after those of the views that it reads.
        self._views: dict[TableName, Statement] = {}

    def execute(self, statement: Statement) -> duckdb.DuckDBPyConnection:
        """Create what the statement reads, and run it.

        Raises ValueError for a table or view that does not exist.
        """
        self._find(statement, set())
        statements = [statement, *self._views.values()]
        try:
            return self._execute(statement, statements)
        except duckdb.CatalogException as error:
            # A common table expression may hide a table, so only DuckDB knows what is missing.
            missing = MISSING_TABLE.match(str(error))
            for name in sorted(set().union(*(one.tables for one in statements))):
                if missing and missing[1].lower() in (name.table, f"{name.database}.{name.table}"):
                    raise table_not_found(name) from None
            raise

    def _execute(
        self, statement: Statement, statements: list[Statement]
    ) -> duckdb.DuckDBPyConnection:
        # Without a mention, `"$path"` does not exist, and no text is changed.
        with_path = any(PATH in one.sql for one in statements)
        hidden = self._tables if with_path else {}
        self._connection.execute(f"ATTACH ':memory:' AS {CATALOG}")
        names = (*self._tables, *self._iceberg, *self._views)
        for schema in {statement.database, *(name.database for name in names)}:
            self._create_schema(schema)
        for name, table in self._tables.items():
            create_table(self._connection, name, table, self._files, with_path)
        for iceberg_table in self._iceberg.values():
            iceberg_table.create(self._connection)
        for name, view in self._views.items():
            # DuckDB searches the schema of a view for the names in it.
            self._connection.execute(f"CREATE VIEW {name.quoted()} AS {view.without_path(hidden)}")
        self._connection.execute(f"USE {CATALOG}.{quoted(statement.database)}")
        return self._connection.execute(statement.without_path(hidden))

    def write(self, statement: Statement) -> None:
        """Run a statement that changes an Iceberg table, and commit the rows.

        Raises CommitError if another statement has changed the table since the start.
        """
        target = self.require_iceberg(statement)
        ((changed_rows,),) = self.execute(statement).fetchall()
        # As in Iceberg, a statement without a change commits nothing.
        if changed_rows:
            SNAPSHOTS.commit(self._connection, self._iceberg[target])

    def require_iceberg(self, statement: Statement) -> TableName:
        """Return the statement's target; raise ValueError if it is no Iceberg table."""
        target = statement.target
        assert target is not None
        table = table_of(target)
        if table is None:
            raise table_not_found(target)
        if not is_iceberg(table):
            raise ValueError(
                "NOT_SUPPORTED: Modifying Hive table rows is only supported for transactional "
                f"tables, and {target.quoted()} is not an Iceberg table"
            )
        return target

    def _find(self, statement: Statement, seen: set[TableName]) -> None:
        """Collect the tables and views that a statement reads, in views too."""
        for name in statement.tables:
            table = table_of(name)
            if table is None or name in seen:
                continue
            seen.add(name)
            if is_iceberg(table):
                self._iceberg[name] = SNAPSHOTS.table(name, table)
                continue
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


def table_not_found(name: TableName) -> ValueError:
    """Return Athena's error for a table or view that does not exist."""
    return ValueError(f"TABLE_NOT_FOUND: Table {name.quoted()} does not exist")


def table_of(name: TableName) -> dict[str, Any] | None:
    """Return a table or view of the Glue catalog."""
    table: dict[str, Any] | None = glue._tables.get(f"{name.database}/{name.table}")
    return table


def view_statement(
    connection: duckdb.DuckDBPyConnection, name: TableName, table: dict[str, Any]
) -> Statement:
    """Decode the SQL of a Glue view."""
    encoded = PRESTO_VIEW.fullmatch(table.get("ViewOriginalText") or "")
    if encoded is None:
        raise ValueError(f"The view {name.quoted()} has no SQL of Presto.")
    definition = json.loads(base64.b64decode(encoded[1]))
    return Statement(connection, definition["originalSql"], definition["schema"].lower())
