"""The transform module is read and checked without running it."""

from pathlib import Path

import pytest

from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.declared_columns import AttributeSource
from streaming_etl.components.table.transform_module import read_transform_module
from tests.support.problems import problems_of

TRANSFORM = "def transform(change):\n    return change.new\n"

# The module's text, and the rule that it breaks.
INVALID = {
    "": "module-without-transform",
    "transform = print\n": "module-without-transform",
    "class transform:\n    pass\n": "module-without-transform",
    "if True:\n    def transform(change):\n        return None\n": "module-without-transform",
    "def transform(change:\n": "module-syntax",
    "def transform(change):\n    return '\0'\n": "module-syntax",
    # A name like `transform` with COLUMNS is a function that is not found, not its absence.
    "COLUMNS = {'id': 'string'}\ndef tranform(change):\n    return []\n": (
        "module-without-transform"
    ),
    "COLUMNS = {'id': 'string'}\nclass Transform:\n    pass\n": "module-without-transform",
    "COLUMNS = {'id': 'string'}\nfrom shop import transform\n": "module-without-transform",
    "COLUMNS = {'id': 'string'}\ntransform = print\n": "module-without-transform",
    "if True:\n    COLUMNS = {'id': 'string'}\n": "module-without-transform",
    "async def transform(change):\n    return None\n": "module-async",
    "def transform():\n    return []\n": "module-arguments",
    "def transform(change, context):\n    return []\n": "module-arguments",
    "def transform(change, *, context):\n    return []\n": "module-arguments",
    "def transform(*, change):\n    return []\n": "module-arguments",
    # Python keeps the last definition.
    "def transform(change):\n    pass\n\n\ndef transform():\n    return []\n": "module-arguments",
    "def transform(change):\n    yield change.new\n": "module-generator",
    "def transform(change):\n    yield from [change.new]\n    return []\n": "module-generator",
    f"COLUMNS = dict(id='string')\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = {{'id': TEXT}}\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = {{'id': str}}\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = {{**OTHERS, 'id': 'string'}}\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = [('id', 'string')]\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = {{name: 'string' for name in 'ab'}}\n{TRANSFORM}": "columns-not-literal",
    f"COLUMNS = None\n{TRANSFORM}": "columns-not-literal",
    "COLUMNS = {'id': 'string'}\nCOLUMNS['b'] = 'string'\n": "columns-not-literal",
    "COLUMNS = {'id': 'string'}\ndel COLUMNS['id']\n": "columns-not-literal",
    "COLUMNS = {'id': 'string'}\nCOLUMNS |= {'b': 'string'}\n": "columns-not-literal",
    "COLUMNS = {'id': 'string'}\nif True:\n    COLUMNS.update(b='string')\n": "columns-not-literal",
    "COLUMNS = {'id': {'type': 'string'}}\nCOLUMNS['id']['type'] = 'int'\n": "columns-not-literal",
    "COLUMNS = {'id': 'string'}\ndef add():\n    COLUMNS['b'] = 'string'\n": "columns-not-literal",
    f"COLUMNS = {{}}\n{TRANSFORM}": "columns-empty",
}


# The last lines of modules whose `transform` never returns rows.
WITHOUT_RETURN = {
    "no statement": "    pass\n",
    "only a docstring": '    """Return the item."""\n',
    "forgotten": "    row = dict(change.new)\n",
    "forgotten after a filter": "    if change.old:\n        return None\n    row = {'id': 1}\n",
    "bare": "    return\n",
    "in all branches": "    try:\n        return None\n    finally:\n        return\n",
    "only in nested functions": "    def row():\n        return {}\n\n    row()\n",
    "only in a lambda or a class": "    class Row:\n        def get(self):\n            return 1\n",
    "always raises": "    raise NotImplementedError\n",
}


def write(folder: Path, text: str, encoding: str = "utf-8") -> str:
    file = folder / "shop.py"
    file.write_bytes(text.encode(encoding))
    return str(file)


@pytest.mark.parametrize("text", INVALID)
def test_rejects_an_invalid_module(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    [problem] = problems_of(read_transform_module, path)
    assert (problem.field, problem.value, problem.rule) == (
        "transform_module",
        path,
        INVALID[text],
    )


@pytest.mark.parametrize("body", WITHOUT_RETURN.values(), ids=WITHOUT_RETURN)
def test_rejects_a_transform_without_a_return_of_rows(tmp_path: Path, body: str) -> None:
    path = write(tmp_path, f"{TRANSFORM}\n\ndef transform(change):\n{body}")
    [problem] = problems_of(read_transform_module, path)
    assert (problem.rule, problem.details) == ("module-without-return", {"line": 5})


@pytest.mark.parametrize(
    "text",
    [
        "def transform(change):\n    for _ in '':\n        return {}\n",
        "def transform(change):\n    match change.kind:\n        case _:\n            return []\n",
        "def transform(change):\n    return None if change.old else change.new\n",
        "def transform(change):\n    def names():\n        yield 'id'\n\n    return [*names()]\n",
        "@collected\ndef transform(change):\n    yield change.new\n",
        "@collected\ndef transform(change):\n    print(change)\n",
        "def transform(change):\n    print(change)\n\n\ntransform = lambda change: change.new\n",
        "def transform(change):\n    yield change.new\n\n\ntransform = collected(transform)\n",
    ],
)
def test_accepts_a_transform_that_may_return_rows(tmp_path: Path, text: str) -> None:
    assert read_transform_module(write(tmp_path, text)).columns is None


def test_reports_problems_of_function_and_columns(tmp_path: Path) -> None:
    text = "COLUMNS = {'ID': 'string'}\n\n\ndef transform():\n    return []\n"
    problems = problems_of(read_transform_module, write(tmp_path, text))
    assert [problem.rule for problem in problems] == ["module-arguments", "column-name"]


def test_reports_the_line_of_invalid_syntax(tmp_path: Path) -> None:
    path = write(tmp_path, "\n\ndef transform(change):\nreturn 1\n")
    [problem] = problems_of(read_transform_module, path)
    assert (problem.rule, problem.details["line"]) == ("module-syntax", 4)


def test_rejects_bytes_of_no_declared_encoding(tmp_path: Path) -> None:
    path = write(tmp_path, f"NAME = '\xe9'\n{TRANSFORM}", "latin-1")
    assert [problem.rule for problem in problems_of(read_transform_module, path)] == [
        "module-syntax"
    ]


def test_reports_the_directory_in_which_a_file_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    [problem] = problems_of(read_transform_module, "transforms/missing.py")
    assert (problem.rule, problem.details["directory"]) == ("module-missing", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "def transform(change, /):\n    return []\n",
        "def transform(*changes):\n    return []\n",
        "def transform(change, limit=3, *, strict=False, **rest):\n    return []\n",
        "import missing_everywhere\n\n\ndef transform(change):\n    return exit()\n",
        f"# -*- coding: latin-1 -*-\nNAME = '\xe9'\n\n\n{TRANSFORM}",
    ],
)
def test_accepts_a_module_without_running_it(tmp_path: Path, text: str) -> None:
    assert read_transform_module(write(tmp_path, text, "latin-1")).columns is None


def test_reads_columns_in_their_order_anywhere_in_the_module(tmp_path: Path) -> None:
    text = f"{TRANSFORM}\n\nCOLUMNS: dict[str, str] = {{'b': 'int', 'a': 'string'}}\n"
    columns = read_transform_module(write(tmp_path, text)).columns
    assert columns is not None
    assert [(column.name, column.type) for column in columns] == [("b", "int"), ("a", "string")]


@pytest.mark.parametrize(
    ("text", "pure"),
    [
        ("", True),
        ("import json\nfrom streaming_etl import Change\n", True),
        ("import boto3\n", True),
        ("import orjson\n", False),
        ("from msgspec import json\n", False),
        ("import numpy.linalg as la\n", False),
        ("def read():\n    import orjson\n", False),
        # A package, as the file does not import itself.
        ("import shop\n", False),
    ],
)
def test_items_are_lazy_without_other_packages(tmp_path: Path, text: str, pure: bool) -> None:
    assert read_transform_module(write(tmp_path, f"{text}{TRANSFORM}")).pure is pure


def test_a_module_without_transform_reads_attributes(tmp_path: Path) -> None:
    text = "import missing\n\nCOLUMNS = {'id': 'string'}\n\n\ndef helper():\n    yield 1\n"
    module = read_transform_module(write(tmp_path, text))
    assert module.columns == (Column("id", "string"),)
    assert (module.sources, module.code) == ({"id": AttributeSource(("id",))}, None)


def test_a_module_with_transform_reads_no_attributes(tmp_path: Path) -> None:
    module = read_transform_module(write(tmp_path, f"COLUMNS = {{'id': 'string'}}\n{TRANSFORM}"))
    assert module.sources is None
    assert module.code


def test_reads_field_ids(tmp_path: Path) -> None:
    columns = "COLUMNS = {'id': 'string'}\n"
    text = f"{columns}FIELD_IDS = {{'id': 101, 'removed': 100}}\n"
    assert read_transform_module(write(tmp_path, text)).field_ids == {"id": 101, "removed": 100}
    assert read_transform_module(write(tmp_path, columns)).field_ids == {}


def test_reports_problems_of_columns_and_field_ids_together(tmp_path: Path) -> None:
    text = "COLUMNS = {'ID': 'string'}\nFIELD_IDS = {'ID': 100}\n"
    problems = problems_of(read_transform_module, write(tmp_path, text))
    assert [problem.rule for problem in problems] == ["column-name", "field-id-path"]


def test_field_ids_may_not_be_changed(tmp_path: Path) -> None:
    text = "COLUMNS = {'id': 'string'}\nFIELD_IDS = {'id': 100}\nFIELD_IDS['id'] = 101\n"
    [problem] = problems_of(read_transform_module, write(tmp_path, text))
    assert problem.rule == "field-ids-not-literal"


def test_field_ids_need_columns(tmp_path: Path) -> None:
    path = write(tmp_path, f"FIELD_IDS = {{}}\n{TRANSFORM}")
    [problem] = problems_of(read_transform_module, path)
    assert problem.rule == "field-ids-without-columns"


def test_columns_may_be_used_in_the_module(tmp_path: Path) -> None:
    path = tmp_path / "m.py"
    text = "COLUMNS = {'id': 'string'}\nNAMES = [*COLUMNS, COLUMNS['id'], COLUMNS.get('b')]\n"
    path.write_text(f"{text}OTHER = {{}}\nOTHER['b'] = 1\nOTHER.update(COLUMNS)\n")
    assert read_transform_module(str(path)).columns == (Column("id", "string"),)


@pytest.mark.parametrize(
    "code",
    [
        "def add():\n    COLUMNS = {}\n    COLUMNS['b'] = 1\n",
        "def add(COLUMNS):\n    COLUMNS['b'] = 1\n    COLUMNS.pop('b')\n",
        "def add(*COLUMNS):\n    def nested():\n        COLUMNS.clear()\n",
        "remove = lambda COLUMNS: COLUMNS.pop('b')\n",
        "class Names:\n    COLUMNS = {}\n    COLUMNS['b'] = 1\n",
        "def add():\n    for COLUMNS in [{}]:\n        COLUMNS.update(b=1)\n",
        "OTHER = {}\nOTHER['COLUMNS'] = {}\nOTHER['COLUMNS']['b'] = 1\n",
    ],
)
def test_a_local_name_may_be_that_of_the_columns(tmp_path: Path, code: str) -> None:
    path = write(tmp_path, f"COLUMNS: dict = {{'id': 'string'}}\n{code}")
    assert read_transform_module(path).columns == (Column("id", "string"),)


@pytest.mark.parametrize("name", ["COLUMNS", "FIELDS"])
def test_imported_columns_may_not_be_changed(tmp_path: Path, name: str) -> None:
    (tmp_path / "fields.py").write_text(f"{name} = {{'id': 'string'}}\n")
    path = write(
        tmp_path, f"from fields import {name} as COLUMNS\nCOLUMNS['b'] = 'int'\n{TRANSFORM}"
    )
    [problem] = problems_of(read_transform_module, path)
    assert problem.rule == "columns-not-literal"
