"""Preview, up, preview again, refresh and destroy of stacks."""

import pytest

from tests.engine.harness import ORDERS, Engine, deployed, edited


def test_a_stack_is_created_previewed_as_unchanged_refreshed_and_destroyed(engine: Engine) -> None:
    tables = {"orders": ORDERS}
    stack = engine.stack(tables, {"protect": False})

    first = stack.preview()
    assert first.succeeded, first.errors
    assert set(first.steps.values()) == {"create"}
    assert not engine.backend.resources

    created = stack.up()
    assert created.succeeded, created.errors
    assert created.of("create") == first.of("create")
    assert created.outputs["orders"]["source_table"] == "orders"

    assert not stack.preview().changed
    assert not stack.refresh().changed

    destroyed = stack.destroy()
    assert destroyed.succeeded, destroyed.errors
    assert destroyed.of("delete") == created.of("create")
    assert not engine.backend.resources


def test_two_stacks_share_no_resource(engine: Engine) -> None:
    tables = {"orders": ORDERS}
    deployed(engine, tables, name="dev")
    first = set(engine.backend.resources)

    other = dict(ORDERS, table_name="orders-prod")
    stack = engine.stack({"orders": other}, name="prod")
    outcome = stack.up()

    assert outcome.succeeded, outcome.errors
    assert len(engine.backend.resources) == 2 * len(first)


def test_the_start_of_a_backfill_is_not_updated_later(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update of its schedule could start a second run."""
    table = {**ORDERS, "backfill": {"enabled": True, "on_create": True}}
    stack = deployed(engine, {"orders": table})
    next_day = "2099-01-02T00:00:00Z"
    monkeypatch.setattr("streaming_etl.components.stages.backfill.start_of_day", lambda _: next_day)

    assert not stack.preview().changed
    assert not stack.refresh().changed
    changed = edited(stack, {"orders": {**table, "iam": {"role_name_prefix": "acme-"}}}).changed

    assert changed["orders-backfill-start-role"] == "replace"
    assert "orders-backfill-start" not in changed
