"""A transform module that could not work is refused before any resource exists, unread by Python.

Each message is compared whole.
"""

from pathlib import Path

import pytest

from streaming_etl import SettingsError
from streaming_etl.components.table.column_types import ALLOWED_TYPES
from streaming_etl.components.table.transform_module import read_transform_module
from tests.components.pipelines import TRANSFORM, Pipelines

NO_TRANSFORM = " has no function `transform`: add `def transform(change)`."
ONE_ARGUMENT = (
    ": `transform` is called with one argument, the change; write `def transform(change)`."
)
NOT_LITERAL = (
    ": COLUMNS is read without running the module; write it out as a dict of text, such as"
    ' {"id": "string"}.'
)

# The module's text: what is wrong with it.
REFUSED = {
    "": NO_TRANSFORM,
    "transform = print\n": NO_TRANSFORM,
    "class transform:\n    pass\n": NO_TRANSFORM,
    "if True:\n    def transform(change):\n        return None\n": NO_TRANSFORM,
    "def transform(change:\n": " is no valid Python: '(' was never closed in line 1; mend it.",
    "\n\ndef transform(change):\nreturn 1\n": (
        " is no valid Python: expected an indented block after function definition on line 3"
        " in line 4; mend it."
    ),
    "def transform(change):\n    return '\0'\n": (
        " is no valid Python: source code string cannot contain null bytes in line 1; mend it."
    ),
    "async def transform(change):\n    return None\n": (
        ": `transform` is async, but it is called as a plain function; drop the async."
    ),
    "def transform():\n    return None\n": ONE_ARGUMENT,
    "def transform(change, context):\n    return None\n": ONE_ARGUMENT,
    "def transform(change, *, context):\n    return None\n": ONE_ARGUMENT,
    "def transform(*, change):\n    return None\n": ONE_ARGUMENT,
    # The last definition is the one that Python keeps.
    "def transform(change):\n    pass\n\n\ndef transform():\n    pass\n": ONE_ARGUMENT,
    "COLUMNS = dict(id='string')\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = {'id': TEXT}\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = {**OTHERS, 'id': 'string'}\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = [('id', 'string')]\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = {name: 'string' for name in 'ab'}\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = None\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = {}\n" + TRANSFORM: ": COLUMNS is empty; name the columns or drop COLUMNS.",
    "COLUMNS = {'id': 'string', 'id': 'int'}\n" + TRANSFORM: (
        ": column 'id' stands twice in COLUMNS; drop one."
    ),
    "COLUMNS = {'ID': 'string'}\n" + TRANSFORM: (
        ": 'ID' is no column name: at most 255 of a-z 0-9 _ and no digit first; use lower case."
    ),
    "COLUMNS = {'1st': 'string'}\n" + TRANSFORM: (
        ": '1st' is no column name: at most 255 of a-z 0-9 _ and no digit first; use lower case."
    ),
    "COLUMNS = {1: 'string'}\n" + TRANSFORM: (
        ": 1 is no column name: at most 255 of a-z 0-9 _ and no digit first; use lower case."
    ),
    "COLUMNS = {'_op': 'string'}\n" + TRANSFORM: (
        ": column '_op' is taken: every row carries it as metadata; rename it."
    ),
    "COLUMNS = {'_changed_at': 'timestamp'}\n" + TRANSFORM: (
        ": column '_changed_at' is taken: every row carries it as metadata; rename it."
    ),
    "COLUMNS = {'id': str}\n" + TRANSFORM: NOT_LITERAL,
    "COLUMNS = {'id': 1}\n" + TRANSFORM: (
        ": column 'id' has the type 1, which is no text; use a type such as \"string\"."
    ),
    "COLUMNS: dict = {'id': 'str'}\n" + TRANSFORM: (
        f": column 'id': 'str' is no column type ('str' is unknown; use string); use"
        f" {ALLOWED_TYPES}."
    ),
}


def names(text: str) -> str:
    return text.replace("\n", " ")[:40] or "empty"


@pytest.mark.parametrize("text", REFUSED, ids=names)
def test_a_module_is_refused_for_this_reason(pipelines: Pipelines, text: str) -> None:
    path = pipelines.module(text)
    assert pipelines.refusal(module=text) == f"transform_module={path!r}{REFUSED[text]}"


def test_a_missing_module_is_refused_with_the_folder_that_was_searched(
    pipelines: Pipelines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert pipelines.refusal(transform_module="transforms/missing.py") == (
        f"transform_module='transforms/missing.py' does not exist below {tmp_path}:"
        " give the path of a Python file with `def transform(change)`."
    )
    (tmp_path / "transforms").mkdir()
    assert pipelines.refusal(transform_module="transforms") == (
        f"transform_module='transforms' does not exist below {tmp_path}:"
        " give the path of a Python file with `def transform(change)`."
    )


@pytest.mark.parametrize("path", ["", None, 7])
def test_a_path_that_is_no_text_is_refused(pipelines: Pipelines, path: object) -> None:
    assert pipelines.refusal(transform_module=path) == (
        f"transform_module={path!r} is not a text: it is the path of a Python file;"
        " give a non-empty string."
    )


@pytest.mark.parametrize(
    "text",
    [
        "def transform(change, /):\n    return None\n",
        "def transform(*changes):\n    return None\n",
        "def transform(change, limit=3, *, strict=False, **rest):\n    return None\n",
        "import missing_everywhere\n\n\ndef transform(change):\n    raise SystemExit\n",
        "# -*- coding: latin-1 -*-\nNAME = '\xe9'\n\n\ndef transform(change):\n    return None\n",
    ],
    ids=names,
)
def test_a_module_that_can_be_called_with_a_change_is_taken_without_running_it(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "shop.py"
    file.write_bytes(text.encode("latin-1"))
    assert read_transform_module(str(file)).columns is None


def test_columns_are_read_in_their_order_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(TRANSFORM + "\n\nCOLUMNS: dict[str, str] = {'b': 'int', 'a': 'string'}\n")
    columns = read_transform_module(str(file)).columns
    assert columns is not None
    assert [(column.name, column.type) for column in columns] == [("b", "int"), ("a", "string")]


def test_a_module_in_no_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_bytes(b"NAME = '\xe9'\n\n\ndef transform(change):\n    return None\n")
    with pytest.raises(SettingsError) as refused:
        read_transform_module(str(file))
    assert str(refused.value).startswith(f"transform_module={str(file)!r} is no valid Python: ")


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("", True),
        (
            "import json\nfrom datetime import UTC\nfrom streaming_etl.handlers.change.change import Change\n",
            True,
        ),
        ("import boto3\n", True),
        ("import orjson\n", False),
        ("from msgspec import json\n", False),
        ("import numpy.linalg as la\n", False),
        ("def read():\n    import orjson\n", False),
        ("from . import other\n", False),
    ],
)
def test_images_are_lazy_only_where_no_other_package_reads_them(
    tmp_path: Path, text: str, pure: bool
) -> None:
    path = tmp_path / "module.py"
    path.write_text(text + "def transform(change):\n    return None\n")
    assert read_transform_module(str(path)).pure is pure
