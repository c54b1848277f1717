"""A program's directory for tests, with modules and a stack."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RETURN_ITEM = "def transform(change):\n    return change.new\n"


@dataclass
class Program:
    """The current directory while a test runs; empty at first."""

    root: Path

    def module(self, text: str = RETURN_ITEM, name: str = "shop.py") -> str:
        """Write a transform module and return its path."""
        path = self.root / name
        path.write_text(text)
        return str(path)

    def stack(self, *others: str, **settings: Any) -> None:
        """Write a dev stack whose pipelines, `shop` and the others, use shop.py."""
        required = {"transform_module": "shop.py", "partitions": {}}
        tables = {name: {**required, "table_name": name, **settings} for name in ("shop", *others)}
        self._write(tables)

    def lake_tables(self, lake_tables: dict[str, dict[str, Any]], **settings: Any) -> None:
        """Write a dev stack whose pipeline `shop` has lake tables.

        The module of each is <lake table>.py.
        """
        tables = {
            name: {"transform_module": f"{name}.py", "partitions": {}, **table}
            for name, table in lake_tables.items()
        }
        pipeline = {"table_name": "shop", "lake_tables": tables, **settings}
        self._write({"shop": pipeline})

    def _write(self, tables: dict[str, Any]) -> None:
        (self.root / "Pulumi.yaml").write_text("name: test\n")
        (self.root / "Pulumi.dev.yaml").write_text(json.dumps({"config": {"test:tables": tables}}))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.chdir(tmp_path)
    return Program(tmp_path)
