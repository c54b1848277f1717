"""SQL texts of the current state and of the saved queries."""

import base64
import json

from streaming_etl import PartitionArgs, QueryArgs
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.queries import (
    current_state_sql,
    latest_changes_sql,
    rows_per_partition_sql,
    view_text,
)
from tests.support.expected_sql import (
    CRAWLED,
    CURRENT,
    CURRENT_BY_PARTITION,
    LATEST_CHANGES,
    ROWS_PER_PARTITION,
)
from tests.support.pipeline_settings import lake_table

DATABASE = "shop_test"


def test_queries_of_the_minimal_table() -> None:
    table = lake_table()
    assert current_state_sql(DATABASE, table) == CURRENT
    assert latest_changes_sql(DATABASE, table) == LATEST_CHANGES
    assert rows_per_partition_sql(DATABASE, table) == ROWS_PER_PARTITION


def test_the_current_state_of_csv_casts_the_columns() -> None:
    selected = (
        'SELECT NULLIF("id", \'\') AS "id",'
        ' CAST(NULLIF("total", \'\') AS decimal(10,2)) AS "total",'
        ' CAST(NULLIF("created", \'\') AS timestamp) AS "created",'
        ' "year", "month", "day",'
        ' NULLIF("_sequence_number", \'\') AS "_sequence_number",'
        ' CAST(NULLIF("_changed_at", \'\') AS timestamp) AS "_changed_at"'
    )
    sql = current_state_sql(DATABASE, lake_table(format="csv"))
    assert sql.splitlines() == [selected, *CURRENT.splitlines()[1:]]


def test_the_current_state_without_columns_selects_crawled_columns_only() -> None:
    partitions = PartitionArgs(granularity="month")
    table = lake_table(None, catalog="crawler", partitions=partitions)
    assert current_state_sql(DATABASE, table) == CRAWLED


def test_queries_have_a_placeholder_for_an_injected_key() -> None:
    keys = {"store_id": [], "kind": ["a"]}
    table = lake_table(partitions=PartitionArgs(dynamic_partition_keys=keys))
    source, where = 'FROM "shop_test"."orders"', "WHERE \"store_id\" = '<store_id>'"

    def expected(sql: str) -> str:
        listed = sql.replace('"year", "month"', '"store_id", "kind", "year", "month"')
        return listed.replace(source, f"{source}\n{where}")

    assert latest_changes_sql(DATABASE, table) == expected(LATEST_CHANGES)
    assert rows_per_partition_sql(DATABASE, table) == expected(ROWS_PER_PARTITION)


def test_the_partitioned_current_state_reads_one_value_of_an_injected_key() -> None:
    keys = {"store_id": [], "kind": ["a"]}
    table = lake_table(
        partitions=PartitionArgs(dynamic_partition_keys=keys),
        query=QueryArgs(current_state_source="partitions"),
    )
    sql = current_state_sql(DATABASE, table)
    assert sql == (
        CURRENT_BY_PARTITION.replace('"year", "month"', '"store_id", "kind", "year", "month"')
        .replace("'BACKFILL'\n  )\n", "'BACKFILL' AND \"store_id\" = 'backfill'\n  )\n")
        .replace("  )\n) AS", "  ) AND \"store_id\" = '<store_id>'\n) AS")
    )


def test_the_current_state_of_partitions_reads_the_lake_table() -> None:
    table = lake_table(query=QueryArgs(current_state_source="partitions"))
    assert current_state_sql(DATABASE, table) == CURRENT_BY_PARTITION


def test_a_view_runs_as_its_invoker_and_has_no_owner() -> None:
    columns = [Column("id", "string"), Column("total", {"decimal": [10, 2]})]
    text = view_text("SELECT 1", DATABASE, columns)
    encoded = text.removeprefix("/* Presto View: ").removesuffix(" */")
    assert json.loads(base64.b64decode(encoded)) == {
        "originalSql": "SELECT 1",
        "catalog": "awsdatacatalog",
        "schema": "shop_test",
        "columns": [
            {"name": "id", "type": "varchar"},
            {"name": "total", "type": "decimal(10,2)"},
        ],
        "path": [],
        "runAsInvoker": True,
    }
