"""Imports of a transform module that fail in Lambda."""

from pathlib import Path

import pytest

from streaming_etl import (
    SettingsError,
    StreamingEtlPipeline,
    args_from_config,
    pipelines_from_config,
)
from streaming_etl.components.table.module_imports import resolve_imports

ARCHIVE = ("orjson/__init__.py", "six.py", "orjson-3.1.dist-info/METADATA")


def unresolved(source: str) -> list[tuple[str, int]]:
    return [tuple(each) for each in resolve_imports(source.encode(), ARCHIVE)]


@pytest.mark.parametrize(
    "source",
    [
        "import json, os.path, boto3, dateutil.tz, orjson",
        "from streaming_etl import Change",
        "import streaming_etl",
        "from streaming_etl.handlers.change.change import Change",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import yaml",
        "import typing\nif typing.TYPE_CHECKING:\n    import yaml",
        "try:\n    import yaml\nexcept ImportError:\n    yaml = None",
        "try:\n    import yaml\nexcept (ValueError, ModuleNotFoundError):\n    yaml = None",
        "def transform(change):\n    import decimal",
    ],
)
def test_imports_of_the_function_and_optional_ones_are_resolved(source: str) -> None:
    assert unresolved(source) == []


@pytest.mark.parametrize(
    ("source", "name", "line"),
    [
        ("import json\nimport yaml", "yaml", 2),
        ("import yaml.nodes as nodes", "yaml.nodes", 1),
        ("from transforms import orders", "transforms", 1),
        ("from . import orders", ".", 1),
        ("from .orders import COLUMNS", ".orders", 1),
        ("from streaming_etl import rows_of", "streaming_etl.rows_of", 1),
        ("import streaming_etl.stack.console", "streaming_etl.stack.console", 1),
        ("def transform(change):\n    import yaml", "yaml", 2),
        ("try:\n    import yaml\nexcept KeyError:\n    pass", "yaml", 2),
        ("try:\n    import orjson\nexcept ImportError:\n    import yaml", "yaml", 4),
        ("from typing import TYPE_CHECKING\nif not TYPE_CHECKING:\n    import yaml", "yaml", 3),
        ("if TYPE_CHECKING:\n    import orjson\nelse:\n    import yaml", "yaml", 4),
    ],
)
def test_other_imports_are_unresolved(source: str, name: str, line: int) -> None:
    assert unresolved(source) == [(name, line)]


def test_a_missing_import_fails_the_preview(tmp_path: Path) -> None:
    module = tmp_path / "orders.py"
    module.write_text("import yaml\n\n\ndef transform(change):\n    return change.new\n")
    table = {
        "table_name": "orders",
        "transform_module": str(module),
        "catalog": "crawler",
        "partitions": {},
    }
    with pytest.raises(SettingsError) as config:
        pipelines_from_config({"orders": table})
    with pytest.raises(SettingsError) as component:
        StreamingEtlPipeline("orders", args_from_config("orders", table))
    for rejected in (config, component):
        [problem] = rejected.value.problems
        assert problem.rule == "module-imports"
        assert problem.details == {"imports": ("yaml",), "line": 1}
