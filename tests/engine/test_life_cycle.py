"""Preview, up, preview again, refresh and destroy of stacks."""

from tests.engine.harness import ORDERS, Engine, deployed


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
