"""The merge stage in a running stack: columns, first build, and removal."""

import re
from pathlib import Path
from typing import Any

from tests.engine.harness import Engine, config_of, deployed, edited
from tests.engine.test_guards import found

MERGE = {"enabled": True}
TRANSFORM = "def transform(change):\n    return change.new\n"


def orders(folder: Path, columns: dict[str, str], ids: dict[str, int], **settings: Any) -> Any:
    """A pipeline whose transform module has these columns and field ids."""
    path = folder / "transform.py"
    text = f"COLUMNS = {columns}\n{TRANSFORM}"
    path.write_text(f"FIELD_IDS = {ids}\n{text}" if ids else text)
    return {
        "table_name": "orders",
        "transform_module": str(path),
        "partitions": {},
        "merge": MERGE,
        **settings,
    }


COLUMNS = {"id": "string", "total": "int"}


def test_a_new_column_updates_merged_table_view_and_merge_in_place(engine: Engine) -> None:
    stack = deployed(engine, {"orders": orders(engine.folder, COLUMNS, {})})
    wider = {"id": "string", "note": "string", "total": "bigint"}
    ids = {"id": 100, "total": 101}

    outcome = edited(stack, {"orders": orders(engine.folder, wider, ids)})

    assert outcome.succeeded, outcome.errors
    assert set(outcome.changed.values()) == {"update"}
    assert {"orders-merged-table", "orders-query-view", "orders-merge-state-machine"} <= set(
        outcome.changed
    )
    assert stack.up().succeeded
    fields = [
        {one["name"]: one["id"] for one in schema_of(table)}
        for table in engine.of("CatalogTable").values()
        if "openTableFormatInput" in table
    ]
    assert [{name: one[name] for name in wider} for one in fields] == [
        {"id": 100, "note": 102, "total": 101}
    ]
    assert not stack.preview().changed


def schema_of(table: dict[str, Any]) -> list[dict[str, Any]]:
    iceberg = table["openTableFormatInput"]["icebergInput"]
    fields: list[dict[str, Any]] = iceberg["icebergTableInput"]["schema"]["fields"]
    return fields


def test_a_moved_or_removed_column_needs_field_ids(engine: Engine) -> None:
    stack = deployed(engine, {"orders": orders(engine.folder, COLUMNS, {})})

    moved = {"total": "int", "id": "string"}
    outcome = edited(stack, {"orders": orders(engine.folder, moved, {})})
    assert found(outcome) == {("field-id-moved", "id"), ("field-id-moved", "total")}

    only = {"id": "string"}
    outcome = edited(stack, {"orders": orders(engine.folder, only, {})})
    assert found(outcome) == {("field-id-missing", "total")}
    ids = {"id": 100, "total": 101}
    assert edited(stack, {"orders": orders(engine.folder, only, ids)}).succeeded


def test_existing_rows_need_the_first_build_before_the_view_reads_merged_ones(
    engine: Engine,
) -> None:
    stack = deployed(engine, {"orders": orders(engine.folder, COLUMNS, {}, merge={})})

    outcome = edited(stack, {"orders": orders(engine.folder, COLUMNS, {})})
    assert {rule for rule, _ in found(outcome)} == {"merged-before-rebuild"}

    building = orders(engine.folder, COLUMNS, {}, query={"current_state_source": "objects"})
    stack.configure(config_of({"orders": building}))
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    assert "orders-query-view" not in outcome.changed

    outcome = edited(stack, {"orders": orders(engine.folder, COLUMNS, {})})
    assert outcome.succeeded, outcome.errors
    assert outcome.changed["orders-query-view"] == "update"


def test_the_merged_table_is_protected(engine: Engine) -> None:
    stack = deployed(engine, {"orders": orders(engine.folder, COLUMNS, {})})
    without = {"orders": orders(engine.folder, COLUMNS, {}, merge={})}

    outcome = edited(stack, without)

    assert any(re.search("::orders-merged-table", error) for error in outcome.errors)
    # The update before the one that deletes it.
    stack.configure(config_of({"orders": orders(engine.folder, COLUMNS, {}, protect=False)}))
    assert stack.up().succeeded
    outcome = edited(stack, {"orders": orders(engine.folder, COLUMNS, {}, merge={}, protect=False)})
    assert outcome.changed["orders-merged-table"] == "delete"
