"""Metadata files of Iceberg tables, and the Glue columns of a schema.

The rows of the embedded AWS are not in Iceberg's files, so the metadata has no snapshots.
https://iceberg.apache.org/spec/#table-metadata-and-snapshots
"""

import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

Metadata = dict[str, Any]
"""A metadata file."""

IcebergType = str | Mapping[str, Any]

GLUE_NAMES = {"long": "bigint", "timestamptz": "timestamp", "uuid": "string"}
PROMOTIONS = {("int", "long"), ("float", "double")}
DECIMAL = re.compile(r"decimal\((\d+), *(\d+)\)")
# The first id of a partition field is 1000.
LAST_PARTITION_ID = 999


class InvalidSchemaError(ValueError):
    """Iceberg does not allow the change of a table."""


def new_metadata(definition: Mapping[str, Any], version: str) -> Metadata:
    """Metadata of a new table from Glue's CreateIcebergTableInput."""
    schema = iceberg_schema(definition["Schema"], 0)
    spec = definition.get("PartitionSpec") or {}
    fields = [
        {
            "source-id": one["SourceId"],
            "field-id": one.get("FieldId") or LAST_PARTITION_ID + number,
            "name": one["Name"],
            "transform": one["Transform"],
        }
        for number, one in enumerate(spec.get("Fields") or [], 1)
    ]
    return {
        "format-version": int(version),
        "table-uuid": str(uuid.uuid4()),
        "location": definition["Location"].rstrip("/"),
        "last-sequence-number": 0,
        "last-updated-ms": int(time.time() * 1000),
        "last-column-id": max(types_by_id(schema)),
        "schemas": [schema],
        "current-schema-id": 0,
        "partition-specs": [{"spec-id": 0, "fields": fields}],
        "default-spec-id": 0,
        "last-partition-id": max([LAST_PARTITION_ID, *(one["field-id"] for one in fields)]),
        "sort-orders": [{"order-id": 0, "fields": []}],
        "default-sort-order-id": 0,
        "properties": dict(definition.get("Properties") or {}),
        "current-snapshot-id": -1,
        "refs": {},
        "snapshots": [],
        "snapshot-log": [],
        "metadata-log": [],
    }


def updated_metadata(metadata: Metadata, update: Mapping[str, Any], location: str) -> Metadata:
    """Metadata after one of Glue's IcebergTableUpdates.

    location: of the present metadata file.
    Raises InvalidSchemaError for a type that the values of a field cannot have.
    """
    known = {id_: type_ for one in metadata["schemas"] for id_, type_ in types_by_id(one).items()}
    last = max(one["schema-id"] for one in metadata["schemas"])
    schema = iceberg_schema(update["Schema"], last + 1)
    for id_, type_ in types_by_id(schema).items():
        if not can_become(known.get(id_, type_), type_):
            raise InvalidSchemaError(
                f"Field {id_} cannot change from {known[id_]} to {type_} in Iceberg"
            )
    log = {"metadata-file": location, "timestamp-ms": metadata["last-updated-ms"]}
    return {
        **metadata,
        "last-updated-ms": int(time.time() * 1000),
        "last-column-id": max(*types_by_id(schema), metadata["last-column-id"]),
        "schemas": [*metadata["schemas"], schema],
        "current-schema-id": schema["schema-id"],
        "properties": {**metadata["properties"], **(update.get("Properties") or {})},
        "metadata-log": [*metadata["metadata-log"], log],
    }


def current_schema(metadata: Metadata) -> dict[str, Any]:
    """Return the schema of queries."""
    [schema] = [
        one for one in metadata["schemas"] if one["schema-id"] == metadata["current-schema-id"]
    ]
    return dict(schema)


def iceberg_schema(schema: Mapping[str, Any], schema_id: int) -> dict[str, Any]:
    """Convert Glue's IcebergSchema."""
    fields = [
        {
            "id": one["Id"],
            "name": one["Name"],
            "required": one["Required"],
            "type": one["Type"],
            **({"doc": one["Doc"]} if one.get("Doc") else {}),
        }
        for one in schema["Fields"]
    ]
    return {"type": "struct", "schema-id": schema_id, "fields": fields}


def glue_columns(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Columns of the StorageDescriptor, as Glue derives them."""
    return [
        {
            "Name": field["name"],
            "Type": glue_type(field["type"]),
            **({"Comment": field["doc"]} if "doc" in field else {}),
            "Parameters": {
                "iceberg.field.current": "true",
                "iceberg.field.id": str(field["id"]),
                "iceberg.field.optional": str(not field["required"]).lower(),
            },
        }
        for field in schema["fields"]
    ]


def glue_type(type_: IcebergType) -> str:
    """Convert a type, nested types included."""
    if isinstance(type_, str):
        return GLUE_NAMES.get(type_, type_.replace(" ", ""))
    match type_["type"]:
        case "list":
            return f"array<{glue_type(type_['element'])}>"
        case "map":
            return f"map<{glue_type(type_['key'])},{glue_type(type_['value'])}>"
        case _:
            fields = (f"{one['name']}:{glue_type(one['type'])}" for one in type_["fields"])
            return f"struct<{','.join(fields)}>"


def types_by_id(type_: IcebergType) -> dict[int, str]:
    """Type of each field in a type; nested types have their kind."""
    return dict(_types_by_id(type_))


def _types_by_id(type_: IcebergType) -> Iterator[tuple[int, str]]:
    if isinstance(type_, str):
        return
    if type_["type"] == "struct":
        fields = [(one["id"], one["type"]) for one in type_["fields"]]
    else:
        names = ("element",) if type_["type"] == "list" else ("key", "value")
        fields = [(type_[f"{name}-id"], type_[name]) for name in names]
    for id_, inner in fields:
        yield id_, inner if isinstance(inner, str) else inner["type"]
        yield from _types_by_id(inner)


def can_become(old: str, new: str) -> bool:
    """Whether values of a type can be read with another one.

    https://iceberg.apache.org/spec/#schema-evolution
    """
    before, after = DECIMAL.fullmatch(old), DECIMAL.fullmatch(new)
    if before and after:
        return before[2] == after[2] and int(before[1]) <= int(after[1])
    return old == new or (old, new) in PROMOTIONS
