"""Renamed pipelines, and stacks of the earlier version, keep every resource."""

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation

from local.engine.workspace import EngineStack, Outcome
from tests.engine.harness import LAKE_TABLE, ORDERS, REGION, Engine, config_of, deployed, edited

SETTINGS: dict[str, Any] = {
    **ORDERS,
    "catalog": "crawler",
    "backfill": {"enabled": True},
    "monitoring": {"alarms": "all"},
    "query": {"saved_queries": True},
}
URN = "urn:pulumi:dev::streaming-etl::"
PIPELINE = "streaming-etl:index:StreamingEtlPipeline"

EARLIER = json.loads(Path(__file__).with_name("state_0_1.json").read_text())
"""Resources of version 0.1 with SETTINGS, as the engine deployed them."""
STAGES = {resource["parent"] for resource in EARLIER}
DATA = {
    "catalog-database",
    "catalog-objects",
    "catalog-table",
    "delivery-stream",
    "forwarder-mapping",
    "lake-bucket",
    "lake-policy",
    "lake-public-access",
    "query-view",
    "query-workgroup",
    "source-table",
}
"""Resources whose deletion loses data, changes or access."""


def test_a_chain_of_renames_updates_resources_in_place(engine: Engine) -> None:
    stack = deployed(engine, {"orders": SETTINGS})
    existing = set(engine.backend.resources)
    former: list[str] = []
    for old, new in (("orders", "sales"), ("sales", "web-shop")):
        former.append(old)
        stack.configure(config_of({new: {**SETTINGS, "renamed_from": former}}))
        outcome = stack.up()
        assert outcome.succeeded, outcome.errors
        assert set(outcome.steps.values()) == {"same", "update"}
        assert set(engine.backend.resources) == existing

        assert set(outcome.outputs) == {new}
        outputs = outcome.outputs[new]
        names = [outputs[key] for key in ("database", "workgroup", "dashboard")]
        assert names == ["orders_dev", "orders-dev", "orders-dev"]
    assert stack.preview().changed == {}


PART: dict[str, Any] = {
    **LAKE_TABLE,
    "catalog": "crawler",
    "partitions": {"dynamic_partition_keys": {"kind": ["a", "b"]}},
    "format": "parquet",
    "query": {"saved_queries": True},
}
"""Settings of a lake table with all of its resources."""
SHARED: dict[str, Any] = {
    "table_name": "shop",
    "backfill": {"enabled": True},
    "monitoring": {"alarms": "all"},
}


def shop(**lake_tables: dict[str, Any]) -> dict[str, Any]:
    """Settings of a pipeline with these lake tables."""
    return {**SHARED, "lake_tables": lake_tables}


def kept(engine: Engine, stack: EngineStack, tables: dict[str, Any]) -> Outcome:
    """Deploy settings that replace and delete saved queries only, whose names change."""
    existing = {key for key in engine.backend.resources if not key[0].endswith(":NamedQuery")}
    assert len(existing) > 50
    preview = edited(stack, tables)
    assert preview.succeeded, preview.errors
    assert {name for name in preview.of("replace") if "-query-" not in name} == set()
    assert preview.of("delete") == set()
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    assert existing <= engine.backend.resources.keys()
    assert stack.preview().changed == {}
    return outcome


def test_the_lake_table_of_a_pipeline_becomes_one_of_several(engine: Engine) -> None:
    stack = deployed(engine, {"shop": {**SHARED, **PART}})
    orders = {**PART, "renamed_from": "lake-table", "glue_table_name": "shop"}
    outcome = kept(engine, stack, {"shop": shop(orders=orders, items=PART)})
    assert {name for name in outcome.of("create") if "-items-" not in name} == set()
    # One of two lake tables and the pipeline have another name in the same update.
    other = {**orders, "renamed_from": ["lake-table", "orders"]}
    sales = {**shop(sales=other, items=PART), "renamed_from": "shop"}
    outcome = kept(engine, stack, {"web-shop": sales})
    assert outcome.of("create") == set()


def test_a_rename_without_the_former_name_fails_the_preview(engine: Engine) -> None:
    stack = deployed(engine, {"orders": ORDERS})
    outcome = edited(stack, {"sales": ORDERS})
    assert not outcome.succeeded
    assert any("orders-source-table" in error for error in outcome.errors)


def state_of_earlier_version() -> list[dict[str, Any]]:
    """Return the state of the pipeline `orders` as version 0.1 deployed it."""
    stack = f"{URN}pulumi:pulumi:Stack::streaming-etl-dev"
    provider = f"{URN}pulumi:providers:aws::default_7_51_1"
    pipeline = f"{URN}{PIPELINE}::orders"
    resources: list[dict[str, Any]] = [
        {"urn": stack, "type": "pulumi:pulumi:Stack"},
        {
            "urn": provider,
            "type": "pulumi:providers:aws",
            "id": "provider",
            "inputs": {"region": REGION, "version": "7.51.1"},
            "outputs": {"region": REGION, "version": "7.51.1"},
        },
        {"urn": pipeline, "type": PIPELINE, "parent": stack},
    ]
    stages = {}
    for stage in STAGES:
        kind = f"streaming-etl:index:{stage}"
        stages[stage] = f"{URN}{PIPELINE}${kind}::orders-{stage.lower()}"
        resources.append({"urn": stages[stage], "type": kind, "parent": pipeline})
    urns = {}
    for resource in EARLIER:
        name, kind, stage = resource["name"], resource["type"], resource["parent"]
        urns[name] = f"{URN}{PIPELINE}$streaming-etl:index:{stage}${kind}::{name}"
        resources.append(
            {
                "urn": urns[name],
                "type": kind,
                "id": resource["id"],
                "inputs": resource["inputs"],
                "outputs": {**resource["inputs"], **resource["computed"]},
                "parent": stages[stage],
                "provider": f"{provider}::provider",
                "dependencies": [urns[other] for other in resource["dependencies"]],
            }
        )
    return [{**resource, "custom": "id" in resource} for resource in resources]


def earlier_stack(engine: Engine, tables: dict[str, Any]) -> EngineStack:
    """Return a stack with these pipelines, in which version 0.1 deployed `orders`."""
    state = state_of_earlier_version()
    for resource in state:
        if resource["custom"] and not resource["type"].startswith("pulumi:"):
            engine.backend.resources[resource["type"], resource["id"]] = resource["outputs"]
    stack = engine.stack(tables)
    deployment = {"manifest": {"time": "2026-11-23T00:00:00Z"}, "resources": state}
    stack.automation.import_stack(automation.Deployment(version=3, deployment=deployment))
    return stack


def test_an_update_of_the_earlier_version_previews_as_migrate_md_says(engine: Engine) -> None:
    settings = {**SETTINGS, "monitoring": {}, "query": {}}
    outcome = earlier_stack(engine, {"orders": settings}).preview()
    assert outcome.succeeded, outcome.errors
    components = {f"orders-{stage.lower()}" for stage in STAGES}
    by_step = {
        step: {name.removeprefix("orders-") for name in outcome.of(step) - components}
        for step in ("create", "update", "delete", "replace")
    }
    assert outcome.of("delete") > components
    assert by_step == {
        "create": {
            "lake-table",
            "monitoring-dead-lettered",
            "transform-policy",
            "watch-dead-lettered",
            "watch-dead-lettered-target",
        },
        "update": {
            "backfill-function",
            "backfill-policy",
            "backfill-state-machine",
            "forwarder-function",
            "forwarder-policy",
            "monitoring-dashboard",
            # The component itself, which has inputs for its guard.
            "orders",
            "transform-function",
        },
        "delete": {
            "backfill-log-policy",
            "forwarder-log-policy",
            "lake-encryption",
            "monitoring-delivery-failed",
            "monitoring-error-records",
            "monitoring-failed-batches",
            "monitoring-failed-changes-metric",
            "monitoring-forwarder-errors",
            "monitoring-forwarder-throttles",
            "monitoring-retries-exhausted",
            "monitoring-throttled-records",
            "monitoring-transform-duration",
            "monitoring-transform-errors",
            "monitoring-transform-failed",
            "monitoring-transform-throttles",
            "query-current-state",
            "query-latest-changes",
            "query-rows-per-partition",
            "transform-log-policy",
            "transform-requeue-policy",
            "watch-error-records",
            "watch-error-records-target",
            "watch-failed-batches",
            "watch-failed-batches-target",
        },
        "replace": set(),
    }


@pytest.mark.parametrize("name", ["orders", "sales"])
def test_a_stack_of_the_earlier_version_keeps_its_resources(engine: Engine, name: str) -> None:
    renamed = {} if name == "orders" else {"renamed_from": "orders"}
    stack = earlier_stack(engine, {name: {**SETTINGS, **renamed}})
    existing = dict(engine.backend.resources)
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    assert outcome.of("replace") == set()
    # Without its alias a resource would be created again.
    created = {part.removeprefix(f"{name}-") for part in outcome.of("create")}
    deleted = {part.removeprefix("orders-") for part in outcome.of("delete")}
    assert created & deleted == set()
    assert deleted & DATA == set()
    assert len(existing.keys() & engine.backend.resources.keys()) > 40
    assert stack.preview().changed == {}
