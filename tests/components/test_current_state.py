"""The view of the present state and the saved queries: their whole texts."""

import pytest

from streaming_etl import PartitionArgs
from streaming_etl.stack.recorder import Graph
from tests.components.differences import opened
from tests.components.pipelines import Pipelines, dev_stack

CURRENT = """\
SELECT "id", "total", "created", "year", "month", "day", "_sequence_number", "_changed_at"
FROM (
  SELECT *,
    rank() OVER (
      PARTITION BY "_key" ORDER BY lpad("_sequence_number", 40, '0') DESC
    ) AS "_rank",
    row_number() OVER (PARTITION BY "_event_id", "_row") AS "_copy"
  FROM "shop_test"."orders"
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1 AND "_op" <> 'REMOVE'"""

LATEST_CHANGES = """\
SELECT *
FROM "shop_test"."orders"
ORDER BY lpad("_sequence_number", 40, '0') DESC
LIMIT 100"""

ROWS_PER_PARTITION = """\
SELECT "year", "month", "day", count(*) AS "rows"
FROM "shop_test"."orders"
GROUP BY "year", "month", "day"
ORDER BY "year", "month", "day\""""

QUERIES = {
    "shop-query-current-state": {
        "name": "shop-current-state",
        "description": "The items as they are now",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": CURRENT,
    },
    "shop-query-latest-changes": {
        "name": "shop-latest-changes",
        "description": "The hundred changes that came last",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": LATEST_CHANGES,
    },
    "shop-query-rows-per-partition": {
        "name": "shop-rows-per-partition",
        "description": "How many rows each folder holds",
        "database": "shop_test",
        "workgroup": "shop-test",
        "query": ROWS_PER_PARTITION,
    },
    # What Athena itself writes when it creates a view.
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
def test_a_query_is_saved_with_exactly_this_text(minimal: Graph, name: str) -> None:
    assert opened(minimal[name].inputs) == QUERIES[name]


def test_the_present_state_of_csv_gives_the_columns_their_types(pipelines: Pipelines) -> None:
    saved = pipelines.build(format="csv")["shop-query-current-state"]
    selected = (
        'SELECT NULLIF("id", \'\') AS "id",'
        ' CAST(NULLIF("total", \'\') AS decimal(10,2)) AS "total",'
        ' CAST(NULLIF("created", \'\') AS timestamp) AS "created",'
        ' "year", "month", "day",'
        ' NULLIF("_sequence_number", \'\') AS "_sequence_number",'
        ' CAST(NULLIF("_changed_at", \'\') AS timestamp) AS "_changed_at"'
    )
    assert saved.inputs["query"].splitlines() == [selected, *CURRENT.splitlines()[1:]]


def test_without_columns_the_present_state_is_every_column_of_the_crawled_table(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(
        module="def transform(change):\n    return change.new\n", catalog="crawler"
    )
    saved = graph["shop-query-current-state"].inputs["query"].splitlines()
    assert saved == ["SELECT *", *CURRENT.splitlines()[1:]]


def test_where_projection_asks_for_a_key_the_queries_hold_a_place_for_its_value(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(
        partitions=PartitionArgs(dynamic_partition_keys={"store_id": [], "kind": ["a"]})
    )
    where = "WHERE \"store_id\" = '<store_id>'"
    table = '  FROM "shop_test"."orders"'
    current = graph["shop-query-current-state"].inputs["query"].splitlines()
    columns = current[0].replace('"store_id", "kind", ', "")
    assert [columns, *current[1:]] == CURRENT.replace(table, f"{table}\n  {where}").splitlines()
    assert graph["shop-query-latest-changes"].inputs["query"] == LATEST_CHANGES.replace(
        table.strip(), f"{table.strip()}\n{where}"
    )
    assert graph["shop-query-rows-per-partition"].inputs["query"] == (
        ROWS_PER_PARTITION.replace(table.strip(), f"{table.strip()}\n{where}").replace(
            '"year", "month"', '"store_id", "kind", "year", "month"'
        )
    )
    # A view cannot ask.
    assert graph.exports["pipeline"]["view"] is None


def test_the_view_spells_nested_types_as_athena_does() -> None:
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
