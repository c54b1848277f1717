"""Glue's Iceberg tables: CreateTable and UpdateTable with an open table format."""

import json
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlparse

from ministack.core.responses import error_response_json
from ministack.services import glue, s3

from local.ministack_patches.compat import require_private_api
from local.ministack_patches.iceberg.metadata import (
    InvalidSchemaError,
    Metadata,
    current_schema,
    glue_columns,
    new_metadata,
    updated_metadata,
)

# Private names of ministack that this module uses.
PRIVATE_API = {
    glue: "_create_table _delete_table _tables _update_table",
    s3: "_get_object_data _put_object",
}

Table = Mapping[str, Any]
"""A table of Glue, as GetTable returns it."""


def install() -> None:
    """Replace ministack's CreateTable and UpdateTable."""
    require_private_api(PRIVATE_API)
    create, update = glue._create_table, glue._update_table

    def create_table(request: dict[str, Any]) -> Any:
        if "OpenTableFormatInput" not in request:
            return create(request)
        iceberg = request["OpenTableFormatInput"].get("IcebergInput") or {}
        definition = iceberg.get("CreateIcebergTableInput")
        if definition is None:
            return invalid("CreateIcebergTableInput cannot be equal to null")
        metadata = new_metadata(definition, iceberg.get("Version") or "2")
        location = metadata_location(metadata)
        database, name = request["DatabaseName"], request["Name"]
        table_input = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"table_type": "ICEBERG", "metadata_location": location},
            "StorageDescriptor": storage_descriptor(metadata),
        }
        response = create({"DatabaseName": database, "TableInput": table_input})
        if response[0] < 300 and not write_metadata(location, metadata):
            glue._delete_table({"DatabaseName": database, "Name": name})
            return invalid(f"Cannot write {location}")
        return response

    def update_table(request: dict[str, Any]) -> Any:
        if "UpdateOpenTableFormatInput" not in request:
            return update(request)
        database, name = request["DatabaseName"], request["Name"]
        table = glue._tables.get(f"{database}/{name}")
        if table is not None and not is_iceberg(table):
            return invalid(f"Table {name} is not an Iceberg table")
        table_input: dict[str, Any] = {"Name": name}
        if table is not None:
            previous = table["Parameters"]["metadata_location"]
            iceberg = request["UpdateOpenTableFormatInput"]["UpdateIcebergInput"]
            metadata = read_metadata(table)
            try:
                for change in iceberg["UpdateIcebergTableInput"]["Updates"]:
                    metadata = updated_metadata(metadata, change, previous)
            except InvalidSchemaError as error:
                return invalid(str(error))
            location = metadata_location(metadata)
            if not write_metadata(location, metadata):
                return invalid(f"Cannot write {location}")
            table_input["Parameters"] = {
                **table["Parameters"],
                "metadata_location": location,
                "previous_metadata_location": previous,
            }
            table_input["StorageDescriptor"] = storage_descriptor(metadata)
        # It reports an unknown table.
        return update(
            {
                "DatabaseName": database,
                "TableInput": table_input,
                "VersionId": request.get("VersionId"),
            }
        )

    glue._create_table = create_table
    glue._update_table = update_table


def is_iceberg(table: Table) -> bool:
    """Whether a Glue table is an Iceberg table."""
    return str((table.get("Parameters") or {}).get("table_type")).upper() == "ICEBERG"


def read_metadata(table: Table) -> Metadata:
    """Read the present metadata file; raise ValueError if it does not exist."""
    location = table["Parameters"]["metadata_location"]
    data = s3._get_object_data(*bucket_and_key(location))
    if data is None:
        raise ValueError(f"ICEBERG_MISSING_METADATA: {location} does not exist")
    return dict(json.loads(data))


def write_metadata(location: str, metadata: Metadata) -> bool:
    """Write a metadata file; return whether its bucket exists."""
    status, *_ = s3._put_object(*bucket_and_key(location), json.dumps(metadata).encode(), {})
    return bool(status < 300)


def metadata_location(metadata: Metadata) -> str:
    """Return the location of a new metadata file."""
    number = len(metadata["metadata-log"])
    return f"{metadata['location']}/metadata/{number:05}-{uuid.uuid4()}.metadata.json"


def bucket_and_key(location: str) -> tuple[str, str]:
    url = urlparse(location)
    return url.netloc, url.path.lstrip("/")


def storage_descriptor(metadata: Metadata) -> dict[str, Any]:
    return {"Location": metadata["location"], "Columns": glue_columns(current_schema(metadata))}


def invalid(message: str) -> Any:
    return error_response_json("InvalidInputException", message, 400)
