"""Hook that compares a pipeline's tables and keys with the deployed ones."""

from collections.abc import Sequence
from typing import Any

import pulumi

from streaming_etl.components.key_guard import KeyFinding, key_findings, keys_of
from streaming_etl.components.removal_guard import (
    RemovedLakeTable,
    lake_tables_of,
    removed_lake_tables,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.source_guard import SourceFinding, source_findings, source_of

# Not `lake_tables`, which is an output of the component with another type.
LAKE_TABLES = "guarded_lake_tables"
# Absent without a key, so that an update of an earlier version changes no component.
KEYS = "keys"

Finding = SourceFinding | RemovedLakeTable | KeyFinding


class PipelineGuardError(pulumi.RunError):
    """An update that would delete a guarded table, or make data unreadable."""

    def __init__(self, pipeline: str, found: Sequence[Finding]) -> None:
        super().__init__("\n".join(f"{pipeline}: {finding}" for finding in found))
        self.findings = list(found)


def guarded_inputs(args: StreamingEtlPipelineArgs) -> dict[str, Any]:
    """Return the component's inputs, which Pulumi keeps in its state."""
    keys = keys_of(args)
    return {
        "source": source_of(args),
        LAKE_TABLES: lake_tables_of(args),
        **({KEYS: keys} if keys else {}),
    }


def pipeline_guard(pipeline: str) -> pulumi.ResourceHook:
    """Return the hook of the component whose inputs are `guarded_inputs`.

    A hook of the table itself would not run before a replacement, and one of a lake table not
    before a deletion in previews. A hook without a name would not run in previews; names are
    unique in a stack.
    """

    def compare(args: pulumi.ResourceHookArgs) -> None:
        # The state of an earlier version lacks inputs.
        old, new = args.old_inputs or {}, args.new_inputs or {}
        found: list[Finding] = [
            *source_findings(old.get("source", {}), new["source"]),
            *removed_lake_tables(old.get(LAKE_TABLES, {}), new[LAKE_TABLES]),
            *key_findings(old.get(KEYS, {}), new.get(KEYS, {})),
        ]
        if found:
            raise PipelineGuardError(pipeline, found)

    options = pulumi.ResourceHookOptions(on_dry_run=True)
    return pulumi.ResourceHook(f"{pipeline}-guard", compare, options)
