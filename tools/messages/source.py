"""Messages about a protected source table, one for each rule."""

from streaming_etl.components.pipeline_guard import PipelineGuardError
from streaming_etl.components.source_guard import source_findings

OLD = {"use_existing": False, "table_name": "orders", "protect": True, "retain": False}


def messages() -> dict[str, str]:
    """The message of every rule, and one of several findings."""
    keys = {"hash_key": "id", "hash_key_type": "S"}
    changed = {"hash_key": "pk", "hash_key_type": "N"}
    retained = {"protect": False, "retain": True}
    updates = {
        "protected-keys": ({**OLD, **keys}, {**OLD, **changed}),
        "protected-table": (OLD, {**OLD, "table_name": "orders-2"}),
        "retained-keys": ({**OLD, **retained}, {**OLD, **retained, "range_key": "at"}),
    }
    return {
        name: str(PipelineGuardError("orders", list(source_findings(old, new))))
        for name, (old, new) in updates.items()
    }
