"""Resources of the saved queries and of the current-state view."""

import pytest

from streaming_etl.stack.recorder import Graph
from tests.components.differences import opened
from tests.components.pipelines import dev_stack
from tests.support.expected_sql import CURRENT, LATEST_CHANGES, ROWS_PER_PARTITION

QUERIES = {
    "shop-query-current-state": {
        "name": "shop-current-state",
        "description": "Current state of each item",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": CURRENT,
    },
    "shop-query-latest-changes": {
        "name": "shop-latest-changes",
        "description": "The hundred latest changes",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": LATEST_CHANGES,
    },
    "shop-query-rows-per-partition": {
        "name": "shop-rows-per-partition",
        "description": "Number of rows in each partition",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": ROWS_PER_PARTITION,
    },
    # As Athena creates a view.
    # https://docs.aws.amazon.com/athena/latest/ug/views.html
    "shop-query-view": {
        "name": "orders_current",
        "databaseName": "shop_test",
        "tableType": "VIRTUAL_VIEW",
        "parameters": {"presto_view": "true", "comment": "Presto View"},
        "viewExpandedText": "/* Presto View */",
        "viewOriginalText": {
            "originalSql": CURRENT,
            "catalog": "awsdatacatalog",
            "schema": "shop_test",
            "columns": [
                {"name": "id", "type": "varchar"},
                {"name": "total", "type": "decimal(10,2)"},
                {"name": "created", "type": "timestamp"},
                {"name": "year", "type": "varchar"},
                {"name": "month", "type": "varchar"},
                {"name": "day", "type": "varchar"},
                {"name": "_sequence_number", "type": "varchar"},
                {"name": "_changed_at", "type": "timestamp"},
            ],
        },
        "storageDescriptor": {
            "columns": [
                {"name": "id", "type": "string"},
                {"name": "total", "type": "decimal(10,2)"},
                {"name": "created", "type": "timestamp"},
                {"name": "year", "type": "string"},
                {"name": "month", "type": "string"},
                {"name": "day", "type": "string"},
                {"name": "_sequence_number", "type": "string"},
                {"name": "_changed_at", "type": "timestamp"},
            ],
            "serDeInfo": {"name": "-", "serializationLibrary": "-"},
        },
    },
}


@pytest.mark.parametrize("name", QUERIES)
def test_saves_each_query_with_its_text(minimal: Graph, name: str) -> None:
    assert opened(minimal[name].inputs) == QUERIES[name]


def test_the_view_has_nested_types_in_athenas_syntax() -> None:
    view = opened(dev_stack()["shipments-query-view"].inputs)
    assert view["viewOriginalText"]["columns"][3:6] == [
        {
            "name": "address",
            "type": 'row("city" varchar, "postcode" varchar, "country" varchar)',
        },
        {"name": "parcels", "type": 'array(row("sku" varchar, "quantity" integer))'},
        {"name": "parcel_count", "type": "integer"},
    ]
    assert view["storageDescriptor"]["columns"][3:6] == [
        {"name": "address", "type": "struct<city:string,postcode:string,country:string>"},
        {"name": "parcels", "type": "array<struct<sku:string,quantity:int>>"},
        {"name": "parcel_count", "type": "int"},
    ]
