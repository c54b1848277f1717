"""Tables that a statement reads and writes.

DuckDB's parser returns the tree of a SELECT only, so sqlglot parses the statements that write.
"""

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import sqlglot
from ministack.services import athena
from sqlglot import expressions

CATALOG = "awsdatacatalog"
PATH = '"$path"'


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, order=True)
class TableName:
    """Lower-case name of a table or view of the Glue catalog."""

    database: str
    table: str

    def quoted(self) -> str:
        return f"{CATALOG}.{quoted(self.database)}.{quoted(self.table)}"


@dataclass(frozen=True)
class Star:
    """A `*` in a SELECT: its tables, and its end in bytes."""

    tables: frozenset[TableName]
    end: int


WRITES = {
    "merge": expressions.Merge,
    "delete": expressions.Delete,
    "insert": expressions.Insert,
    "update": expressions.Update,
}
"""Statements that change rows, by their first word."""


class Statement:
    """An SQL text and the names in it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str, database: str) -> None:
        self.sql = sql.strip().rstrip(";")
        self.database = database
        self.tables: set[TableName] = set()
        self.target: TableName | None = None
        """The table that the statement changes or maintains."""
        self.is_maintenance = False
        """Whether it rewrites files and changes no rows."""
        self._stars: list[Star] = []
        cursor = athena._Cursor(self.sql)
        first = cursor.name()
        if first in ("optimize", "vacuum"):
            self._find_maintained(cursor, is_optimize=first == "optimize")
        elif first in WRITES:
            self._find_written(WRITES[first])
        else:
            self._find_read(connection)

    def _find_maintained(self, cursor: Any, is_optimize: bool) -> None:
        """Find the table of OPTIMIZE or VACUUM, after that word.

        https://docs.aws.amazon.com/athena/latest/ug/optimize-statement.html
        """
        name = cursor.dotted_name(3)
        if is_optimize:
            is_complete = cursor.keywords("rewrite", "data", "using", "bin_pack")
            is_complete = is_complete and (cursor.at_end() or cursor.keywords("where"))
        else:
            is_complete = cursor.at_end()
        if name is None or not is_complete:
            raise ValueError(f"mismatched input in {self.sql}")
        _, database, table = name
        self.target = TableName((database or self.database).lower(), table.lower())
        self.is_maintenance = True

    def _find_written(self, kind: type[expressions.Expression]) -> None:
        """Find the tables of a statement that changes rows."""
        tree = sqlglot.parse_one(self.sql, dialect="trino")
        ctes = {cte.alias.lower() for cte in tree.find_all(expressions.CTE)}
        for table in tree.find_all(expressions.Table):
            name, database = table.name.lower(), table.db.lower()
            if table.catalog.lower() in ("", CATALOG) and (database or name not in ctes):
                self.tables.add(TableName(database or self.database, name))
        written = tree.this.this if isinstance(tree.this, expressions.Schema) else tree.this
        if not isinstance(tree, kind) or not isinstance(written, expressions.Table):
            raise ValueError(f"mismatched input in {self.sql}")
        self.target = TableName(written.db.lower() or self.database, written.name.lower())

    def _find_read(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Find the tables, and each `*`, of a SELECT."""
        ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [self.sql]).fetchall()
        tree = json.loads(serialized)
        if tree["error"]:
            # Not a SELECT, for example EXPLAIN.
            for one in athena._table_references(self.sql):
                self.tables.add(
                    TableName((one.database or self.database).lower(), one.table.lower())
                )
            return
        ctes = {
            entry["key"].lower()
            for node in nodes(tree)
            for entry in (node.get("cte_map") or {}).get("map", [])
        }
        for node in nodes(tree):
            if node.get("type") == "BASE_TABLE" and (name := self._name(node)):
                self.tables.add(name)
            if node.get("type") == "SELECT_NODE":
                self._stars += self._stars_of(node, ctes)

    def without_path(self, tables: Container[TableName]) -> str:
        """Exclude `"$path"` from each `*`, as a hidden column is."""
        text = self.sql.encode()
        for star in sorted(self._stars, key=lambda star: star.end, reverse=True):
            if any(name in tables for name in star.tables):
                text = text[: star.end] + f" EXCLUDE ({PATH})".encode() + text[star.end :]
        return text.decode()

    def _name(self, node: dict[str, Any]) -> TableName | None:
        """Return a table's name, None for a table of another catalog."""
        if node["catalog_name"].lower() not in ("", CATALOG):
            return None
        database = node["schema_name"].lower() or self.database
        return TableName(database, node["table_name"].lower())

    def _stars_of(self, select: dict[str, Any], ctes: Container[str]) -> Iterator[Star]:
        tables = {
            (node["alias"] or node["table_name"]).lower(): name
            for node in joined(select["from_table"])
            if (name := self._name(node)) and (node["schema_name"] or name.table not in ctes)
        }
        for item in select["select_list"]:
            # The parser adds a star without a text to `SHOW TABLES` and VALUES.
            if item["type"] == "STAR" and item["query_location_length"]:
                relation = item["relation_name"].lower()
                covered = [name for alias, name in tables.items() if relation in ("", alias)]
                end = item["query_location"] + item["query_location_length"]
                yield Star(frozenset(covered), end)


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Iterate over all objects in JSON."""
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for child in tree:
            yield from nodes(child)


def joined(source: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Iterate over the tables of a FROM clause outside of subqueries."""
    if source["type"] == "JOIN":
        yield from joined(source["left"])
        yield from joined(source["right"])
    elif source["type"] == "BASE_TABLE":
        yield source
