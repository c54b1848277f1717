"""Imports of a transform module that fail in Lambda."""

from pathlib import Path

import pytest

from streaming_etl import (
    SettingsError,
    StreamingEtlPipeline,
    args_from_config,
    pipelines_from_config,
)
from streaming_etl.components.table.transform_code import import_problems, read_transform_code

ARCHIVE = ("orjson/__init__.py", "six.py", "orjson-3.1.dist-info/METADATA")
TRANSFORM = "\n\n\ndef transform(change):\n    return change.new\n"


def unresolved(folder: Path, source: str) -> list[tuple[object, tuple[str, ...], int]]:
    """File, names and line of each problem of a module."""
    file = folder / "orders.py"
    file.write_text(source)
    problems = [*import_problems(read_transform_code(str(file)), ARCHIVE)]
    assert {problem.rule for problem in problems} <= {"module-imports"}
    return [(each.value, each.details["imports"], each.details["line"]) for each in problems]


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
def test_imports_of_the_function_and_optional_ones_are_resolved(
    tmp_path: Path, source: str
) -> None:
    assert unresolved(tmp_path, source) == []


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
def test_other_imports_are_unresolved(tmp_path: Path, source: str, name: str, line: int) -> None:
    assert unresolved(tmp_path, source) == [(str(tmp_path / "orders.py"), (name,), line)]


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
