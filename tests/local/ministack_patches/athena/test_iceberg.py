"""Rows of Iceberg tables in Athena."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from streaming_etl import QueryArgs
from streaming_etl.components.table.column_types import glue_type
from streaming_etl.components.table.merge import (
    expire_tombstones_sql,
    merge_sql,
    merged_columns,
    merged_state_sql,
    optimize_sql,
)
from streaming_etl.components.table.window import RecentWindow
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from tests.local.ministack_patches.athena.catalog import Database, iceberg_schema
from tests.support.pipeline_settings import lake_table

pytestmark = pytest.mark.e2e

TYPES = {"id": "string", "total": "long"}
MERGE = """\
MERGE INTO m AS "merged"
USING (SELECT "id", sum("total") AS "total" FROM log GROUP BY 1) AS "new"
ON "merged"."id" = "new"."id"
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT ("id", "total") VALUES ("new"."id", "new"."total")"""


@pytest.fixture
def database(aws: Clients) -> Database:
    return Database(aws)


def filled(database: Database) -> None:
    """Create an Iceberg table with two rows."""
    database.create_iceberg_table("m", iceberg_schema(TYPES))
    database.query("INSERT INTO m VALUES ('a', 1), ('b', 2)")


def rows(database: Database, table: str = "m") -> list[tuple[str | None, ...]]:
    return database.rows(f"SELECT * FROM {table} ORDER BY 1")


def test_a_new_table_has_no_rows(database: Database) -> None:
    database.create_iceberg_table("m", iceberg_schema(TYPES))

    result = database.query("SELECT * FROM m")

    assert (result.columns, result.rows) == (["id", "total"], [])


def test_a_merge_changes_the_rows_that_later_queries_read(database: Database) -> None:
    filled(database)
    database.create_table("log", "json", {"id": "string", "total": "bigint"})
    objects = [{"id": "b", "total": 5}, {"id": "c", "total": 3}, {"id": "c", "total": 4}]
    database.put_rows("data/t/one", "json", objects)

    database.query(MERGE)

    assert rows(database) == [("a", "1"), ("c", "7")]


def test_a_delete_and_an_update_change_rows(database: Database) -> None:
    filled(database)

    database.query(f'DELETE FROM "{database.name}"."m" WHERE "id" = (SELECT min("id") FROM m)')
    database.query(f"UPDATE awsdatacatalog.{database.name}.m SET total = 9")

    assert rows(database) == [("b", "9")]


def test_a_failed_statement_changes_nothing(database: Database) -> None:
    filled(database)

    with pytest.raises(CommandError) as raised:
        database.query("UPDATE m SET total = CAST(id AS bigint)")

    assert raised.value.code == "query-failed"
    assert rows(database) == [("a", "1"), ("b", "2")]


def test_a_view_reads_an_iceberg_table_and_the_path_of_another_one(database: Database) -> None:
    filled(database)
    database.create_table("log", "json", {"id": "string", "total": "bigint"})
    path = database.put_rows("data/t/one", "json", [{"id": "c", "total": 3}])
    database.create_view(
        "v", 'SELECT *, \'merged\' AS "from" FROM m UNION ALL SELECT *, "$path" FROM log'
    )

    assert rows(database, "v") == [
        ("a", "1", "merged"),
        ("b", "2", "merged"),
        ("c", "3", f"{path}.gz" if not path.endswith(".gz") else path),
    ]


def test_a_table_is_new_after_its_deletion(database: Database, aws: Clients) -> None:
    filled(database)

    aws("glue").delete_table(DatabaseName=database.name, Name="m")
    with pytest.raises(CommandError):
        rows(database)
    database.create_iceberg_table("m", iceberg_schema(TYPES))

    assert rows(database) == []


def test_a_new_column_is_null_in_the_rows_before_it(database: Database) -> None:
    filled(database)

    database.update_iceberg_table("m", iceberg_schema({**TYPES, "note": "string"}))
    database.query("INSERT INTO m VALUES ('c', 3, 'new')")

    assert rows(database) == [("a", "1", None), ("b", "2", None), ("c", "3", "new")]


def test_rows_follow_the_ids_of_the_columns(database: Database) -> None:
    filled(database)

    [id_, total] = iceberg_schema(TYPES)["Fields"]
    other = {"Id": 3, "Name": "total", "Required": False, "Type": "long"}
    database.update_iceberg_table("m", {"Fields": [{**total, "Name": "sum"}, other, id_]})

    result = database.query("SELECT * FROM m ORDER BY 1")
    assert result.columns == ["sum", "total", "id"]
    assert [tuple(row.values()) for row in result.rows] == [("1", None, "a"), ("2", None, "b")]


def test_nested_values_keep_their_types(database: Database) -> None:
    struct = {
        "type": "struct",
        "fields": [{"id": 13, "name": "x", "required": False, "type": "decimal(10, 2)"}],
    }
    types = {
        "list": {"type": "list", "element-id": 11, "element": struct, "element-required": False},
        "map": {
            "type": "map", "key-id": 14, "key": "string", "value-id": 15, "value": "long",
            "value-required": False,
        },
        "at": "timestamp",
    }  # fmt: skip
    database.create_iceberg_table("m", iceberg_schema(types))

    database.query(
        "INSERT INTO m VALUES ([{'x': 1.5}], MAP {'k': 2}, TIMESTAMP '2026-11-28 09:00:00.123')"
    )

    assert rows(database) == [("[{x=1.50}]", "{k=2}", "2026-11-28 09:00:00.123")]


@pytest.mark.parametrize("maintenance", ["OPTIMIZE {} REWRITE DATA USING BIN_PACK", "VACUUM {}"])
def test_maintenance_changes_no_rows(database: Database, maintenance: str) -> None:
    filled(database)

    database.query(maintenance.format(f'{database.name}."m"'))
    database.query(maintenance.format("m") + ";")

    assert rows(database) == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM log",
        "MERGE INTO log USING m ON log.id = m.id WHEN MATCHED THEN DELETE",
        "UPDATE log SET total = 1",
        "OPTIMIZE log REWRITE DATA USING BIN_PACK",
        "VACUUM log",
        "VACUUM missing",
        "DELETE FROM missing",
        "OPTIMIZE m",
        "OPTIMIZE m REWRITE DATA USING SORT",
        "VACUUM m FULL",
    ],
)
def test_what_athena_rejects_fails(database: Database, sql: str) -> None:
    filled(database)
    database.create_table("log", "json", {"id": "string", "total": "bigint"})

    with pytest.raises(CommandError) as raised:
        database.query(sql)

    assert raised.value.code == "query-failed"


def test_two_statements_cannot_change_a_table_at_once(database: Database) -> None:
    filled(database)
    outcomes: list[str] = []

    def insert(number: int) -> None:
        # Long enough for the other statements to start.
        slow = "SELECT count(*) FROM range(3000) a, range(3000) b"
        try:
            database.query(f"INSERT INTO m VALUES ('new {number}', ({slow}))")
        except CommandError as error:
            outcomes.append(str(error.details["reason"]).partition(":")[0])
        else:
            outcomes.append("committed")

    threads = [threading.Thread(target=insert, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(outcomes) <= {"committed", "ICEBERG_COMMIT_ERROR"}
    committed = outcomes.count("committed")
    assert committed >= 1
    assert len(rows(database)) == 2 + committed


QUERY = QueryArgs(current_state_source="partitions")
ROWS = [
    # Item, event type, position, row, total.
    ("a", "INSERT", 1, 0, 1.5),
    ("a", "MODIFY", 3, 0, 2.5),
    ("a", "MODIFY", 3, 1, 3.5),
    ("b", "INSERT", 2, 0, 9),
    ("b", "REMOVE", 4, 0, None),
]


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_the_statements_of_the_merge_stage_run_unchanged(database: Database, format_: str) -> None:
    log = lake_table({"id": "string", "total": "decimal(10,2)"}, format=format_, query=QUERY)
    null = "" if format_ == "csv" else None
    window = RecentWindow(hours=50, time_zone="UTC")
    database.create_table(
        "orders",
        format_,
        {column.name: glue_type(column.type) for column in log.all_columns},
        dict.fromkeys(log.partition_keys, "string"),
    )
    now = datetime.now(UTC)
    objects = [
        {
            "id": id_, "total": null if total is None else total, "_op": op, "_key": id_,
            "_row": row, "_event_id": f"e{position}", "_stream_epoch": "2026",
            "_sequence_number": str(position), "_changed_at": "2026-01-01 00:00:00",
        }
        for id_, op, position, row, total in ROWS
    ]  # fmt: skip
    # CSV has the columns by position.
    names = [column.name for column in log.all_columns]
    objects = [{name: values[name] for name in names} for values in objects]
    database.put_rows(f"data/t/year={now:%Y}/month={now:%m}/day={now:%d}/one", format_, objects)
    fields = [
        {"Id": column.id, "Name": column.name, "Required": False, "Type": column.schema_type}
        for column in merged_columns(log)
    ]
    database.create_iceberg_table("orders_merged", {"Fields": fields})
    database.create_view("orders_current", merged_state_sql(database.name, log, window))
    current = 'SELECT "id", "total" FROM orders_current ORDER BY 1, 2'
    before = database.rows(current)

    for _ in range(2):
        database.query(merge_sql(database.name, log, window))

    assert before == database.rows(current) == [("a", "2.50"), ("a", "3.50")]
    merged = 'SELECT "_op", count(*) FROM orders_merged GROUP BY 1 ORDER BY 1'
    assert database.rows(merged) == [("MODIFY", "2"), ("REMOVE", "1")]

    tomorrow = f"{datetime.now(UTC) + timedelta(1):%Y-%m-%d}"
    database.query(expire_tombstones_sql(database.name, log, 0, tomorrow))
    database.query(optimize_sql(database.name, log))
    assert database.rows(merged)[0] == ("MODIFY", "2")
