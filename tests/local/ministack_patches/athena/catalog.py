"""Glue tables and views over objects, for tests on the embedded AWS."""

import base64
import gzip
import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from local.emulator.athena import QueryResult, query
from streaming_etl.stack.clients import Clients
from tests.local.builders import create_bucket

NUMBERS = itertools.count(1)

SERDES: dict[str, dict[str, Any]] = {
    "csv": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
        "Parameters": {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\u0001"},
    },
    "json": {
        "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
        "Parameters": {"case.insensitive": "false"},
    },
    "parquet": {
        "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    },
}


class Database:
    """A Glue database with its bucket and workgroup."""

    def __init__(self, aws: Clients) -> None:
        self._aws = aws
        self.name = f"queries_{next(NUMBERS)}"
        self.bucket = create_bucket(aws, self.name.replace("_", "-"))
        aws("glue").create_database(DatabaseInput={"Name": self.name})
        results = {"ResultConfiguration": {"OutputLocation": f"s3://{self.bucket}/results/"}}
        aws("athena").create_work_group(Name=self.name, Configuration=results)

    def put(self, key: str, body: bytes) -> str:
        """Write an object; return its `"$path"`."""
        self._aws("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def put_rows(self, key: str, format_: str, rows: list[dict[str, Any]]) -> str:
        return self.put(key if format_ == "parquet" else f"{key}.gz", encode(format_, rows))

    def create_table(
        self,
        name: str,
        format_: str,
        columns: dict[str, str],
        keys: dict[str, str] | None = None,
        location: str = "data/t/",
        serde: dict[str, Any] | None = None,
    ) -> None:
        self._create(
            name,
            TableType="EXTERNAL_TABLE",
            Parameters={"classification": format_},
            PartitionKeys=[{"Name": key, "Type": type_} for key, type_ in (keys or {}).items()],
            StorageDescriptor={
                "Location": f"s3://{self.bucket}/{location}",
                "Columns": [{"Name": name, "Type": type_} for name, type_ in columns.items()],
                "SerdeInfo": serde or SERDES[format_],
            },
        )

    def create_iceberg_table(self, name: str, schema: dict[str, Any]) -> None:
        table = {"Location": f"s3://{self.bucket}/{name}/", "Schema": schema}
        iceberg = {"MetadataOperation": "CREATE", "Version": "2", "CreateIcebergTableInput": table}
        self._aws("glue").create_table(
            DatabaseName=self.name, Name=name, OpenTableFormatInput={"IcebergInput": iceberg}
        )

    def update_iceberg_table(self, name: str, schema: dict[str, Any]) -> None:
        change = {"Location": f"s3://{self.bucket}/{name}/", "Schema": schema}
        iceberg = {"UpdateIcebergTableInput": {"Updates": [change]}}
        self._aws("glue").update_table(
            DatabaseName=self.name,
            Name=name,
            UpdateOpenTableFormatInput={"UpdateIcebergInput": iceberg},
        )

    def create_view(self, name: str, sql: str) -> None:
        definition = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": self.name}
        encoded = base64.b64encode(json.dumps(definition).encode()).decode()
        self._create(
            name,
            TableType="VIRTUAL_VIEW",
            Parameters={"presto_view": "true"},
            ViewOriginalText=f"/* Presto View: {encoded} */",
            ViewExpandedText="/* Presto View */",
            StorageDescriptor={"Columns": []},
        )

    def query(self, sql: str, database: str | None = None) -> QueryResult:
        return query(self._aws, sql, self.name, database or self.name)

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        return [tuple(row.values()) for row in self.query(sql).rows]

    def _create(self, name: str, **fields: Any) -> None:
        self._aws("glue").create_table(DatabaseName=self.name, TableInput={"Name": name, **fields})


def iceberg_schema(types: dict[str, Any]) -> dict[str, Any]:
    """Return Glue's schema; the ids are positions."""
    return {
        "Fields": [
            {"Id": id_, "Name": name, "Required": False, "Type": type_}
            for id_, (name, type_) in enumerate(types.items(), 1)
        ]
    }


def encode(format_: str, rows: list[dict[str, Any]]) -> bytes:
    """Write rows in one of the lake's formats; text is compressed."""
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if format_ == "json":
        return gzip.compress(lines.encode())
    if format_ == "csv":
        fields = (",".join(str(value) for value in row.values()) for row in rows)
        return gzip.compress("".join(f"{line}\n" for line in fields).encode())
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "rows.json"), Path(directory, "rows.parquet")
        source.write_text(lines)
        duckdb.read_json(str(source)).write_parquet(str(target))
        return target.read_bytes()
