"""A program's directory for tests: modules and, where wanted, a stack with one pipeline `shop`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RETURN_ITEM = "def transform(change):\n    return change.new\n"


@dataclass
class Modules:
    """`rows_of` and the command work in `root` while this stands."""

    root: Path

    def write(self, text: str = RETURN_ITEM, name: str = "shop.py") -> str:
        """Write a module; its path."""
        path = self.root / name
        path.write_text(text)
        return str(path)

    def stack(self, *others: str, **settings: Any) -> None:
        """A dev stack whose pipelines, `shop` and the others, have the module shop.py."""
        given = {"table_name": "shop", "transform_module": "shop.py", "partitions": {}}
        tables = {name: given | {"table_name": name} | settings for name in ("shop", *others)}
        (self.root / "Pulumi.yaml").write_text("name: test\n")
        (self.root / "Pulumi.dev.yaml").write_text(json.dumps({"config": {"test:tables": tables}}))
