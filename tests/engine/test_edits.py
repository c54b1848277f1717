"""What a preview changes after an edit of each settings group.

One preview covers all edits: its stack has a pipeline for each. They are copied in the state, which
is faster than creating them.
"""

import base64
import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from local.engine.backend import RecordingBackend
from local.engine.provider import serving
from local.engine.workspace import EngineStack
from streaming_etl import StreamingEtlPipelineArgs
from tests.engine.harness import ORDERS, Engine, deployed, edited

ORIGINAL = "prototype"
VIEW = re.compile(r"(?<=Presto View: )[\w+/=]+")

Changes = dict[str, dict[str, str]]
"""Operations by pipeline and by logical name, without the pipeline's."""

# The settings that are edited in a pipeline of this name.
EDITS: dict[str, dict[str, Any]] = {
    "unchanged": {},
    "pipeline": {"log_retention_days": 90},
    "freshness": {"freshness": "economy"},
    "source": {"source": {"ttl_attribute": "expires_at", "point_in_time_recovery": False}},
    "forwarder": {"forwarder": {"batch_size": 100, "memory_mib": 512}},
    "transform": {"transform": {"memory_mib": 1024, "buffer_seconds": 90}},
    "delivery": {"delivery": {"buffer_seconds": 300, "compression": "UNCOMPRESSED"}},
    "partitions": {"partitions": {"projection_start_year": 2020}},
    "lake": {"lake": {"versioning": False, "query_results_retention_days": 3}},
    "query": {"query": {"bytes_scanned_cutoff_mib": 100}},
    "functions": {"functions": {"log_format": "json", "log_level": "warning"}},
    "monitoring": {"monitoring": {"dashboard": False, "max_iterator_age_seconds": 600}},
    "backfill": {"backfill": {"enabled": True, "on_create": True}},
    "iam": {"iam": {"role_path": "/team/", "role_name_prefix": "acme-"}},
    # The view reads the merged table in a later update.
    "merge": {"merge": {"enabled": True}, "query": {"current_state_source": "objects"}},
}

# Without created resources. Edits of `source` and `lake` replace neither table nor bucket, and none
# replaces the delivery stream.
CHANGES: Changes = {
    "unchanged": {},
    "pipeline": {
        "delivery-logs": "update",
        "forwarder-logs": "update",
        "transform-logs": "update",
    },
    "freshness": {
        "delivery-stream": "update",
        "forwarder-mapping": "update",
        "monitoring-data-freshness": "update",
        "monitoring-dashboard": "update",
    },
    "source": {"source-table": "update"},
    "forwarder": {
        "forwarder-function": "update",
        "forwarder-mapping": "update",
        "monitoring-dashboard": "update",
    },
    "transform": {
        "delivery-stream": "update",
        "monitoring-dashboard": "update",
        "monitoring-data-freshness": "update",
        "transform-function": "update",
    },
    "delivery": {
        "delivery-stream": "update",
        "monitoring-dashboard": "update",
        "monitoring-data-freshness": "update",
    },
    "partitions": {"catalog-table": "update"},
    "lake": {"lake-lifecycle": "update", "lake-versioning": "update"},
    "query": {"query-workgroup": "update"},
    "functions": {"forwarder-function": "update", "transform-function": "update"},
    "monitoring": {"monitoring-dashboard": "delete", "monitoring-iterator-age": "update"},
    "backfill": {"lake-lifecycle": "update", "monitoring-dashboard": "update"},
    "iam": {
        "delivery-policy": "replace",
        "delivery-role": "replace",
        "delivery-stream": "update",
        "forwarder-function": "update",
        "forwarder-policy": "replace",
        "forwarder-role": "replace",
        "transform-function": "update",
        "transform-policy": "replace",
        "transform-role": "replace",
    },
    "merge": {"monitoring-dashboard": "update"},
}

# DynamoDB cannot change them.
KEY_EDITS: dict[str, dict[str, Any]] = {
    "name": {"source": {"hash_key": "pk"}},
    "type": {"source": {"hash_key_type": "N"}},
    "sort": {"source": {"range_key": "at"}},
}


@pytest.fixture(scope="module")
def changes(tmp_path_factory: pytest.TempPathFactory) -> Changes:
    """Changes of AWS resources in one preview with all edits."""
    edits = {**EDITS, **KEY_EDITS}
    with serving(backend := RecordingBackend()) as port:
        engine = Engine(tmp_path_factory.mktemp("edits"), port, backend)
        stack = deployed(engine, {ORIGINAL: settings(ORIGINAL)}, defaults={"protect": False})
        copy_pipeline(stack, edits)
        tables = {name: merged(settings(name), edit) for name, edit in edits.items()}
        outcome = edited(
            stack, {ORIGINAL: settings(ORIGINAL), **tables}, defaults={"protect": False}
        )
    assert outcome.succeeded, outcome.errors
    found: Changes = {name: {} for name in edits}
    for urn, operation in outcome.steps.items():
        _, _, type_, resource = urn.split("::")
        if type_.rpartition("$")[2].startswith("aws:") and operation != "same":
            pipeline, _, name = resource.partition("-")
            # Not the dashboard of the stack, which two pipelines or more have.
            if pipeline in found:
                found[pipeline][name] = operation
    return found


def settings(name: str) -> dict[str, Any]:
    return {**ORDERS, "table_name": name}


def merged(base: dict[str, Any], edit: dict[str, Any]) -> dict[str, Any]:
    both = {group: {**base[group], **added} for group, added in edit.items() if group in base}
    return {**base, **edit, **both}


def copy_pipeline(stack: EngineStack, names: Iterable[str]) -> None:
    """Copy the original pipeline's resources in the stack's state."""
    exported = stack.automation.export_stack()
    assert exported.deployment is not None
    resources = exported.deployment["resources"]
    original = json.dumps([part for part in resources if ORIGINAL in part["urn"]])
    for name in names:

        def renamed(match: re.Match[str], name: str = name) -> str:
            view = base64.b64decode(match[0]).decode().replace(ORIGINAL, name)
            return base64.b64encode(view.encode()).decode()

        resources += json.loads(VIEW.sub(renamed, original).replace(ORIGINAL, name))
    stack.automation.import_stack(exported)


def test_an_edit_of_each_group_changes_only_what_it_concerns(changes: Changes) -> None:
    updated = {
        pipeline: {name: step for name, step in changes[pipeline].items() if step != "create"}
        for pipeline in EDITS
    }
    assert updated == CHANGES


def test_only_enabling_backfill_or_merge_creates_resources(changes: Changes) -> None:
    creating = {name for name, steps in changes.items() if "create" in steps.values()}
    assert creating == {"backfill", "merge"}


@pytest.mark.parametrize("edit", KEY_EDITS)
def test_another_key_or_type_of_key_replaces_table_and_mapping(changes: Changes, edit: str) -> None:
    replaced = {name for name, step in changes[edit].items() if step == "replace"}
    assert replaced == {"forwarder-mapping", "source-table"}


def test_every_settings_group_has_an_edit() -> None:
    fields = dataclasses.fields(StreamingEtlPipelineArgs)
    groups = {field.name for field in fields if dataclasses.is_dataclass(field.type)}
    settings_edited = {name for edit in EDITS.values() for name in edit}
    assert groups - settings_edited == set()
    assert settings_edited - groups
