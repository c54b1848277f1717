"""Commits of Iceberg tables."""

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from local.ministack_patches.athena.iceberg import CommitError, IcebergTable, Snapshots
from local.ministack_patches.athena.statement import CATALOG, TableName

EMPTY = IcebergTable("one", TableName("shop", "m"), {"id": "VARCHAR"}, {"id": 1}, None)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH ':memory:' AS {CATALOG}")
        connection.execute(f"CREATE SCHEMA {CATALOG}.shop")
        yield connection


def committed(snapshots: Snapshots, connection: duckdb.DuckDBPyConnection, value: str) -> None:
    """Commit a row to the empty table."""
    connection.execute(f"CREATE OR REPLACE TABLE {EMPTY.name.quoted()} (id VARCHAR)")
    connection.execute(f"INSERT INTO {EMPTY.name.quoted()} VALUES (?)", [value])
    snapshots.commit(connection, EMPTY)


def test_the_second_commit_to_one_snapshot_fails(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots()
    committed(snapshots, connection, "first")

    with pytest.raises(CommitError):
        committed(snapshots, connection, "second")

    snapshot = snapshots.present("one")
    assert snapshot is not None
    connection.execute(f"DROP TABLE {EMPTY.name.quoted()}")
    replace(EMPTY, snapshot=snapshot).create(connection)
    assert connection.execute(f"FROM {EMPTY.name.quoted()}").fetchall() == [("first",)]


def test_tables_have_separate_snapshots(connection: duckdb.DuckDBPyConnection) -> None:
    snapshots = Snapshots()
    committed(snapshots, connection, "first")

    assert snapshots.present("other") is None
