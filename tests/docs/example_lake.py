"""Empty tables of the example stack and of a hand-made pipeline."""

from functools import cache

import duckdb

from streaming_etl.components.table.column_types import ColumnType, athena_type, parse_type
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import dev_config
from tools.pipeline_graphs.state import parsed

# The table of the hand-made pipeline in docs/migrate.md, and the schema of the readers' views.
BY_HAND = """
CREATE SCHEMA by_hand;
CREATE TABLE by_hand.orders (
    id VARCHAR, user_id VARCHAR, store_id VARCHAR, created TIMESTAMP, updated_at TIMESTAMP,
    event_id VARCHAR, event_name VARCHAR, sequence_number VARCHAR, changed_at TIMESTAMP
);
CREATE SCHEMA reporting;
"""


def lake() -> duckdb.DuckDBPyConnection:
    """A database with the tables and unmerged views of `prod`."""
    database = duckdb.connect(config={"threads": 1})
    database.execute(BY_HAND)
    tables = stack().of("CatalogTable")
    left_out = set()
    for node in tables:
        if "openTableFormatInput" in node.inputs:
            schema, name = node.inputs["databaseName"], node.inputs["name"]
            left_out |= {(schema, name), (schema, f"{name.removesuffix('_merged')}_current")}
    for node in tables:
        schema, name = node.inputs["databaseName"], node.inputs["name"]
        if (schema, name) in left_out:
            continue
        if node.inputs["tableType"] == "VIRTUAL_VIEW":
            query = parsed(node.inputs["viewOriginalText"])["originalSql"]
            database.execute(f'CREATE VIEW "{schema}"."{name}" AS {query}')
            continue
        if "partitionKeys" not in node.inputs:
            continue
        keys = [key["name"] for key in node.inputs["partitionKeys"]]
        columns = [*node.inputs["storageDescriptor"]["columns"], *node.inputs["partitionKeys"]]
        declared = [f'"{it["name"]}" {duckdb_type(parse_type(it["type"]))}' for it in columns]
        database.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        database.execute(f'CREATE TABLE "{schema}"."{name}" ({", ".join(declared)})')
        folders = "/".join(f"{key}=' || \"{key}\" || '" for key in keys)
        database.execute(
            f'CREATE VIEW "{schema}"."{name}_objects" AS SELECT * EXCLUDE ({", ".join(keys)}),'
            f""" 's3://lake/{folders}/object' AS "$path" FROM "{schema}"."{name}\""""
        )
    return database


@cache
def stack() -> Graph:
    """The graph of the example stack, tables before views."""
    graph = program_graph(dev_config(), stack="prod")
    graph.nodes.sort(key=lambda node: node.name)
    return graph


def duckdb_type(kind: ColumnType) -> str:
    if isinstance(kind, dict) and "array" in kind:
        return f"{duckdb_type(kind['array'])}[]"
    if isinstance(kind, dict) and "map" in kind:
        return f"MAP({', '.join(map(duckdb_type, kind['map']))})"
    if isinstance(kind, dict) and "struct" in kind:
        return f"STRUCT({', '.join(f'{name} {duckdb_type(it)}' for name, it in kind['struct'])})"
    return athena_type(kind)
