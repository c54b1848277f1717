"""Messages about changes of a layout, one for each rule."""

from collections.abc import Mapping
from typing import Any

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.layout_guard import comparable_where, findings
from streaming_etl.components.table.layout_messages import (
    Place,
    describe,
    new_table,
    overridden,
    rejection,
)

KEYS = [
    {"name": "store_id", "type": "string", "source": "dynamic", "values": []},
    {"name": "kind", "type": "string", "source": "dynamic", "values": ["a", "b"]},
    {"name": "day", "type": "string", "source": "time"},
]
OLD: dict[str, Any] = {
    "format": "csv",
    "columns": [
        {"name": "_op", "type": "string"},
        {"name": "id", "type": "string"},
        {"name": "store", "type": "string"},
        {"name": "total", "type": "string"},
    ],
    "serde": {"library": "OpenCSVSerde"},
    "partition_keys": KEYS,
    "time_zone": "Asia/Tokyo",
    "partition_time": "ingestion",
    "projection_start_year": 2026,
    "source_table": "orders",
    "glue_table": "orders",
    "database": "orders_prod",
    "database_created": True,
    "bucket": "lake-1",
    "bucket_created": False,
    "retain": False,
    "current_state": False,
    "event_names": ["INSERT", "MODIFY", "REMOVE"],
    "filter_patterns": [],
    "data_retention_days": 30,
    "where": comparable_where({"type": ["order", 5], "pk": {"prefix": "ORDER#"}}),
}


def changed(**values: Any) -> dict[str, Any]:
    """The layout with other values."""
    return {**OLD, **values}


def columns(*names: str, **types: str) -> list[dict[str, str]]:
    """Columns of type string, except for those with another type."""
    return [{"name": name, "type": types.get(name, "string")} for name in names]


WIDER = {"where": comparable_where({"type": ["order", "return", 5, 2.5]})}
CHANGES: list[Mapping[str, Any]] = [
    {"format": "parquet"},
    {"serde": {"library": "LazySimpleSerDe"}},
    {"columns": []},
    {"columns": columns("_op", "_time", "id", "store", "total")},
    {"columns": columns("_op", "id", "total")},
    {"columns": columns("_op", "id", "country", "store", "total")},
    {"columns": columns("_op", "id", "store", "total", total="int")},
    {"partition_keys": KEYS[2:]},
    {"partition_keys": [KEYS[0], {**KEYS[1], "values": ["a"]}, KEYS[2]]},
    {"partition_keys": [{**KEYS[0], "values": ["x"]}, *KEYS[1:]]},
    {"projection_start_year": 2027},
    {"time_zone": "UTC"},
    {"partition_time": "event"},
    {"bucket": "lake-2"},
    {"current_state": True, "event_names": ["MODIFY", "REMOVE"], "source_table": "orders-2"},
    {"columns": columns("_op", "store", "id", "total"), "database": "sales_prod"},
    {"database": "shared", "database_created": False},
    WIDER,
    {"where": comparable_where({"type": ["return", 5], "pk": {"prefix": "ORDER#"}})},
]
MERGE: dict[str, Any] = {
    "field_ids": {"id": 100, "lines": 101, "lines.element": 101001, "total": 103},
    "reserved_ids": {"store": 102, "country": 104},
    "current_state_source": "merged",
    "log_retention_days": 90,
}
MERGED = {
    **OLD,
    "columns": columns("id", "total", total="decimal(10,2)"),
    "current_state": True,
    "data_retention_days": None,
    "merge": MERGE,
}


def merged(**values: Any) -> dict[str, Any]:
    """The layout with a merged table, with other values of it."""
    return {**MERGED, "merge": {**MERGE, **values}}


# Former layouts and new ones.
MERGE_CHANGES: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = [
    (
        MERGED,
        merged(
            field_ids={"id": 100, "total": 101, "region": 102, "country": 104},
            reserved_ids={"removed": 103},
        ),
    ),
    (MERGED, {**MERGED, "columns": columns("id", "total")}),
    ({**MERGED, "merge": None}, MERGED),
    (MERGED, merged(current_state_source="objects")),
]
CREATED = {**OLD, "bucket_created": True}
ORDERS = Place("prod", "orders", ONLY_LAKE_TABLE)
SHOP = Place("prod", "shop", "orders")
DELETION = {**CREATED, "bucket": "lake-2", "bucket_created": False}


def messages() -> dict[str, str]:
    """The first message of every rule, and those of entire updates."""
    texts: dict[str, str] = {}
    for change in CHANGES:
        for finding in findings(OLD, changed(**change)):
            texts.setdefault(finding.rule, describe(finding))
    for old, new in MERGE_CHANGES:
        for finding in findings(old, new):
            texts.setdefault(finding.rule, describe(finding))
    ids, _, rebuild, _ = MERGE_CHANGES
    deletion = findings(CREATED, DELETION)
    texts |= {finding.rule: describe(finding) for finding in deletion}
    several = findings(OLD, changed(time_zone="UTC", bucket="lake-2"))
    return {
        **texts,
        "all-findings": rejection(ORDERS, OLD, several),
        "field-ids": rejection(ORDERS, MERGED, findings(*ids)),
        "rebuild": rejection(SHOP, OLD, findings(*rebuild)),
        "deletion": rejection(ORDERS, CREATED, deletion),
        "allowed": overridden(ORDERS, OLD, several),
        "where-wider-only": rejection(SHOP, OLD, findings(OLD, changed(**WIDER))),
        "where-wider-allowed": overridden(SHOP, OLD, findings(OLD, changed(**WIDER))),
        "new-table": new_table(ORDERS, OLD, changed(glue_table="orders_2")),
        "several-lake-tables": rejection(SHOP, OLD, several),
    }
