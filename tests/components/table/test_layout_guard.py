"""Layouts of settings, and changes that put existing rows at risk."""

import json
from collections.abc import Mapping
from typing import Any, Optional

import pytest

from streaming_etl import ForwarderArgs, LakeArgs, MergeArgs, PartitionArgs, QueryArgs
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.layout_guard import (
    Finding,
    findings,
    former_field_ids,
    is_new_table,
    is_promotable,
    is_readable,
    layout_of,
    merge_layout,
)
from streaming_etl.components.table.layout_messages import MESSAGES, ROWS
from tests.support.pipeline_settings import COLUMNS, lake_table, pipeline_args
from tools.messages.layout import MERGED, messages

KEYS = {"store_id": [], "kind": ["a", "b"]}
MODIFY = '{"eventName": ["MODIFY"]}'
ALL = '{"eventName": ["INSERT", "MODIFY", "REMOVE"]}'


def layout(
    columns: Optional[Mapping[str, str]] = COLUMNS,
    database: str = "orders_dev",
    bucket: str = "lake",
    **settings: Any,
) -> dict[str, Any]:
    """Layout of a pipeline, as the engine returns it from the state."""
    table = lake_table(columns, **settings)
    plain = layout_of(
        table, pipeline_args(**settings), ONLY_LAKE_TABLE, database=database, bucket=bucket
    )
    return dict(json.loads(json.dumps(plain), parse_int=float))


def csv(columns: str) -> dict[str, Any]:
    """Layout of a CSV table with these text columns."""
    return layout(dict.fromkeys(columns.split(), "string"), format="csv")


def partitioned(catalog: str = "projection", **partitions: Any) -> dict[str, Any]:
    return layout(catalog=catalog, partitions=PartitionArgs(**partitions))


def filtered(
    current_state: bool = True, *, merge: bool = False, **forwarder: Any
) -> dict[str, Any]:
    query = QueryArgs(current_state=current_state)
    return layout(forwarder=ForwarderArgs(**forwarder), query=query, merge=MergeArgs(enabled=merge))


def located(
    bucket: Optional[str] = None, database: Optional[str] = None, **settings: Any
) -> dict[str, Any]:
    """Layout with an existing bucket and database, or created ones."""
    return layout(
        bucket=bucket or "orders-lake-1",
        database=database or "orders_dev",
        lake=LakeArgs(bucket_name=bucket),
        database_name=database,
        **settings,
    )


def where(**conditions: Any) -> dict[str, Any]:
    """Layout of the items with these attributes."""
    return layout(where=conditions)


def rules(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.subject) for finding in findings(old, new)]


def test_a_layout_is_plain_data_of_settings_and_columns() -> None:
    settings: dict[str, Any] = {
        "format": "csv",
        "partitions": PartitionArgs(dynamic_partition_keys=KEYS, time_zone="Asia/Tokyo"),
        "forwarder": ForwarderArgs(
            event_names=["REMOVE", "MODIFY"],
            filter_patterns=[
                '{"eventName":["REMOVE"],"dynamodb":{"Keys":{"id":{"S":["a"]}}}}',
                MODIFY,
            ],
        ),
        "query": QueryArgs(current_state=False),
        "lake": LakeArgs(data_retention_days=30),
    }
    table = lake_table({"id": "string", "total": "decimal(10,2)"}, **settings)
    made = layout_of(
        table, pipeline_args(**settings), ONLY_LAKE_TABLE, database="orders_dev", bucket="lake"
    )
    assert json.loads(json.dumps(made)) == made
    assert made == {
        "format": "csv",
        "columns": [
            {"name": "_op", "type": "string"},
            {"name": "_key", "type": "string"},
            {"name": "_row", "type": "int"},
            {"name": "_event_id", "type": "string"},
            {"name": "_stream_epoch", "type": "string"},
            {"name": "_sequence_number", "type": "string"},
            {"name": "_changed_at", "type": "timestamp"},
            {"name": "id", "type": "string"},
            {"name": "total", "type": "decimal(10,2)"},
        ],
        "partition_keys": [
            {"name": "store_id", "type": "string", "source": "dynamic", "values": []},
            {"name": "kind", "type": "string", "source": "dynamic", "values": ["a", "b"]},
            {"name": "year", "type": "string", "source": "time"},
            {"name": "month", "type": "string", "source": "time"},
            {"name": "day", "type": "string", "source": "time"},
        ],
        "time_zone": "Asia/Tokyo",
        "partition_time": "ingestion",
        "source_table": "orders",
        "glue_table": "orders",
        "database": "orders_dev",
        "database_created": True,
        "bucket": "lake",
        "bucket_created": True,
        "retain": False,
        "current_state": False,
        "event_names": ["MODIFY", "REMOVE"],
        "filter_patterns": [
            '{"dynamodb": {"Keys": {"id": {"S": ["a"]}}}, "eventName": ["REMOVE"]}',
            MODIFY,
        ],
        "serde": {
            "library": "org.apache.hadoop.hive.serde2.OpenCSVSerde",
            "parameters": {"separatorChar": ",", "quoteChar": '"', "escapeChar": "\u0001"},
        },
        "projection_start_year": 2026,
        "data_retention_days": 30,
    }


def test_metadata_follow_the_columns_except_in_csv() -> None:
    names = [column["name"] for column in layout({"id": "string"}, format="parquet")["columns"]]
    assert names[:2] == ["id", "_op"]


def test_a_crawled_table_has_no_declared_columns() -> None:
    crawled = layout(None, catalog="crawler")
    assert crawled["columns"] == []
    assert {"serde", "projection_start_year"}.isdisjoint(crawled)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            layout(format="csv"),
            layout(format="parquet"),
            Finding("format", "format", "csv", "parquet", "all"),
        ),
        (
            layout(),
            layout(None, catalog="crawler"),
            Finding("columns-declared", "COLUMNS", "declared", "crawled", "all"),
        ),
        (
            layout(None, catalog="crawler"),
            layout(),
            Finding("columns-declared", "COLUMNS", "crawled", "declared", "all"),
        ),
        (
            layout({"a": "int"}),
            layout({"a": "string"}),
            Finding("column-type", "a", "int", "string", "with-column"),
        ),
        (
            layout({"a": "int"}, format="parquet"),
            layout({"a": "bigint"}, format="parquet"),
            Finding("column-type", "a", "int", "bigint", "with-column"),
        ),
        (
            layout({"a": "string"}, format="csv"),
            layout({"a": "int"}, format="csv"),
            Finding("column-type", "a", "string", "int", "with-column"),
        ),
        (
            partitioned(),
            partitioned(granularity="hour"),
            Finding(
                "partition-keys",
                "partitions",
                ["year string (time)", "month string (time)", "day string (time)"],
                [f"{name} string (time)" for name in ("year", "month", "day", "hour")],
                "all",
            ),
        ),
        (
            partitioned(dynamic_partition_keys={"b": [], "a": []}, granularity="year"),
            partitioned(dynamic_partition_keys={"a": [], "b": []}, granularity="year"),
            Finding(
                "partition-keys",
                "partitions",
                ["b string (dynamic)", "a string (dynamic)", "year string (time)"],
                ["a string (dynamic)", "b string (dynamic)", "year string (time)"],
                "all",
            ),
        ),
        (
            partitioned(dynamic_partition_keys={"kind": ["a", "b", "c"]}),
            partitioned(dynamic_partition_keys={"kind": ["d", "b"]}),
            Finding(
                "partition-values",
                "partitions.dynamic_partition_keys.kind",
                ["a", "c"],
                ["d", "b"],
                "other-values",
            ),
        ),
        (
            partitioned(dynamic_partition_keys={"kind": []}),
            partitioned(dynamic_partition_keys={"kind": ["a"]}),
            Finding(
                "partition-any-value",
                "partitions.dynamic_partition_keys.kind",
                [],
                ["a"],
                "other-values",
            ),
        ),
        (
            partitioned(projection_start_year=2025),
            partitioned(projection_start_year=2026),
            Finding(
                "projection-start-year",
                "partitions.projection_start_year",
                2025,
                2026,
                "before-year",
            ),
        ),
        (
            partitioned(time_zone="Asia/Tokyo"),
            partitioned(),
            Finding("time-zone", "partitions.time_zone", "Asia/Tokyo", "UTC", "all"),
        ),
        (
            partitioned(),
            partitioned(partition_time="event"),
            Finding("partition-time", "partitions.partition_time", "ingestion", "event", "all"),
        ),
        (
            located(bucket="lake-1"),
            located(bucket="lake-2"),
            Finding("location", "lake.bucket_name", "lake-1", "lake-2", "all"),
        ),
        (
            located(database="shop"),
            located(database="lake"),
            Finding("location", "database_name", "shop", "lake", "all"),
        ),
        # A created bucket or database: the setting was not set.
        (
            located(retain=True),
            located(bucket="lake-2"),
            Finding("location", "lake.bucket_name", None, "lake-2", "all"),
        ),
        (
            located(database="shop"),
            located(),
            Finding("location", "database_name", "shop", None, "all"),
        ),
        (
            located(),
            located(bucket="lake-2", retain=True),
            Finding(
                "bucket-deleted", "lake.bucket_name", "orders-lake-1", "lake-2", "bucket", True
            ),
        ),
        # The created bucket by its name, which the pipeline no longer creates.
        (
            located(),
            located(bucket="orders-lake-1"),
            Finding(
                "bucket-deleted",
                "lake.bucket_name",
                "orders-lake-1",
                "orders-lake-1",
                "bucket",
                True,
            ),
        ),
        (
            located(),
            located(database="shop"),
            Finding("database-deleted", "database_name", "orders_dev", "shop", "database", True),
        ),
        # Without `renamed_from`.
        (
            layout(database="orders_dev"),
            layout(database="sales_dev"),
            Finding(
                "database-replaced", "renamed_from", "orders_dev", "sales_dev", "database", True
            ),
        ),
        (
            layout(database="orders_dev", retain=True),
            layout(database="sales_dev", retain=True),
            Finding("database-replaced", "renamed_from", "orders_dev", "sales_dev", "all"),
        ),
        (
            filtered(),
            filtered(event_names=["MODIFY", "REMOVE"]),
            Finding(
                "filters",
                "forwarder.event_names",
                ["INSERT", "MODIFY", "REMOVE"],
                ["MODIFY", "REMOVE"],
                "filtered-items",
            ),
        ),
        (
            filtered(filter_patterns=[ALL]),
            filtered(),
            Finding("filters", "forwarder.filter_patterns", [ALL], [], "filtered-items"),
        ),
        (
            filtered(current_state=False, event_names=["MODIFY", "REMOVE"]),
            filtered(),
            Finding(
                "filters",
                "forwarder.event_names",
                ["MODIFY", "REMOVE"],
                ["INSERT", "MODIFY", "REMOVE"],
                "filtered-items",
            ),
        ),
        (
            filtered(current_state=False, merge=True, filter_patterns=[ALL]),
            filtered(current_state=False, merge=True),
            Finding("filters", "forwarder.filter_patterns", [ALL], [], "filtered-items"),
        ),
        (
            layout(table_name="orders", glue_table_name="sales"),
            layout(table_name="orders-2", glue_table_name="sales"),
            Finding("source-table", "table_name", "orders", "orders-2", "former-items"),
        ),
        (
            layout(query=QueryArgs(current_state=False), lake=LakeArgs(data_retention_days=9)),
            layout(),
            Finding("expired-rows", "query.current_state", False, True, "expired-items"),
        ),
    ],
)
def test_a_change_that_puts_rows_at_risk_is_found(
    old: dict[str, Any], new: dict[str, Any], expected: Finding
) -> None:
    assert findings(old, new) == [expected]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a b c", "a b", [("column-removed", "c")]),
        ("a b c", "b c", [("column-removed", "a")]),
        ("a b", "a x b", [("column-inserted", "x")]),
        ("a b", "x a b", [("column-inserted", "x")]),
        ("a b c", "a c b", [("column-moved", "b"), ("column-moved", "c")]),
        # Another name at one place may be another column.
        ("a b", "a x", [("column-removed", "b")]),
        ("a b", "b x", [("column-removed", "a")]),
        ("a b", "x b", [("column-removed", "a"), ("column-inserted", "x")]),
    ],
)
def test_csv_columns_keep_their_positions(
    old: str, new: str, expected: list[tuple[str, str]]
) -> None:
    assert rules(csv(old), csv(new)) == expected
    # Other formats are read by name.
    for format_ in ("json", "parquet"):
        before, after = (
            layout(dict.fromkeys(text.split(), "string"), format=format_) for text in (old, new)
        )
        assert findings(before, after) == []


def test_a_csv_column_is_reported_with_its_positions() -> None:
    assert findings(csv("a b c"), csv("a x c b")) == [
        Finding("column-inserted", "x", None, 2, "all"),
        Finding("column-moved", "b", 2, 4, "all"),
    ]


def test_an_appended_column_passes_in_every_format() -> None:
    for format_ in ("csv", "json", "parquet"):
        assert (
            findings(layout(format=format_), layout({**COLUMNS, "x": "int"}, format=format_)) == []
        )


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_metadata_columns_stay(format_: str) -> None:
    old = layout(format=format_)
    for changed in (
        [column for column in old["columns"] if column["name"] != "_row"],
        [{**column, "type": "string"} for column in old["columns"]],
    ):
        found = rules(old, {**old, "columns": changed})
        assert ("metadata-columns", "metadata") in found


def test_a_further_metadata_column_shifts_csv_rows_only() -> None:
    further = {"name": "_shard", "type": "string"}
    for format_, expected in (("csv", ["metadata-columns"]), ("json", []), ("parquet", [])):
        old = layout(format=format_)
        new = {**old, "columns": [further, *old["columns"]]}
        assert [finding.rule for finding in findings(old, new)] == expected


def test_the_serde_and_its_parameters_stay() -> None:
    old = layout()
    serde = old["serde"]
    for changed in ({**serde, "library": "other"}, {**serde, "parameters": {}}):
        assert findings(old, {**old, "serde": changed}) == [
            Finding("serde", "SerDe", serde, changed, "all")
        ]


def test_the_type_and_the_source_of_a_partition_key_stay() -> None:
    old = partitioned(granularity="year")
    for change, text in (
        ({"type": "int"}, "year int (time)"),
        ({"source": "x"}, "year string (x)"),
    ):
        new = {**old, "partition_keys": [{**old["partition_keys"][0], **change}]}
        [finding] = findings(old, new)
        assert (finding.rule, finding.new) == ("partition-keys", [text])


@pytest.mark.parametrize(
    ("old", "new", "formats"),
    [
        ("smallint", "bigint", "csv json"),
        ("float", "double", "csv json"),
        ("bigint", "int", ""),
        ("int", "double", ""),
        ("int", "string", "csv"),
        ("decimal(10,2)", "string", "csv"),
        ("decimal(10,2)", "decimal(12,2)", "csv json"),
        ("decimal(10,2)", "decimal(12,4)", "csv json"),
        ("decimal(10,2)", "decimal(10,4)", ""),
        ("decimal(10,2)", "decimal(9,1)", ""),
        ("array<int>", "array<bigint>", "csv json"),
        ("array<int>", "map<string,int>", ""),
        ("array<int>", "string", "csv"),
        ("map<string,int>", "map<string,bigint>", "csv json"),
        ("map<string,int>", "map<string,string>", "csv"),
        ("struct<a:int,b:int>", "struct<c:date,a:bigint>", "csv json"),
        ("struct<a:int>", "struct<a:date>", ""),
        ("struct<a:int>", "map<string,int>", ""),
    ],
)
def test_a_wider_type_is_readable_in_text(old: str, new: str, formats: str) -> None:
    readable = [format_ for format_ in ("csv", "json", "parquet") if is_readable(format_, old, new)]
    assert readable == formats.split()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (partitioned(projection_start_year=2026), partitioned(projection_start_year=2020)),
        (
            partitioned(dynamic_partition_keys={"kind": ["a", "b"]}),
            partitioned(dynamic_partition_keys={"kind": ["c", "b", "a"]}),
        ),
        (
            partitioned(dynamic_partition_keys={"kind": ["a"]}),
            partitioned(dynamic_partition_keys={"kind": []}),
        ),
        # A crawler finds the prefixes of former values.
        (
            partitioned("crawler", dynamic_partition_keys={"kind": ["a", "b"]}),
            partitioned("crawler", dynamic_partition_keys={"kind": ["a"]}),
        ),
        (partitioned(), partitioned("crawler")),
        (partitioned("crawler"), partitioned(projection_start_year=2030)),
        (
            filtered(event_names=["MODIFY", "REMOVE", "INSERT"], filter_patterns=[ALL, MODIFY]),
            filtered(filter_patterns=[MODIFY, ALL.replace(" ", "")]),
        ),
        # Without a current state, no row depends on other rows.
        (filtered(False), filtered(False, event_names=["INSERT"])),
        (filtered(), filtered(False, event_names=["INSERT"])),
        (
            layout(query=QueryArgs(current_state=False), glue_table_name="a"),
            layout(query=QueryArgs(current_state=False), glue_table_name="a", table_name="other"),
        ),
        (layout(), layout(query=QueryArgs(current_state_source="partitions"))),
        (
            layout(query=QueryArgs(current_state=False)),
            layout(query=QueryArgs(current_state=False), lake=LakeArgs(data_retention_days=9)),
        ),
        # The same bucket and database, which the pipeline no longer creates.
        (located(retain=True), located("orders-lake-1", "orders_dev")),
        (located(), located(retain=True)),
    ],
)
def test_a_change_that_keeps_existing_rows_passes(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert findings(old, new) == []


def test_every_other_change_passes_with_a_new_glue_table() -> None:
    old = located("lake-1", "shop", format="csv", glue_table_name="orders")
    new = located(
        "lake-2",
        "other",
        format="parquet",
        glue_table_name="orders_2",
        partitions=PartitionArgs(granularity="hour", time_zone="Asia/Tokyo"),
    )
    assert is_new_table(old, new)
    assert findings(old, new) == []
    assert not is_new_table(old, old)


def test_a_new_glue_table_permits_no_deletion() -> None:
    deleted = [
        ("bucket-deleted", "lake.bucket_name"),
        ("database-deleted", "database_name"),
    ]
    new = located("lake-2", "shop", glue_table_name="orders_2", format="csv")
    assert rules(located(), new) == deleted
    assert rules(located(retain=True), new) == []
    # A preview does not know a name that another resource returns.
    assert rules(located(), {key: new[key] for key in new if key != "bucket"}) == deleted
    # A state of a version that did not distinguish them.
    keys = ("bucket_created", "database_created", "retain")
    assert rules({key: value for key, value in located().items() if key not in keys}, new) == []
    other = layout(database="sales_dev", glue_table_name="sales")
    assert rules(layout(database="orders_dev"), other) == [("database-replaced", "renamed_from")]
    assert rules(layout(database="orders_dev", retain=True), other) == []


def test_a_preview_finds_a_bucket_that_the_update_creates() -> None:
    new = {key: value for key, value in located().items() if key != "bucket"}
    assert findings(located("lake-1"), new) == [
        Finding("location", "lake.bucket_name", "lake-1", None, "all")
    ]
    assert findings(located(), new) == []


def test_an_unknown_value_passes() -> None:
    old = layout(format="csv")
    new = layout(
        {"total": "string"},
        format="csv",
        bucket="other",
        database="other",
        partitions=PartitionArgs(granularity="hour", time_zone="Asia/Tokyo"),
        forwarder=ForwarderArgs(event_names=["MODIFY", "REMOVE"]),
    )
    assert findings({}, new) == []
    changed = [name for name in new if name in old and new[name] != old[name]]
    assert len(changed) == 6
    for name in changed:
        assert findings(old, {**old, name: new[name]})
        assert (
            findings({key: old[key] for key in old if key != name}, {**old, name: new[name]}) == []
        )
        assert findings(old, {key: old[key] for key in old if key != name}) == []


def test_all_findings_are_reported_together() -> None:
    old = layout({"a": "int", "b": "int"}, format="csv")
    new = layout(
        {"b": "string", "a": "date"},
        format="csv",
        bucket="other",
        partitions=PartitionArgs(layout="date", time_zone="Asia/Tokyo"),
    )
    assert rules(old, new) == [
        ("column-moved", "a"),
        ("column-moved", "b"),
        ("column-type", "a"),
        ("partition-keys", "partitions"),
        ("time-zone", "partitions.time_zone"),
        ("location", "bucket"),
    ]


def test_another_format_hides_what_follows_from_it() -> None:
    assert rules(layout(format="csv"), layout({"x": "int"}, format="json")) == [
        ("format", "format")
    ]


A, AB, PREFIX = {"a": ["x"]}, {"a": ["x"], "b": [1]}, {"a": {"prefix": "x-"}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # More items match.
        (A, {"a": ["y", "x"]}, "where-wider"),
        (AB, A, "where-wider"),
        (AB, {"b": [1, True]}, "where-wider"),
        (PREFIX, {"a": {"prefix": "x"}}, "where-wider"),
        ({"a": ["x-1", "x-"]}, PREFIX, "where-wider"),
        (A, {}, "where-wider"),
        ({"a": [10**30]}, {"a": [10**30, 10**30 + 1]}, "where-wider"),
        # Items that no longer match have rows.
        ({"a": ["y", "x"]}, A, "where"),
        (A, {"a": ["y"]}, "where"),
        (A, AB, "where"),
        (A, {"b": ["x"]}, "where"),
        (AB, {"a": ["x", "y"], "c": [1]}, "where"),
        (AB, {"a": ["x", "y"], "b": [2]}, "where"),
        (PREFIX, {"a": {"prefix": "x-1"}}, "where"),
        (PREFIX, {"a": {"prefix": "y"}}, "where"),
        (PREFIX, {"a": ["x-1"]}, "where"),
        ({"a": ["x-1", "y"]}, PREFIX, "where"),
        ({"a": ["x-1", 1]}, PREFIX, "where"),
        ({"a": [True]}, {"a": ["True"]}, "where"),
        ({"a": [1]}, {"a": [True]}, "where"),
        ({"a": [True]}, {"a": [1]}, "where"),
        ({"a": [1]}, {"a": ["1"]}, "where"),
        ({"a": [10**30]}, {"a": [10**30 + 1]}, "where"),
        ({}, A, "where"),
    ],
    ids=str,
)
def test_another_condition_is_found(
    old: dict[str, Any], new: dict[str, Any], expected: str
) -> None:
    assert rules(where(**old), where(**new)) == [(expected, "where")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"a": ["x", "y"], "b": [1]}, {"b": [1], "a": ["y", "x"]}),
        ({"a": [1, 0, 100, 2.5]}, {"a": [2.50, 1e2, -0.0, 1.0]}),
        ({"a": [1, True, "1"]}, {"a": ["1", True, 1]}),
        (PREFIX, {"a": {"prefix": "x-"}}),
        ({}, {}),
    ],
    ids=str,
)
def test_an_equal_condition_is_not_found(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert rules(where(**old), where(**new)) == []
    # An earlier version's state has no layout.
    assert rules({}, where(**new)) == []


def test_a_condition_is_reported_as_in_the_settings() -> None:
    old = where(a=["x", 5, 2.5, True, 100], b={"prefix": "y"})
    [finding] = findings(old, layout())
    # Sorted, because the order has no effect.
    assert finding == Finding(
        "where-wider",
        "where",
        {"a": ["x", True, 100, 2.5, 5], "b": {"prefix": "y"}},
        None,
        "unmatched-items",
    )
    assert [type(value) for value in finding.old["a"]] == [str, bool, int, float, int]


def merged(
    columns: Mapping[str, str] = COLUMNS,
    field_ids: Mapping[str, int] | None = None,
    retention: Optional[int] = None,
    **settings: Any,
) -> dict[str, Any]:
    """Layout of a lake table with a merged table."""
    table = lake_table(columns, field_ids=field_ids, **settings)
    part = merge_layout(table, retention)
    return {**layout(columns, **settings), "merge": json.loads(json.dumps(part), parse_int=float)}


def with_source(layout_: dict[str, Any], source: str) -> dict[str, Any]:
    """A layout whose current state reads another table."""
    return {**layout_, "merge": {**layout_["merge"], "current_state_source": source}}


ABC = {"a": "int", "b": "string", "c": "array<struct<x:int,y:int>>"}
ABC_IDS = {"a": 100, "b": 101, "c": 102, "c.element": 102_001, "c.element.x": 102_002}
AC = {"a": "int", "c": ABC["c"]}
B_IDS = {**ABC_IDS, "c.element.y": 102_003}


def test_the_layout_has_present_and_reserved_field_ids() -> None:
    part = merge_layout(lake_table(AC, field_ids=B_IDS), 90)
    assert part == {
        "field_ids": {name: number for name, number in B_IDS.items() if name != "b"},
        "reserved_ids": {"b": 101},
        "current_state_source": "objects",
        "log_retention_days": 90,
    }
    assert "log_retention_days" not in merge_layout(lake_table(AC), None)
    assert "merge" not in layout()


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        # Without FIELD_IDS, the following ids move.
        (
            merged(AC),
            [
                ("field-id-moved", "c", 102, 101),
                ("field-id-moved", "c.element", 102_001, 101_001),
                ("field-id-moved", "c.element.x", 102_002, 101_002),
                ("field-id-moved", "c.element.y", 102_003, 101_003),
            ],
        ),
        (merged({"a": "int", "b": "string"}), None),
        (
            merged({"b": "string", "a": "int", "c": ABC["c"]}),
            [("field-id-moved", "a", 100, 101), ("field-id-moved", "b", 101, 100)],
        ),
        (
            merged({**ABC, "c": "array<struct<x:int,z:int,y:int>>"}),
            [
                ("field-id-moved", "c.element.y", 102_003, 102_004),
                ("field-id-reused", "c.element.z", "c.element.y", 102_003),
            ],
        ),
        (
            merged({"a": "int", "z": "string", "c": ABC["c"]}),
            [("field-id-reused", "z", "b", 101)],
        ),
        (merged(AC, {"a": 100, "c": 102}), [("field-id-missing", "b", 101, None)]),
    ],
)
def test_field_ids_that_change_are_found(
    new: dict[str, Any], expected: list[tuple[str, str, Any, Any]] | None
) -> None:
    found = [(it.rule, it.subject, it.old, it.new) for it in findings(merged(ABC), new)]
    if expected is None:
        # All fields of the removed column.
        expected = [
            ("field-id-missing", path, number, None)
            for path, number in B_IDS.items()
            if path.startswith("c")
        ]
    assert found == expected


@pytest.mark.parametrize(
    "new",
    [
        merged(ABC),
        merged(ABC, B_IDS),
        merged(AC, B_IDS),
        merged({"new": "int", "c": ABC["c"], "a": "int"}, B_IDS),
        merged({**ABC, "new": "int", "c": "array<struct<y:bigint,new:int>>"}, B_IDS),
        # The entry of a removed column may have another name.
        merged(AC, {**{name: B_IDS[name] for name in B_IDS if name != "b"}, "b_removed": 101}),
    ],
)
def test_field_ids_that_stay_pass(new: dict[str, Any]) -> None:
    assert findings(merged(ABC), new) == []


def test_a_removed_column_returns_with_another_id() -> None:
    old = merged(AC, B_IDS)
    for returned in (ABC, {**ABC, "b": "date"}):
        assert findings(old, merged(returned, B_IDS)) == [
            Finding("field-id-returned", "b", None, 101, "merged-with-column")
        ]
    ids = {name: number for name, number in B_IDS.items() if name != "b"}
    assert findings(old, merged(ABC, {**ids, "b_removed": 101, "b": 103})) == []
    assert findings(old, merged(ABC, {**ids, "b_removed": 101})) == []


def test_the_printed_field_ids_keep_all_ids() -> None:
    old = merged(AC, B_IDS)
    for columns in (ABC, {"c": ABC["c"], "new": "int"}, {"a": "int"}):
        rules_ = {it.rule for it in findings(old, merged(columns, former_field_ids(old)))}
        assert rules_ <= {"field-id-returned"}
    text = messages()["field-ids"]
    literal = text.partition("`FIELD_IDS = ")[2].partition("`")[0]
    assert json.loads(literal) == former_field_ids(MERGED)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("smallint", "int", True),
        ("tinyint", "bigint", True),
        ("float", "double", True),
        ("decimal(10,2)", "decimal(12,2)", True),
        ("array<int>", "array<bigint>", True),
        ("map<string,float>", "map<string,double>", True),
        ("struct<a:int,b:int>", "struct<a:bigint,b:int,c:date>", True),
        ("decimal(10,2)", "decimal(12,4)", False),
        ("array<decimal(10,2)>", "array<decimal(12,4)>", False),
        ("struct<a:decimal(10,2)>", "struct<a:decimal(12,4)>", False),
    ],
)
def test_a_type_of_the_merged_table_changes_as_iceberg_promotes(
    old: str, new: str, expected: bool
) -> None:
    before, after = layout({"a": old}), layout({"a": new})
    assert findings(before, after) == []
    found = findings(merged({"a": old}), merged({"a": new}))
    assert found == (
        [] if expected else [Finding("merged-column-type", "a", old, new, "merged-with-column")]
    )
    # Without a merged table before or after, it has no values of the former type.
    assert rules(before, merged({"a": new})) == rules(merged({"a": old}), after) == []


def test_a_decimal_with_fewer_digits_is_not_promoted() -> None:
    assert is_promotable({"decimal": [9, 2]}, {"decimal": [10, 2]})
    assert not is_promotable({"decimal": [10, 2]}, {"decimal": [9, 2]})


def test_a_csv_column_of_any_type_becomes_no_text_in_the_merged_table() -> None:
    old, new = merged({"a": "int"}, format="csv"), merged({"a": "string"}, format="csv")
    assert rules(old, new) == [("merged-column-type", "a")]
    assert rules(layout({"a": "int"}, format="csv"), layout({"a": "string"}, format="csv")) == []
    # An unreadable type is reported once.
    assert rules(new, old) == [("column-type", "a")]


def test_the_view_reads_a_merged_table_after_its_rebuild() -> None:
    objects = merged()
    view = with_source(objects, "merged")
    assert findings(layout(), view) == [
        Finding(
            "merged-before-rebuild", "query.current_state_source", None, "merged", "unmerged-items"
        )
    ]
    for old, new in ((layout(), objects), (objects, view), (view, view), (view, objects)):
        assert findings(old, new) == []
    # A new lake table, and one of a version without layouts.
    assert findings({}, view) == []
    assert findings(layout(), {**view, "glue_table": "orders_2"}) == []


def test_the_view_reads_the_merged_table_while_the_log_lacks_rows() -> None:
    expired = with_source(merged(retention=90), "merged")
    objects = with_source(merged(retention=90), "objects")
    kept = with_source(merged(), "merged")
    source = "query.current_state_source"
    assert findings(expired, objects) == [
        Finding("log-expired", source, "merged", "objects", "expired-items")
    ]
    assert findings(expired, layout()) == [
        Finding("log-expired", source, "merged", None, "expired-items")
    ]
    without = layout(query=QueryArgs(current_state=False))
    for old, new in ((expired, kept), (kept, layout()), (expired, without)):
        assert findings(old, new) == []


def test_a_wider_condition_needs_a_backfill() -> None:
    text = messages()
    assert "--lake-table orders" in text["where-wider-only"]
    assert "allow_layout_change" in text["where-wider-only"]
    assert "--lake-table orders" in text["where-wider-allowed"]


def test_the_golden_file_has_an_example_of_every_rule() -> None:
    assert set(MESSAGES) - set(messages()) == set()


def test_every_kind_of_rows_has_a_text() -> None:
    kinds = {finding.rows for finding in _all_findings()}
    assert kinds == set(ROWS)


def _all_findings() -> list[Finding]:
    from tools.messages.layout import CHANGES, CREATED, DELETION, MERGE_CHANGES, OLD, changed

    pairs = [*((OLD, changed(**change)) for change in CHANGES), *MERGE_CHANGES, (CREATED, DELETION)]
    return [finding for old, new in pairs for finding in findings(old, new)]
