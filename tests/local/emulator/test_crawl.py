"""Crawlers of catalog tables and of S3 paths."""

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from local.emulator.athena import query
from local.emulator.crawl import columns_of, crawl
from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE, create_bucket

NUMBERS = itertools.count(1)

e2e = pytest.mark.e2e


def bucket_with(aws: Clients, *keys: str, body: bytes = b"{}") -> str:
    name = create_bucket(aws, f"crawled-{next(NUMBERS)}")
    for key in keys:
        aws("s3").put_object(Bucket=name, Key=key, Body=body)
    return name


def crawler_of(aws: Clients, database: str, targets: dict[str, Any]) -> str:
    aws("glue").create_database(DatabaseInput={"Name": database})
    name = f"crawler-of-{database}"
    aws("glue").create_crawler(Name=name, Role=ROLE, DatabaseName=database, Targets=targets)
    return name


@e2e
def test_a_crawler_adds_each_partition_once_with_its_values_in_key_order(
    aws: Clients,
) -> None:
    bucket = bucket_with(
        aws,
        "data/t/year=2026/month=11/a.csv.gz",
        "data/t/year=2026/month=11/b.csv.gz",
        "data/t/year=2026/month=12/2026/12/01/09/below-the-hour-of-firehose.csv.gz",
        "data/t/stray.csv.gz",
        "data/t/month=11/year=2026/wrong-order.csv.gz",
        "data/table/year=2027/month=01/another-table.csv.gz",
    )
    targets = {"CatalogTargets": [{"DatabaseName": "adds", "Tables": ["t"]}]}
    crawler = crawler_of(aws, "adds", targets)
    keys = [{"Name": "year", "Type": "string"}, {"Name": "month", "Type": "string"}]
    storage = {"Location": f"s3://{bucket}/data/t/", "Columns": [{"Name": "id", "Type": "string"}]}
    aws("glue").create_table(
        DatabaseName="adds",
        TableInput={"Name": "t", "PartitionKeys": keys, "StorageDescriptor": storage},
    )

    assert crawl(aws, crawler) == 2
    assert crawl(aws, crawler) == 0
    aws("s3").put_object(Bucket=bucket, Key="data/t/year=2027/month=01/d.csv.gz", Body=b"")
    assert crawl(aws, crawler) == 1

    partitions = aws("glue").get_partitions(DatabaseName="adds", TableName="t")["Partitions"]
    assert [(one["Values"], one["StorageDescriptor"]) for one in partitions] == [
        ([year, month], {**storage, "Location": f"s3://{bucket}/data/t/{folder}/"})
        for year, month, folder in (
            ("2026", "11", "year=2026/month=11"),
            ("2026", "12", "year=2026/month=12"),
            ("2027", "01", "year=2027/month=01"),
        )
    ]


@e2e
def test_a_crawler_of_a_path_creates_a_table_that_athena_reads(aws: Clients) -> None:
    rows = [{"id": "a", "total": 1, "Tags": ["x"]}, {"id": "b", "total": 2.5, "note": None}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    body = gzip.compress(lines.encode())
    bucket = bucket_with(aws, "data/d/events/dt=2026-11-23/one.json.gz", body=body)
    path = f"s3://{bucket}/data/d/events/"
    crawler = crawler_of(aws, "finds", {"S3Targets": [{"Path": path}]})

    assert crawl(aws, crawler) == 1

    table = aws("glue").get_table(DatabaseName="finds", Name="events")["Table"]
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "id", "Type": "string"},
        {"Name": "total", "Type": "double"},
        {"Name": "tags", "Type": "array<string>"},
        {"Name": "note", "Type": "string"},
    ]
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    results = {"ResultConfiguration": {"OutputLocation": f"s3://{bucket}/results/"}}
    aws("athena").create_work_group(Name="finds", Configuration=results)
    result = query(aws, 'SELECT "id", "dt" FROM "finds"."events" ORDER BY 1', "finds", "finds")
    assert result.rows == [{"id": "a", "dt": "2026-11-23"}, {"id": "b", "dt": "2026-11-23"}]


@e2e
def test_a_crawler_of_a_path_adds_columns_and_widens_types(aws: Clients) -> None:
    def put(number: int, row: dict[str, Any]) -> None:
        key = f"data/d/events/dt=2026-11-23/{number}.json"
        aws("s3").put_object(Bucket=bucket, Key=key, Body=f"{json.dumps(row)}\n".encode())

    def columns() -> dict[str, str]:
        crawl(aws, crawler)
        table = aws("glue").get_table(DatabaseName="grows", Name="events")["Table"]
        return {one["Name"]: one["Type"] for one in table["StorageDescriptor"]["Columns"]}

    bucket = bucket_with(aws)
    targets = {"S3Targets": [{"Path": f"s3://{bucket}/data/d/events/"}]}
    crawler = crawler_of(aws, "grows", targets)
    put(1, {"id": "a", "total": 1, "kind": 1})
    assert columns() == {"id": "string", "total": "bigint", "kind": "bigint"}

    put(2, {"id": "a", "total": 1.5, "kind": "x", "Note": "new"})

    assert columns() == {"id": "string", "total": "double", "kind": "string", "note": "string"}


@e2e
def test_a_crawler_of_an_empty_path_creates_no_table(aws: Clients) -> None:
    targets = {"S3Targets": [{"Path": f"s3://{bucket_with(aws)}/data/d/events/"}]}

    assert crawl(aws, crawler_of(aws, "empty", targets)) == 0

    assert aws("glue").get_tables(DatabaseName="empty")["TableList"] == []


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([True], "boolean"),
        ([1, 2], "bigint"),
        (["2026-11-23"], "string"),
        ([1, 2.5], "double"),
        (["x", None], "string"),
        ([None], "string"),
        ([1, "x"], "string"),
        ([[1], [2.5]], "array<double>"),
        ([[]], "array<string>"),
        ([{"A": 1}, {"b": [{"c": True}]}], "struct<a:bigint,b:array<struct<c:boolean>>>"),
        ([{"a": 1}, [1]], "string"),
    ],
)
def test_the_type_of_a_column_fits_all_its_values(
    tmp_path: Path, values: list[Any], type_: str
) -> None:
    path = tmp_path / "rows.json"
    path.write_text("".join(json.dumps({"column": value}) + "\n" for value in values))

    assert columns_of(str(path)) == {"column": type_}
