"""Stacks that the real Pulumi CLI deploys to a stand-in AWS.

The provider creates nothing and keeps states in memory, unless a test has another backend. What
these tests do not prove is what AWS itself does with a resource.
"""

import json
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local.engine.backend import RecordingBackend
from local.engine.workspace import EngineStack, Outcome
from streaming_etl.stack.program import program_environment
from tools.project import ROOT

REGION = "ap-northeast-1"
ORDERS: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": "transforms/orders.py",
    "partitions": {"granularity": "day"},
}
"""Settings of the smallest pipeline."""
LAKE_TABLE: dict[str, Any] = {
    "transform_module": "transforms/orders.py",
    "partitions": {"granularity": "day"},
}
"""Settings of the smallest lake table."""
SHOP: dict[str, Any] = {
    "table_name": "shop",
    "lake_tables": {
        "orders": {**LAKE_TABLE, "where": {"id": {"prefix": "ORDER#"}}},
        "items": {**LAKE_TABLE, "where": {"id": {"prefix": "ITEM#"}}},
    },
}
"""Settings of a pipeline with two lake tables."""

STATEFUL = ("aws:dynamodb/table:Table", "aws:s3/bucket:Bucket")


def run_main() -> None:
    """Run the project's `__main__.py` with the stack's config."""
    with program_environment(ROOT):
        runpy.run_path(str(ROOT / "__main__.py"))


def config_of(
    tables: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return a stack's config as Pulumi stores it."""
    return {
        "aws:region": REGION,
        "streaming-etl:tables": json.dumps(tables),
        "streaming-etl:defaults": json.dumps(defaults or {}),
    }


class Engine:
    """A provider with its backend, and stacks in one folder."""

    def __init__(self, folder: Path, port: int, backend: RecordingBackend) -> None:
        self.folder, self.port, self.backend = folder, port, backend

    def stack(
        self,
        tables: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
        *,
        program: Callable[[], None] = run_main,
        name: str = "dev",
        plugins: Mapping[str, int] | None = None,
    ) -> EngineStack:
        """Return a stack with these pipelines; `configure` changes its config."""
        return EngineStack(
            program,
            folder=self.folder,
            directory=ROOT,
            port=self.port,
            stack=name,
            config=config_of(tables or {}, defaults),
            plugins=plugins,
        )

    def of(self, type_suffix: str) -> dict[str, dict[str, Any]]:
        """Return the existing resources of a type, by id."""
        return {
            id_: state
            for (type_, id_), state in self.backend.resources.items()
            if type_.endswith(f":{type_suffix}")
        }


def deployed(engine: Engine, tables: Mapping[str, Any], **options: Any) -> EngineStack:
    """Deploy a stack and return it."""
    stack = engine.stack(tables, **options)
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    return stack


def edited(stack: EngineStack, tables: Mapping[str, Any], **options: Any) -> Outcome:
    """Preview the stack with another config."""
    stack.configure(config_of(tables, **options))
    return stack.preview()
