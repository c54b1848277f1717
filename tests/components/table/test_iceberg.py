"""Definition of the merged table for Glue."""

from streaming_etl import PartitionArgs
from streaming_etl.components.table.iceberg import DOCS, iceberg_schema
from tests.support.pipeline_settings import lake_table

COLUMNS = {
    "id": "string",
    "total": "decimal(10,2)",
    "count": "bigint",
    "lines": "array<struct<sku:string,n:smallint>>",
}


def test_fields_have_ids_and_types_as_json_documents() -> None:
    table = lake_table(COLUMNS, partitions=PartitionArgs(layout="date"))
    fields = iceberg_schema(table)["fields"]
    assert [(field["id"], field["name"], field["type"]) for field in fields[:5]] == [
        (100, "id", '"string"'),
        (101, "total", '"decimal(10, 2)"'),
        (102, "count", '"long"'),
        (
            103,
            "lines",
            '{"element":{"fields":['
            '{"id":103002,"name":"sku","required":false,"type":"string"},'
            '{"id":103003,"name":"n","required":false,"type":"int"}],"type":"struct"},'
            '"element-id":103001,"element-required":false,"type":"list"}',
        ),
        (20, "dt", '"string"'),
    ]
    assert fields[-1] == {
        "id": 19,
        "name": "_merged_at",
        "required": False,
        "type": '"timestamp"',
        "doc": DOCS["_merged_at"],
    }


def test_no_field_is_required() -> None:
    # A column can be added to a table with rows.
    fields = iceberg_schema(lake_table(COLUMNS))["fields"]
    assert not [field["name"] for field in fields if field["required"]]


def test_docs_have_at_most_255_characters() -> None:
    assert max(map(len, DOCS.values())) <= 255
