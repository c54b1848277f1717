"""Iceberg tables of Glue, through its API."""

import itertools
import json
from typing import Any
from urllib.parse import urlparse

import pytest
from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from tests.local.builders import create_bucket

pytestmark = pytest.mark.e2e

NUMBERS = itertools.count(1)
LINE = {
    "type": "struct",
    "fields": [
        {"id": 7, "name": "sku", "required": False, "type": "string"},
        {"id": 8, "name": "count", "required": False, "type": "long"},
    ],
}
TYPES: dict[str, Any] = {
    "id": "string",
    "total": "decimal(10, 2)",
    "count": "int",
    "lines": {"type": "list", "element-id": 6, "element": LINE, "element-required": False},
    "at": "timestamp",
}


class Catalog:
    """A Glue database, and the bucket of its tables."""

    def __init__(self, aws: Clients) -> None:
        self._aws = aws
        self.database = f"merged_{next(NUMBERS)}"
        self.bucket = create_bucket(aws, self.database.replace("_", "-"))
        aws("glue").create_database(DatabaseInput={"Name": self.database})

    def create(self, types: dict[str, Any], bucket: str | None = None) -> None:
        table = {
            "Location": f"s3://{bucket or self.bucket}/merged/",
            "Schema": schema(types),
            "Properties": {"write.format.default": "parquet"},
        }
        iceberg = {"MetadataOperation": "CREATE", "Version": "2", "CreateIcebergTableInput": table}
        self._aws("glue").create_table(
            DatabaseName=self.database, Name="t", OpenTableFormatInput={"IcebergInput": iceberg}
        )

    def update(self, types: dict[str, Any]) -> None:
        change = {"Location": f"s3://{self.bucket}/merged/", "Schema": schema(types)}
        iceberg = {"UpdateIcebergTableInput": {"Updates": [change]}}
        self._aws("glue").update_table(
            DatabaseName=self.database,
            Name="t",
            UpdateOpenTableFormatInput={"UpdateIcebergInput": iceberg},
        )

    def table(self) -> dict[str, Any]:
        return dict(self._aws("glue").get_table(DatabaseName=self.database, Name="t")["Table"])

    def columns(self) -> dict[str, str]:
        columns = self.table()["StorageDescriptor"]["Columns"]
        return {column["Name"]: column["Type"] for column in columns}

    def metadata(self) -> dict[str, Any]:
        url = urlparse(self.table()["Parameters"]["metadata_location"])
        content = self._aws("s3").get_object(Bucket=url.netloc, Key=url.path[1:])["Body"].read()
        return dict(json.loads(content))


def schema(types: dict[str, Any]) -> dict[str, Any]:
    # The ids are positions, with those of nested fields in between.
    ids = {"id": 1, "total": 2, "count": 3, "lines": 4, "at": 5}
    return {
        "Fields": [
            {"Id": ids.get(name, 9), "Name": name, "Required": False, "Type": type_, "Doc": name}
            for name, type_ in types.items()
        ]
    }


@pytest.fixture
def catalog(aws: Clients) -> Catalog:
    return Catalog(aws)


def test_glue_derives_the_columns_of_an_iceberg_table(catalog: Catalog) -> None:
    catalog.create(TYPES)

    table = catalog.table()
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"]["table_type"] == "ICEBERG"
    assert catalog.columns() == {
        "id": "string",
        "total": "decimal(10,2)",
        "count": "int",
        "lines": "array<struct<sku:string,count:bigint>>",
        "at": "timestamp",
    }
    assert table["StorageDescriptor"]["Columns"][0]["Comment"] == "id"
    assert table["StorageDescriptor"]["Columns"][0]["Parameters"] == {
        "iceberg.field.current": "true",
        "iceberg.field.id": "1",
        "iceberg.field.optional": "true",
    }


def test_the_metadata_file_has_the_schema_with_its_ids(catalog: Catalog) -> None:
    catalog.create(TYPES)

    metadata = catalog.metadata()
    assert metadata["format-version"] == 2
    assert metadata["last-column-id"] == 8
    assert metadata["properties"] == {"write.format.default": "parquet"}
    [stored] = metadata["schemas"]
    assert {one["name"]: one["type"] for one in stored["fields"]} == TYPES


def test_a_new_field_becomes_the_last_column(catalog: Catalog) -> None:
    catalog.create(TYPES)
    first = catalog.table()["Parameters"]["metadata_location"]

    catalog.update({**TYPES, "note": "string"})

    assert list(catalog.columns()) == [*TYPES, "note"]
    assert catalog.table()["Parameters"]["previous_metadata_location"] == first
    metadata = catalog.metadata()
    assert metadata["current-schema-id"] == 1
    assert metadata["last-column-id"] == 9
    assert [one["metadata-file"] for one in metadata["metadata-log"]] == [first]


@pytest.mark.parametrize(
    ("name", "type_"), [("count", "long"), ("total", "decimal(20, 2)"), ("count", "int")]
)
def test_a_type_can_become_wider(catalog: Catalog, name: str, type_: str) -> None:
    catalog.create(TYPES)

    catalog.update({**TYPES, name: type_})

    assert catalog.metadata()["current-schema-id"] == 1


@pytest.mark.parametrize(
    ("name", "type_"),
    [
        ("count", "string"),
        ("total", "decimal(9, 2)"),
        ("total", "decimal(10, 3)"),
        ("lines", "int"),
    ],
)
def test_a_type_that_values_cannot_have_is_rejected(
    catalog: Catalog, name: str, type_: str
) -> None:
    catalog.create(TYPES)

    with pytest.raises(ClientError) as raised:
        catalog.update({**TYPES, name: type_})

    assert raised.value.response["Error"]["Code"] == "InvalidInputException"
    assert catalog.metadata()["current-schema-id"] == 0


def test_the_id_of_a_removed_field_keeps_its_type(catalog: Catalog) -> None:
    catalog.create(TYPES)
    catalog.update({name: type_ for name, type_ in TYPES.items() if name != "count"})

    with pytest.raises(ClientError):
        catalog.update({**TYPES, "count": "string"})


def test_a_table_without_a_bucket_is_not_created(catalog: Catalog) -> None:
    with pytest.raises(ClientError) as raised:
        catalog.create(TYPES, bucket="missing")

    assert raised.value.response["Error"]["Code"] == "InvalidInputException"
    with pytest.raises(ClientError):
        catalog.table()


def test_only_an_iceberg_table_has_an_iceberg_update(catalog: Catalog, aws: Clients) -> None:
    with pytest.raises(ClientError) as missing:
        catalog.update(TYPES)
    aws("glue").create_table(DatabaseName=catalog.database, TableInput={"Name": "t"})
    with pytest.raises(ClientError) as other:
        catalog.update(TYPES)

    codes = [raised.value.response["Error"]["Code"] for raised in (missing, other)]
    assert codes == ["EntityNotFoundException", "InvalidInputException"]
