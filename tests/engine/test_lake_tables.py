"""Lake tables that are added to a pipeline and removed from it."""

import re
from typing import Any

from local.engine.workspace import Outcome
from streaming_etl.components.removal_guard import MESSAGES
from tests.engine.harness import LAKE_TABLE, SHOP, Engine, config_of, deployed, edited

RULE = re.compile(rf"\[({'|'.join(MESSAGES)})\]")
SHORT: dict[str, Any] = {"table_name": "shop", **LAKE_TABLE}
ALLOWED = {"allow_layout_change": True}


def shop(**lake_tables: dict[str, Any]) -> dict[str, Any]:
    """The stack's pipelines: `shop` with these lake tables."""
    return {"shop": {**SHOP, "lake_tables": lake_tables}}


def rules(outcome: Outcome) -> list[str]:
    """The guard's rules in a rejected run, one for each finding."""
    assert not outcome.succeeded
    [found] = {tuple(RULE.findall(error)) for error in outcome.errors if RULE.search(error)}
    return list(found)


def test_a_removed_lake_table_fails_the_preview_unless_an_earlier_update_permits_it(
    engine: Engine,
) -> None:
    orders, items = SHOP["lake_tables"]["orders"], SHOP["lake_tables"]["items"]
    stack = deployed(engine, shop(orders=orders, items=items))
    existing = dict(engine.backend.resources)

    assert rules(edited(stack, shop(items=items))) == ["lake-table-removed"]
    # An existing lake table that permits it, and a new one, are no permission for `orders`.
    allowed = {**items, **ALLOWED}
    assert rules(edited(stack, shop(items=allowed, returns={**orders, **ALLOWED}))) == [
        "lake-table-removed"
    ]
    assert rules(edited(stack, {"shop": {**SHORT, **ALLOWED}})) == ["lake-tables-dropped"] * 2
    # Without a preview, as the Automation API updates.
    assert rules(stack.up()) == ["lake-tables-dropped"] * 2
    assert engine.backend.resources == existing

    stack.configure(config_of(shop(orders={**orders, **ALLOWED}, items=items)))
    permitted = stack.up()
    assert permitted.changed == {"shop": "update"}
    stack.configure(config_of(shop(items=items)))
    removed = stack.up()
    assert removed.succeeded, removed.errors
    assert [name.rpartition("-")[0] for name in engine.of("FirehoseDeliveryStream")] == [
        "shop-items-delivery-stream"
    ]
    assert rules(edited(stack, {"shop": SHORT})) == ["lake-tables-dropped"]


def test_an_added_lake_table_changes_no_other_one(engine: Engine) -> None:
    orders, items = SHOP["lake_tables"]["orders"], SHOP["lake_tables"]["items"]
    stack = deployed(engine, shop(orders=orders))
    outcome = edited(stack, shop(orders=orders, items=items))
    assert outcome.succeeded, outcome.errors
    assert outcome.of("delete") == outcome.of("replace") == set()
    assert {name for name in outcome.of("create") if "-items-" not in name} == set()
    assert outcome.of("update") == {
        # The components' inputs, which guards compare, and what routes to the new lake table.
        "shop",
        "shop-forwarder-function",
        "shop-forwarder-policy",
        "shop-monitoring-dashboard",
    }


def test_the_short_form_needs_the_former_name_or_permission(engine: Engine) -> None:
    stack = deployed(engine, {"shop": SHORT})
    items = SHOP["lake_tables"]["items"]
    assert rules(edited(stack, shop(items=items))) == ["lake-tables-added"]
    stack.configure(config_of({"shop": {**SHORT, **ALLOWED}}))
    assert stack.up().succeeded
    outcome = edited(stack, shop(items=items))
    assert outcome.succeeded, outcome.errors


def test_the_state_of_an_earlier_version_has_nothing_to_compare(engine: Engine) -> None:
    stack = deployed(engine, {"shop": SHORT})
    deployment = stack.automation.export_stack()
    for resource in deployment.deployment["resources"]:
        resource.get("inputs", {}).pop("guarded_lake_tables", None)
    stack.automation.import_stack(deployment)
    outcome = edited(stack, shop(items=SHOP["lake_tables"]["items"]))
    assert outcome.succeeded, outcome.errors
