"""Layout of a lake table, and changes that put rows at risk.

An update changes how Athena reads a table, and rewrites no object. A layout is plain data, which
Pulumi keeps in the stack's state; a value that it does not contain is unknown and changes nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Optional

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.table.column_types import ColumnType, glue_type, parse_type
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import PARTITION_KEY_TYPE
from streaming_etl.components.table.merge import field_ids, iceberg_type
from streaming_etl.components.table.serdes import SERDES

Layout = Mapping[str, Any]
Columns = Mapping[str, str]
"""Types by name, in the order of a row."""

# Types that Athena reads from the text of a narrower one.
# https://docs.aws.amazon.com/athena/latest/ug/updates-changing-column-type.html
WIDER_TYPES: Mapping[str, tuple[str, ...]] = {
    "tinyint": ("smallint", "int", "bigint"),
    "smallint": ("int", "bigint"),
    "int": ("bigint",),
    "float": ("double",),
}
# Types that Iceberg reads from values of a narrower one; also decimals with more digits.
# https://iceberg.apache.org/spec/#schema-evolution
ICEBERG_PROMOTIONS = {"int": "bigint", "float": "double"}


@dataclass(frozen=True)
class Finding:
    """A change of a layout that puts existing rows at risk."""

    rule: str
    """Stable name of the rule, such as `format` or `column-moved`."""
    subject: str
    """The setting, partition key or column that changes."""
    old: Any
    new: Any
    """None if it is removed."""
    rows: str
    """The rows at risk: a key of ROWS in layout_messages.py."""
    deletes: bool = False
    """Whether the update would delete a bucket or database that the pipeline created."""


def layout_of(
    table: LakeTable,
    args: StreamingEtlPipelineArgs,
    key: str,
    *,
    database: Any,
    bucket: Any,
) -> dict[str, Any]:
    """Layout of a lake table.

    key: name of the lake table in the pipeline. database, bucket: names, which may be outputs.
    """
    table_args, forwarder = args.tables[key], args.forwarder
    partitions = table_args.partitions
    layout: dict[str, Any] = {
        "format": table.format,
        "columns": [
            {"name": column.name, "type": glue_type(column.type)} for column in table.declared
        ],
        "partition_keys": [
            *(
                _partition_key(name, "dynamic") | {"values": list(values)}
                for name, values in partitions.dynamic_partition_keys.items()
            ),
            *(_partition_key(name, "time") for name in partitions.time_keys),
        ],
        "time_zone": partitions.time_zone,
        "partition_time": partitions.partition_time,
        "source_table": args.table_name,
        "glue_table": table.name,
        "database": database,
        "database_created": args.database_name is None,
        "bucket": bucket,
        "bucket_created": args.lake.bucket_name is None,
        "retain": args.retain,
        "current_state": table.current_state,
        # Their order and the blanks of a pattern have no effect.
        "event_names": sorted(forwarder.event_names),
        "filter_patterns": sorted(
            json.dumps(json.loads(pattern), sort_keys=True) for pattern in forwarder.filter_patterns
        ),
    }
    if table.declared:
        serde = SERDES[table.format]
        layout["serde"] = {"library": serde.library, "parameters": dict(serde.parameters)}
    if table_args.where:
        layout["where"] = comparable_where(table_args.where)
    if table_args.catalog == "projection":
        layout["projection_start_year"] = partitions.projection_start_year
    if args.lake.data_retention_days is not None:
        layout["data_retention_days"] = args.lake.data_retention_days
    if table_args.merge.enabled:
        layout["merge"] = merge_layout(table, table_args.merge.change_log_retention_days)
    return layout


def merge_layout(table: LakeTable, log_retention_days: Optional[int]) -> dict[str, Any]:
    """Part of the layout of a lake table with a merged table.

    log_retention_days: days after which rows of the change log expire, if they do.
    """
    ids = field_ids(table)
    reserved = table.pinned_field_ids.keys() - ids.keys()
    merge: dict[str, Any] = {
        "field_ids": ids,
        "reserved_ids": {path: table.pinned_field_ids[path] for path in sorted(reserved)},
        "current_state_source": table.current_state_source,
    }
    if log_retention_days is not None:
        merge["log_retention_days"] = log_retention_days
    return merge


def _partition_key(name: str, source: str) -> dict[str, Any]:
    return {"name": name, "type": PARTITION_KEY_TYPE, "source": source}


def comparable_where(where: Mapping[str, Any]) -> dict[str, Any]:
    """Return conditions with equal ones equal, as the state keeps them.

    The order of values has no effect, and the state does not distinguish 1 and 1.0.
    """
    return {
        name: dict(rule)
        if isinstance(rule, Mapping)
        else sorted((_comparable(value) for value in rule), key=json.dumps)
        for name, rule in sorted(where.items())
    }


def _comparable(value: Any) -> Any:
    if isinstance(value, (str, bool)):
        return value
    # Pulumi's state has numbers as floats, which distinguish 15 digits only.
    number = Decimal(str(value))
    # By default a context rounds to 28 digits; DynamoDB's numbers have 38.
    exact = Context(prec=len(number.as_tuple().digits))
    return {"number": str(number.normalize(exact)) if number else "0"}


def _shown(where: Mapping[str, Any]) -> Any:
    """Return comparable conditions as in the settings; None without one."""
    return {
        name: rule if isinstance(rule, Mapping) else [_shown_value(value) for value in rule]
        for name, rule in where.items()
    } or None


def _shown_value(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    number = Decimal(value["number"])
    return int(number) if number == number.to_integral_value() else float(number)


def is_new_table(old: Layout, new: Layout) -> bool:
    """Whether new rows go to another Glue table and location."""
    return _differ(old, new, "glue_table")


def findings(old: Layout, new: Layout) -> list[Finding]:
    """All changes from `old` to `new` that put existing rows at risk."""
    if is_new_table(old, new):
        return [finding for finding in location_findings(old, new) if finding.deletes]
    return [
        *format_findings(old, new),
        *partition_findings(old, new),
        *location_findings(old, new),
        *where_findings(old, new),
        *current_state_findings(old, new),
        *merge_findings(old, new),
    ]


def _differ(old: Layout, new: Layout, name: str) -> bool:
    return name in old and name in new and old[name] != new[name]


def format_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Changes with which Athena does not read the content of existing objects."""
    if _differ(old, new, "format"):
        # Columns and SerDe follow from the format.
        yield Finding("format", "format", old["format"], new["format"], "all")
        return
    if _differ(old, new, "serde"):
        yield Finding("serde", "SerDe", old["serde"], new["serde"], "all")
    if not _differ(old, new, "columns"):
        return
    before, after = _types(old["columns"]), _types(new["columns"])
    if bool(before) != bool(after):
        states = {True: "declared", False: "crawled"}
        yield Finding(
            "columns-declared", "COLUMNS", states[bool(before)], states[bool(after)], "all"
        )
        return
    by_position = new.get("format") == "csv"
    yield from metadata_findings(_metadata(before), _metadata(after), by_position)
    before, after = _without_metadata(before), _without_metadata(after)
    if by_position:
        yield from position_findings(list(before), list(after))
    for name in before:
        if name in after and not is_readable(new.get("format"), before[name], after[name]):
            yield Finding("column-type", name, before[name], after[name], "with-column")
        elif name in after and "merge" in old and "merge" in new:
            types = (iceberg_type(parse_type(text)) for text in (before[name], after[name]))
            if not is_promotable(*types):
                yield Finding(
                    "merged-column-type", name, before[name], after[name], "merged-with-column"
                )


def _types(columns: Sequence[Mapping[str, str]]) -> Columns:
    return {column["name"]: column["type"] for column in columns}


def _metadata(columns: Columns) -> Columns:
    return {name: text for name, text in columns.items() if name.startswith("_")}


def _without_metadata(columns: Columns) -> Columns:
    return {name: text for name, text in columns.items() if not name.startswith("_")}


def metadata_findings(old: Columns, new: Columns, by_position: bool) -> Iterator[Finding]:
    """Changes of metadata columns, which precede all others in CSV.

    In other formats a further column is NULL in existing rows.
    """
    lost = [name for name in old if new.get(name) != old[name]]
    if lost or (by_position and list(old) != list(new)):
        yield Finding(
            "metadata-columns",
            "metadata",
            [f"{name} {text}" for name, text in old.items()],
            [f"{name} {text}" for name, text in new.items()],
            "all",
        )


def position_findings(old: Sequence[str], new: Sequence[str]) -> Iterator[Finding]:
    """Changes with which existing CSV values move to other columns.

    A finding has the positions of its column in COLUMNS, from 1.
    """

    def finding(rule: str, name: str) -> Finding:
        places = [names.index(name) + 1 if name in names else None for names in (old, new)]
        return Finding(rule, name, places[0], places[1], "all")

    kept_before = [name for name in old if name in new]
    kept_after = [name for name in new if name in old]
    yield from (finding("column-removed", name) for name in old if name not in new)
    yield from (
        finding("column-inserted", name)
        for index, name in enumerate(new)
        if name not in old and any(other in old for other in new[index:])
    )
    yield from (
        finding("column-moved", name)
        for name, other in zip(kept_before, kept_after, strict=True)
        if name != other and old.index(name) != new.index(name)
    )


def is_readable(format_: object, old: str, new: str) -> bool:
    """Whether Athena reads values of one Glue type as another."""
    return old == new or (
        # Each Parquet file contains its types.
        format_ in ("csv", "json") and _text_is_readable(format_, parse_type(old), parse_type(new))
    )


def _text_is_readable(format_: object, old: ColumnType, new: ColumnType) -> bool:
    def accepts(before: ColumnType, after: ColumnType) -> bool:
        if format_ == "csv" and after == "string":
            return True
        if isinstance(before, str):
            return after in WIDER_TYPES.get(before, ())
        digits, new_digits = _digits(before), _digits(after)
        if digits is None or new_digits is None:
            return False
        (precision, scale), (new_precision, new_scale) = digits, new_digits
        return scale <= new_scale and precision - scale <= new_precision - new_scale

    return _is_accepted(old, new, accepts)


def is_promotable(old: ColumnType, new: ColumnType) -> bool:
    """Whether Iceberg reads values of one of its types as another."""

    def accepts(before: ColumnType, after: ColumnType) -> bool:
        if isinstance(before, str):
            return ICEBERG_PROMOTIONS.get(before) == after
        digits, new_digits = _digits(before), _digits(after)
        if digits is None or new_digits is None:
            return False
        return digits[0] <= new_digits[0] and digits[1] == new_digits[1]

    return _is_accepted(old, new, accepts)


def _is_accepted(
    old: ColumnType, new: ColumnType, accepts: Callable[[ColumnType, ColumnType], bool]
) -> bool:
    """Whether types are equal, but for changes that `accepts` permits.

    accepts: compares scalars and decimals, at any level. A further field of a struct is NULL in
    existing rows.
    """
    if old == new or accepts(old, new):
        return True
    if isinstance(old, str) or isinstance(new, str):
        return False
    [(kind, before)], [(other_kind, after)] = old.items(), new.items()
    if kind != other_kind:
        return False
    match kind:
        case "array":
            return _is_accepted(before, after, accepts)
        case "map":
            return _is_accepted(before[1], after[1], accepts)
        case "struct":
            # By name.
            types = dict(after)
            return all(
                _is_accepted(item, types[name], accepts) for name, item in before if name in types
            )
    return False


def _digits(column_type: ColumnType) -> Optional[tuple[int, int]]:
    """Precision and scale of a decimal; None for another type."""
    if isinstance(column_type, str) or "decimal" not in column_type:
        return None
    precision, scale = column_type["decimal"]
    return precision, scale


def partition_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Changes with which queries miss existing objects, by prefix or by time."""
    if _differ(old, new, "partition_keys"):
        before, after = old["partition_keys"], new["partition_keys"]
        texts = [
            [f"{key['name']} {key['type']} ({key['source']})" for key in keys]
            for keys in (before, after)
        ]
        if texts[0] != texts[1]:
            yield Finding("partition-keys", "partitions", texts[0], texts[1], "all")
        if "projection_start_year" in new:
            yield from value_findings(before, after)
    for name in ("time_zone", "partition_time"):
        if _differ(old, new, name):
            yield Finding(name.replace("_", "-"), f"partitions.{name}", old[name], new[name], "all")
    name = "projection_start_year"
    if _differ(old, new, name) and old[name] < new[name]:
        yield Finding(
            "projection-start-year",
            f"partitions.{name}",
            int(old[name]),
            int(new[name]),
            "before-year",
        )


def value_findings(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Partition keys of which projection no longer lists a value."""
    before = {key["name"]: key["values"] for key in old if "values" in key}
    for key in new:
        name, values = key["name"], key.get("values")
        if not values or name not in before:
            continue
        subject = f"partitions.dynamic_partition_keys.{name}"
        removed = [value for value in before[name] if value not in values]
        if not before[name]:
            yield Finding("partition-any-value", subject, [], list(values), "other-values")
        elif removed:
            yield Finding("partition-values", subject, removed, list(values), "other-values")


def location_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Changes that delete the location or make the table read another one."""
    # The engine reads this option of a resource that it deletes from the state.
    retained = bool(old.get("retain"))
    for name, setting in (("bucket", "lake.bucket_name"), ("database", "database_name")):
        created, creates = (layout.get(f"{name}_created") for layout in (old, new))
        # A preview does not know the name of a bucket that the update creates.
        other = _differ(old, new, name) or (created is False and creates and name not in new)
        if created and creates is False and not retained:
            yield Finding(f"{name}-deleted", setting, old.get(name), new.get(name), name, True)
        elif other and created and creates and name == "database":
            rows = "all" if retained else "database"
            yield Finding(
                "database-replaced", "renamed_from", old[name], new[name], rows, not retained
            )
        elif other and created and creates:
            yield Finding("location", name, old[name], new[name], "all")
        elif other:
            values = [
                None if layout.get(f"{name}_created") else layout.get(name) for layout in (old, new)
            ]
            yield Finding("location", setting, values[0], values[1], "all")


def where_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """A change of `where`, with which the table has other items.

    The state of an earlier version has none, and neither has a table of all items.
    """
    before, after = old.get("where") or {}, new.get("where") or {}
    if before == after or "format" not in old:
        return
    # Items that only the new condition matches can be added; nothing removes the others.
    wider = all(name in before and _is_wider(before[name], rule) for name, rule in after.items())
    rule, rows = ("where-wider", "unmatched-items") if wider else ("where", "former-matches")
    yield Finding(rule, "where", _shown(before), _shown(after), rows)


def _is_wider(old: Any, new: Any) -> bool:
    """Whether a condition matches all values of another one."""
    if isinstance(new, Mapping):
        prefix = str(new["prefix"])
        texts = [old["prefix"]] if isinstance(old, Mapping) else old
        return all(isinstance(text, str) and text.startswith(prefix) for text in texts)
    return not isinstance(old, Mapping) and all(value in new for value in old)


def current_state_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Changes after which current state or merged table lack changes."""
    if not new.get("current_state") and "merge" not in new:
        return
    for name in ("event_names", "filter_patterns"):
        if _differ(old, new, name):
            yield Finding(
                "filters", f"forwarder.{name}", list(old[name]), list(new[name]), "filtered-items"
            )
    if _differ(old, new, "source_table"):
        yield Finding(
            "source-table", "table_name", old["source_table"], new["source_table"], "former-items"
        )
    if new.get("current_state") and old.get("data_retention_days") is not None:
        yield Finding(
            "expired-rows", "query.current_state", old.get("current_state"), True, "expired-items"
        )


def merge_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Changes that confuse or lose values of the merged table."""
    before, after = old.get("merge"), new.get("merge")
    source = "query.current_state_source"
    if before and after:
        yield from field_id_findings(before, after)
    if after and not before and "format" in old and after["current_state_source"] == "merged":
        yield Finding("merged-before-rebuild", source, None, "merged", "unmerged-items")
    is_merged = (after or {}).get("current_state_source") == "merged"
    if new.get("current_state") and not is_merged and (before or {}).get("log_retention_days"):
        other = after["current_state_source"] if after else None
        yield Finding("log-expired", source, "merged", other, "expired-items")


def field_id_findings(old: Layout, new: Layout) -> Iterator[Finding]:
    """Field ids that would confuse values of the merged table.

    old, new: the parts of the layouts for the merged table.
    """
    before, after = old["field_ids"], new["field_ids"]
    moved = {path for path in before if path in after and before[path] != after[path]}
    yield from (
        Finding("field-id-moved", path, _id(before[path]), _id(after[path]), "merged-with-column")
        for path in before
        if path in moved
    )
    fields = {number: path for path, number in after.items()}
    kept = {*after.values(), *new["reserved_ids"].values()}
    for path, number in {**old["reserved_ids"], **before}.items():
        other = fields.get(number)
        if number not in kept and path not in moved:
            yield Finding("field-id-missing", path, _id(number), None, "merged-with-column")
        elif other is not None and other != path and other not in moved:
            yield Finding("field-id-reused", other, path, _id(number), "merged-with-column")
        elif other == path and path not in before:
            # The layout no longer has the type of the removed field.
            yield Finding("field-id-returned", path, None, _id(number), "merged-with-column")


def _id(number: float) -> int:
    # Pulumi's state has numbers as floats.
    return int(number)


def former_field_ids(layout: Layout) -> dict[str, int]:
    """FIELD_IDS that keep the field ids of a layout."""
    ids = {**layout["merge"]["reserved_ids"], **layout["merge"]["field_ids"]}
    return {path: _id(number) for path, number in sorted(ids.items(), key=lambda item: item[1])}
