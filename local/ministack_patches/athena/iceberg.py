"""Rows of Iceberg tables: a snapshot per table, replaced by each commit.

A query reads the snapshots of its start as DuckDB tables, so it sees no change of another query. A
statement that fails commits nothing, and of two that change one table at once the second fails, as
with Iceberg.
"""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb

from local.ministack_patches.athena.statement import TableName, quoted
from local.ministack_patches.athena.tables import duckdb_type, literal
from local.ministack_patches.iceberg.catalog import Table, read_metadata

# Column parameter of Glue with the field's id.
FIELD_ID = "iceberg.field.id"


class CommitError(Exception):
    """Another statement has changed the table."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Rows of a table, and the column of each field then."""

    file: Path
    columns: dict[int, str]


@dataclass(frozen=True)
class IcebergTable:
    """An Iceberg table as one query reads it."""

    uuid: str
    name: TableName
    types: dict[str, str]
    ids: dict[str, int]
    snapshot: Snapshot | None

    def create(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the DuckDB table; a field that the rows lack is NULL."""
        stored = self.snapshot.columns if self.snapshot else {}
        values = {
            column: f"CAST({self._stored(stored.get(self.ids[column]))} AS {type_})"
            for column, type_ in self.types.items()
        }
        selected = ", ".join(f"{value} AS {quoted(column)}" for column, value in values.items())
        source = (
            f"read_parquet({literal(str(self.snapshot.file))})"
            if self.snapshot
            else "(SELECT 1) WHERE false"
        )
        connection.execute(f"CREATE TABLE {self.name.quoted()} AS SELECT {selected} FROM {source}")

    def _stored(self, column: str | None) -> str:
        return "NULL" if column is None else quoted(column)


class Snapshots:
    """The present snapshot of each table of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._directory: Path | None = None
        self._present: dict[str, Snapshot] = {}
        self._number = 0

    def table(self, name: TableName, table: Table) -> IcebergTable:
        """Return a table with its present rows."""
        # A table that was deleted and created again has another id.
        uuid = read_metadata(table)["table-uuid"]
        columns = table["StorageDescriptor"]["Columns"]
        return IcebergTable(
            uuid,
            name,
            {column["Name"]: duckdb_type(column["Type"]) for column in columns},
            {column["Name"]: int(column["Parameters"][FIELD_ID]) for column in columns},
            self.present(uuid),
        )

    def present(self, uuid: str) -> Snapshot | None:
        """Return a table's snapshot, None before the first commit."""
        return self._present.get(uuid)

    def commit(self, connection: duckdb.DuckDBPyConnection, table: IcebergTable) -> None:
        """Replace a table's snapshot by its DuckDB table.

        Raises CommitError if the snapshot is not the one that the query has read.
        """
        file = self._new_file()
        connection.execute(f"COPY {table.name.quoted()} TO {literal(str(file))} (FORMAT parquet)")
        snapshot = Snapshot(file, {id_: column for column, id_ in table.ids.items()})
        with self._lock:
            if self._present.get(table.uuid) is not table.snapshot:
                file.unlink()
                raise CommitError(
                    f"ICEBERG_COMMIT_ERROR: Failed to commit during write to {table.name.quoted()}"
                )
            self._present[table.uuid] = snapshot

    def _new_file(self) -> Path:
        with self._lock:
            if self._directory is None:
                # It is within the directory of ministack's process, which is removed at the end.
                self._directory = Path(tempfile.mkdtemp(prefix="iceberg-"))
            self._number += 1
            return self._directory / f"{self._number}.parquet"


SNAPSHOTS = Snapshots()
