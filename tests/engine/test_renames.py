"""Renamed pipelines, and stacks of the earlier version, keep every resource."""

import json
from typing import Any

import pytest
from pulumi import automation

from tests.components.test_aliases import FORMER_CHILDREN
from tests.engine.harness import ORDERS, Engine, config_of, deployed, edited

SETTINGS: dict[str, Any] = {**ORDERS, "catalog": "crawler", "backfill": {"enabled": True}}
URN = "urn:pulumi:dev::streaming-etl::"
PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
LAKE_TABLE = "streaming-etl:index:LakeTable"


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


def test_a_rename_without_the_former_name_fails_the_preview(engine: Engine) -> None:
    stack = deployed(engine, {"orders": ORDERS})
    outcome = edited(stack, {"sales": ORDERS})
    assert not outcome.succeeded
    assert any("orders-source-table" in error for error in outcome.errors)


def as_of_earlier_version(state: dict[str, Any]) -> dict[str, Any]:
    """Give each resource of the pipeline `orders` its parent of version 0.1."""
    pipeline = f"{URN}{PIPELINE}::orders"
    parents = {
        f"orders-{name}": parent for parent, names in FORMER_CHILDREN.items() for name in names
    }
    urns, resources, moved = {}, [], 0
    for resource in state["resources"]:
        _, _, kind, name = resource["urn"].split("::")
        if resource["type"] == LAKE_TABLE:
            continue
        if (parent := parents.get(name)) is not None:
            below = f"{PIPELINE}$streaming-etl:index:{parent}"
            urns[resource["urn"]] = f"{URN}{below}${resource['type']}::{name}"
            resource["parent"] = f"{URN}{below}::orders-{parent.lower()}"
            moved += 1
        resources.append(resource)
        if resource["urn"] == pipeline:
            for parent in FORMER_CHILDREN:
                kind = f"streaming-etl:index:{parent}"
                urn = f"{URN}{PIPELINE}${kind}::orders-{parent.lower()}"
                resources.append({"urn": urn, "custom": False, "type": kind, "parent": pipeline})
    assert moved > 50
    text = json.dumps({**state, "resources": resources})
    for new, old in urns.items():
        text = text.replace(f'"{new}"', f'"{old}"')
    return dict(json.loads(text))


@pytest.mark.parametrize("name", ["orders", "sales"])
def test_a_stack_of_the_earlier_version_keeps_its_resources(engine: Engine, name: str) -> None:
    stack = deployed(engine, {"orders": SETTINGS})
    earlier = automation.Deployment(version=3, deployment=as_of_earlier_version(stack.state()))
    stack.automation.import_stack(earlier)

    renamed = {} if name == "orders" else {"renamed_from": "orders"}
    outcome = edited(stack, {name: {**SETTINGS, **renamed}})
    assert outcome.succeeded, outcome.errors
    assert outcome.of("replace") == set()
    # Only components, which are nothing in AWS.
    components = {f"orders-{parent.lower()}" for parent in FORMER_CHILDREN}
    assert outcome.of("delete") == components
    assert outcome.of("create") == {f"{name}-lake-table"}
