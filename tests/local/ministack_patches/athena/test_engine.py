"""Athena's SQL over Glue tables and views."""

import gzip

import pytest

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from tests.local.builders import read_objects, wait_for
from tests.local.ministack_patches.athena.catalog import SERDES, Database

pytestmark = pytest.mark.e2e

COLUMNS = {"id": "string", "total": "bigint"}
KEYS = {"carrier": "string", "day": "int"}
FORMATS = ("csv", "json", "parquet")

YAMATO = "data/t/carrier=yamato/day=7/2026/11/23/09/one"
SAGAWA = "data/t/carrier=s%20gawa/day=8/two"

VIEW = """\
SELECT "id", CAST(NULLIF("note", '') AS bigint) AS "note", "carrier",
  coalesce("last", 'none') AS "last"
FROM (
  SELECT *,
    regexp_extract("$path", '/carrier=([^/]+)/', 1) AS "carrier",
    regexp_extract("$path", '/other=([^/]+)/', 1) AS "last",
    rank() OVER (PARTITION BY "id" ORDER BY lpad("position", 40, '0') DESC) AS "_rank",
    row_number() OVER (PARTITION BY "event", "row") AS "_copy"
  FROM "{database}"."t_objects"
  WHERE (SELECT max("row") FROM "t_objects") >= "row"
    AND ("id", "row") IN (SELECT "id", "row" FROM "t_objects")
) AS "changes"
WHERE "_rank" = 1 AND "_copy" = 1"""


@pytest.fixture
def database(aws: Clients) -> Database:
    return Database(aws)


def partitioned(database: Database, format_: str) -> list[str]:
    """Create a table with two objects; return their paths."""
    database.create_table("t", format_, COLUMNS, KEYS)
    return [
        database.put_rows(YAMATO, format_, [{"id": "a", "total": 1}, {"id": "b", "total": 2}]),
        database.put_rows(SAGAWA, format_, [{"id": "c", "total": 3}]),
    ]


@pytest.mark.parametrize("format_", FORMATS)
def test_a_partitioned_table_has_its_columns_and_keys(database: Database, format_: str) -> None:
    partitioned(database, format_)

    result = database.query(f'SELECT * FROM "{database.name}"."t" WHERE "day" > 0 ORDER BY "id"')

    assert result.columns == ["id", "total", "carrier", "day"]
    assert [tuple(row.values()) for row in result.rows] == [
        ("a", "1", "yamato", "7"),
        ("b", "2", "yamato", "7"),
        ("c", "3", "s gawa", "8"),
    ]


@pytest.mark.parametrize("format_", FORMATS)
def test_path_is_the_object_of_a_row(database: Database, format_: str) -> None:
    yamato, sagawa = partitioned(database, format_)

    counts = f'SELECT "$path", count(*) FROM "{database.name}"."t" GROUP BY 1 ORDER BY 2'
    assert database.rows(counts) == [(sagawa, "1"), (yamato, "2")]
    one_object = f"""SELECT t."id" FROM t WHERE "$path" = '{sagawa}'"""
    assert database.rows(one_object) == [("c",)]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT * FROM t WHERE \"$path\" <> ''", ["id", "total", "carrier", "day"]),
        (
            "SELECT 'é' AS e, x.*, \"$path\" FROM t x",
            ["e", "id", "total", "carrier", "day", "$path"],
        ),
        ('SELECT * FROM (SELECT id, "$path" FROM t)', ["id", "$path"]),
        ('WITH c AS (SELECT "$path", id FROM t) SELECT * FROM c', ["$path", "id"]),
        ('WITH t AS (SELECT "$path" FROM t) SELECT * FROM t', ["$path"]),
        ('SELECT a.*, b."$path" AS p FROM t a, t b', ["id", "total", "carrier", "day", "p"]),
    ],
)
def test_path_is_hidden_from_a_star(database: Database, sql: str, columns: list[str]) -> None:
    partitioned(database, "json")

    assert database.query(sql).columns == columns


def test_a_name_may_have_a_database_and_a_catalog(database: Database, aws: Clients) -> None:
    partitioned(database, "csv")
    other = Database(aws).name

    for table in (f'"{database.name}"."t"', f'AwsDataCatalog."{database.name}".T'):
        sql = f'SELECT max("{database.name}"."t"."total") FROM {table}'
        assert list(database.query(sql, other).rows[0].values()) == ["3"]
    with pytest.raises(CommandError):
        database.query("SELECT * FROM t", other)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_view_reads_a_table_of_all_objects(
    database: Database, aws: Clients, format_: str
) -> None:
    types = ("id", "position", "event", "row", "note")
    columns = dict.fromkeys(types, "string") | {"row": "int"}
    database.create_table("t", format_, columns, KEYS)
    database.create_table("t_objects", format_, columns)
    database.create_view("t_current", VIEW.format(database=database.name))
    old = dict(zip(types, ("a", "9", "e1", 0, "5"), strict=True))
    new = dict(zip(types, ("a", "10", "e2", 0, ""), strict=True))
    database.put_rows(YAMATO, format_, [old, new, new])
    database.put_rows(SAGAWA, format_, [{**old, "id": "b", "event": "e3"}])

    sql = f'SELECT * FROM "{database.name}"."t_current" WHERE "last" = \'none\' ORDER BY "id"'
    result = database.query(sql, Database(aws).name)

    assert result.columns == ["id", "note", "carrier", "last"]
    assert [tuple(row.values()) for row in result.rows] == [
        ("a", None, "yamato", "none"),
        ("b", "5", "s%20gawa", "none"),
    ]


def test_a_view_may_read_a_view(database: Database) -> None:
    partitioned(database, "parquet")
    # The name of a view that another reads may come later in the alphabet.
    database.create_view("z", "SELECT * FROM t WHERE id <> 'a'")
    database.create_view("y", 'SELECT "id", "carrier" FROM z')

    assert database.rows("SELECT count(*) FROM y JOIN z USING (id)") == [("2",)]


def test_a_view_reads_tables_of_its_database(database: Database, aws: Clients) -> None:
    partitioned(database, "json")
    database.create_view("v", 'SELECT * FROM "t"')
    other = Database(aws)
    other.create_table("t", "json", COLUMNS)

    sql = f'SELECT (SELECT count(*) FROM "t"), (SELECT count(*) FROM "{database.name}"."v")'
    assert list(database.query(sql, other.name).rows[0].values()) == ["0", "3"]


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("keys", [{}, KEYS])
def test_a_table_without_rows_has_its_columns(
    database: Database, format_: str, keys: dict[str, str]
) -> None:
    database.create_table("t", format_, {**COLUMNS, "tags": "array<struct<a:int>>"}, keys)
    sql = 'SELECT *, "$path" FROM t'
    expected = ["id", "total", "tags", *keys, "$path"]

    assert database.query(sql).columns == expected
    database.put("data/t/carrier=yamato/day=7/empty.gz", b"")
    database.put("data/t/_hidden/other.gz", b"x")
    result = database.query(sql)
    assert (result.columns, result.rows) == (expected, [])


@pytest.mark.parametrize("format_", ["json", "parquet"])
def test_a_column_without_data_is_null(database: Database, format_: str) -> None:
    database.create_table("t", format_, {"added": "map<string,int>", **COLUMNS})
    database.put_rows("data/t/one", format_, [{"total": 1, "id": "a"}])

    assert database.rows("SELECT * FROM t") == [(None, "a", "1")]


def test_json_has_the_types_of_glue(database: Database) -> None:
    types = {"at": "timestamp", "text": "string", "size": "decimal(38,2)", "m": "map<string,int>"}
    database.create_table("t", "json", types)
    row = {"at": "2026-11-23 10:00:00.5", "text": "2026-11-23T10:00:00Z", "size": 1, "m": {"A": 1}}
    database.put_rows("data/t/one", "json", [row])

    assert database.rows("SELECT * FROM t") == [
        ("2026-11-23 10:00:00.500", "2026-11-23T10:00:00Z", "1.00", "{A=1}")
    ]


def test_map_keys_keep_their_case(database: Database) -> None:
    database.create_table("t", "json", {"m": "map<string,int>"})
    database.put_rows("data/t/one", "json", [{"m": {"Id": 1, "id": 2}}])

    assert database.rows("SELECT m FROM t") == [("{Id=1, id=2}",)]
    assert database.rows("SELECT m['Id'], m['id'] FROM t") == [("1", "2")]


def test_json_names_fit_any_case_by_default(database: Database) -> None:
    serde = {"SerializationLibrary": SERDES["json"]["SerializationLibrary"]}
    database.create_table("t", "json", {"tags": "array<string>"}, serde=serde)
    database.put("data/t/one.json", b'{"Tags": ["x"], "later": 1}\n')

    # A column that no crawl has added is not in the table.
    assert database.rows("SELECT * FROM t") == [("[x]",)]


def test_json_that_ignores_case_has_the_columns_and_types_of_glue(database: Database) -> None:
    types = {
        "id": "string",
        "none": "bigint",
        "missing": "timestamp",
        "place": "struct<city:string,zip:string>",
        "other": "struct<a:int>",
        "score": "map<string,double>",
    }
    serde = {"SerializationLibrary": SERDES["json"]["SerializationLibrary"]}
    database.create_table("t", "json", types, serde=serde)
    database.put(
        "data/t/one.json",
        b'{"Id": 1, "none": null, "place": {"City": "x"}, "other": {"b": 1}, "new": 1}\n',
    )

    result = database.query("SELECT * FROM t")
    [row] = result.rows

    assert row == {
        "id": "1",
        "none": None,
        "missing": None,
        "place": "{city=x, zip=null}",
        "other": None,
        "score": None,
    }
    [row] = database.query("SELECT none + 1 AS n, other.a AS a, place.zip AS z FROM t").rows
    assert row == {"n": None, "a": None, "z": None}


def test_the_default_delimiter_of_csv_is_that_of_hive(database: Database) -> None:
    serde = {"SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"}
    database.create_table("t", "csv", COLUMNS, serde=serde)
    database.put("data/t/one.gz", gzip.compress(b'"a,b"\x012\n'))

    assert database.rows("SELECT * FROM t") == [('"a,b"', "2")]


def test_a_key_need_not_be_a_file_name(database: Database) -> None:
    database.create_table("t", "json", COLUMNS)
    keys = ("data/t/a", "data/t/a/b", "data/t/x//é'\"=.json", f"data/t/{'n' * 300}")
    paths = [database.put(key, b'{"id": "a"}\n') for key in keys]

    assert database.rows('SELECT "$path" FROM t ORDER BY 1') == [(path,) for path in sorted(paths)]


def test_nested_values_are_printed_as_athena_prints_them(database: Database) -> None:
    sql = (
        "SELECT map(ARRAY['a', 'b'], ARRAY[1, NULL]) AS m, ARRAY[ARRAY['x'], NULL] AS a, true AS b"
    )

    assert database.query(sql).rows == [{"m": "{a=1, b=null}", "a": "[[x], null]", "b": "true"}]


def test_a_result_states_the_types_of_athena(database: Database, aws: Clients) -> None:
    database.create_table(
        "t", "json", {"s": "struct<a:int,b:string>", "m": "map<string,int>", "a": "array<int>"}
    )
    database.put("data/t/one.json", b'{"s": {"a": 1, "b": "x"}, "m": {"k": 2}, "a": [1, 2]}\n')
    athena = aws("athena")
    started = athena.start_query_execution(
        QueryString="SELECT *, TIMESTAMP '2026-11-23 09:00:00' AS t FROM t",
        WorkGroup=database.name,
        QueryExecutionContext={"Database": database.name},
    )["QueryExecutionId"]
    wait_for(
        lambda: athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"],
        lambda status: status["State"] == "SUCCEEDED",
    )

    result = athena.get_query_results(QueryExecutionId=started)["ResultSet"]

    types = [column["Type"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
    assert types == ["row", "map", "array", "timestamp"]
    assert [datum["VarCharValue"] for datum in result["Rows"][1]["Data"]] == [
        "{a=1, b=x}",
        "{k=2}",
        "[1, 2]",
        "2026-11-23 09:00:00.000",
    ]
    stored = b"".join(read_objects(aws, database.bucket, f"results/{started}").values())
    assert b'"{a=1, b=x}",{k=2},"[1, 2]"' in stored


def test_other_statements_read_tables_too(database: Database) -> None:
    partitioned(database, "csv")

    assert database.query("EXPLAIN SELECT * FROM t").columns == ["explain_key", "explain_value"]
    assert database.rows("SELECT 1;") == [("1",)]


@pytest.mark.parametrize("sql", ["SELECT * FROM missing", "SELEC 1", 'SELECT * FROM "loop"'])
def test_a_query_that_cannot_run_fails(database: Database, sql: str) -> None:
    database.create_view("loop", 'SELECT * FROM "loop"')

    with pytest.raises(CommandError) as raised:
        database.query(sql)

    assert raised.value.code == "query-failed"


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("SELECT * FROM missing", "missing"),
        ('SELECT * FROM "{database}"."Missing"', "missing"),
        ("SELECT * FROM t WHERE id IN (SELECT id FROM missing)", "missing"),
        ("WITH other AS (SELECT 1) SELECT * FROM other, missing", "missing"),
        ("SELECT * FROM broken", "missing_too"),
        ("DELETE FROM missing", "missing"),
    ],
)
def test_a_query_of_a_missing_table_fails_as_on_athena(
    database: Database, sql: str, missing: str
) -> None:
    partitioned(database, "csv")
    database.create_view("broken", "SELECT * FROM missing_too")

    with pytest.raises(CommandError) as raised:
        database.query(sql.format(database=database.name))

    name = f'awsdatacatalog."{database.name}"."{missing}"'
    assert raised.value.details["reason"] == f"TABLE_NOT_FOUND: Table {name} does not exist"


def test_a_query_of_a_missing_database_fails_as_on_athena(database: Database) -> None:
    with pytest.raises(CommandError) as raised:
        database.query('SELECT * FROM "other"."t"')

    name = 'awsdatacatalog."other"."t"'
    assert raised.value.details["reason"] == f"TABLE_NOT_FOUND: Table {name} does not exist"


def test_a_missing_function_is_not_a_missing_table(database: Database) -> None:
    with pytest.raises(CommandError) as raised:
        database.query("WITH missing AS (SELECT 1) SELECT missing(1) FROM missing")

    assert not raised.value.details["reason"].startswith("TABLE_NOT_FOUND")
