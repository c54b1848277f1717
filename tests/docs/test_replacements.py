"""The documentation of settings names replacements and deletions of data.

The resource types of `local/deploy/resources/` state which inputs replace a resource; no provider
runs.
"""

import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from local.deploy.changes import replaced_by
from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import GROUPS
from streaming_etl.components.settings.validation import group_class
from tools.docs.settings_tables import field_docs
from tools.pipeline_graphs.__main__ import GOLDEN
from tools.pipeline_graphs.cases import CASES, Case

RESOURCES = {
    "shop-catalog-database": "aws:glue/catalogDatabase:CatalogDatabase",
    "shop-catalog-table": "aws:glue/catalogTable:CatalogTable",
    "shop-delivery-stream": "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream",
    "shop-lake-bucket": "aws:s3/bucket:Bucket",
    "shop-source-table": "aws:dynamodb/table:Table",
}
"""Types of the resources with data, and of the one that Firehose buffers data in."""

LOST = {
    "database_name": {"delete shop-catalog-database", "replace shop-catalog-table"},
    "glue_table_name": {"replace shop-catalog-table"},
    "lake_tables": {"delete shop-catalog-table", "delete shop-delivery-stream"},
    "lake.bucket_name": {"delete shop-lake-bucket"},
    "partitions.dynamic_partition_keys": {"replace shop-delivery-stream"},
    "partitions.partition_time": {"replace shop-delivery-stream"},
    "renamed_from": {"replace shop-catalog-database", "replace shop-catalog-table"},
    "source.hash_key": {"replace shop-source-table"},
    "source.hash_key_type": {"replace shop-source-table"},
    "source.range_key": {"replace shop-source-table"},
    "source.range_key_type": {"replace shop-source-table"},
    "source.use_existing": {"delete shop-source-table"},
    "table_name": {"replace shop-catalog-table", "replace shop-source-table"},
    "transform_module": {"delete shop-catalog-table"},
}


WITHOUT_ROWS = {
    "functions.log_group_class",
    "iam.role_name_prefix",
    "iam.role_path",
    "query.workgroup_name",
}
"""Settings that replace or delete resources without rows."""


def test_settings_replace_or_delete_only_what_is_listed() -> None:
    found = defaultdict(set)
    changes = json.loads((GOLDEN / "setting_changes.json").read_text())
    for name, case in CASES.items():
        changed = changes.get(f"{name} (base: {case.base})", {})
        settings = set(settings_of(case))
        for setting in {"lake_tables"} if "lake_tables" in settings else settings:
            found[setting] |= set(lost(changed))
    assert {setting: names for setting, names in found.items() if names} == LOST


def test_exactly_the_listed_settings_document_a_replacement_or_deletion() -> None:
    documented = {
        setting
        for setting, text in documentation(StreamingEtlPipelineArgs)
        if re.search(r"replaces the|deletes the (created|lake)", text)
    }
    assert documented == {*LOST, *WITHOUT_ROWS}


def settings_of(case: Case) -> Iterator[str]:
    for name, value in case.settings.items():
        if isinstance(value, dict) and name in GROUPS:
            yield from (f"{name}.{key}" for key in value)
        else:
            yield name


def lost(changed: dict[str, Any]) -> Iterator[str]:
    """Operations on RESOURCES among changed paths."""
    for path in changed:
        name, _, inner = path.partition(".")
        kind, _, option = inner.partition(".")
        if name.removeprefix("-") in RESOURCES and name.startswith("-"):
            yield f"delete {name.removeprefix('-')}"
        elif name in RESOURCES and (
            (kind == "inputs" and replaced_by(RESOURCES[name], option))
            or option.startswith("replacementTrigger")
        ):
            yield f"replace {name}"


def documentation(cls: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """All settings, those of a group as `group.setting`, with their docstrings."""
    docs = field_docs(cls)
    for field in dataclasses.fields(cls):
        if (group := group_class(field)) is not None:
            yield from documentation(group, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", docs[field.name]
