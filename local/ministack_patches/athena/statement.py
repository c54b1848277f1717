"""Tables that a statement reads, as DuckDB's parser finds them."""

import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from ministack.services import athena

CATALOG = "awsdatacatalog"
PATH = '"$path"'


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
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


class Statement:
    """An SQL text and the names in it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str, database: str) -> None:
        self.sql = sql.strip().rstrip(";")
        self.database = database
        self.tables: set[TableName] = set()
        self._stars: list[Star] = []
        ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [self.sql]).fetchall()
        tree = json.loads(serialized)
        if tree["error"]:
            # Not a SELECT, for example EXPLAIN.
            for one in athena._table_references(self.sql):
                self.tables.add(TableName((one.database or database).lower(), one.table.lower()))
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
