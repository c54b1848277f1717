"""The files that a transform imports are found without running them."""

from pathlib import Path
from typing import Any

import pytest

from streaming_etl.components.packaging.dependencies import Dependencies, File
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.transform_code import import_problems, read_transform_code
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.components.transform_guard import size_problems
from tests.support.problems import problems_of

TRANSFORM = "def transform(change):\n    return change.new\n"
COLUMNS = "COLUMNS = {'id': 'string'}\n"


def write(folder: Path, **files: str) -> str:
    """Write files, and return the path of the first.

    `__` is a slash, and `_init` is __init__.
    """
    paths = []
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/').replace('_init', '__init__')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        paths.append(path)
    first = paths[0]
    return str(first.parent if first.name == "__init__.py" else first)


def found(path: str) -> list[tuple[str, str, Any]]:
    """Rule, file and names of the problems of a module's imports."""
    root = Path(path).parent
    return [
        (each.rule, Path(str(each.value)).relative_to(root).as_posix(), each.details["imports"])
        for each in import_problems(read_transform_code(path), ["orjson/__init__.py"])
    ]


def test_packs_the_files_and_folders_that_the_module_imports(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        orders=f"import shared.money\nfrom rates import RATE\n{TRANSFORM}",
        rates="from shared import money\nRATE = 1\n",
        shared__money="",
        shared__unused="import not_installed\n",
        other="",
    )
    (tmp_path / "shared" / "cities.csv").write_text("Oita\n")
    for hidden in (".DS_Store", "money.pyc", "__pycache__/money.cpython-313.pyc"):
        (tmp_path / "shared" / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / "shared" / hidden).write_text("")
    code = read_transform_code(path)
    names = ["orders.py", "rates.py", "shared/cities.csv", "shared/money.py", "shared/unused.py"]
    assert code.files == {name: tmp_path / name for name in names}
    paths = {"rates": "rates.py", "shared": "shared", "transform_module": "orders.py"}
    assert code.config == {"name": "transform_module", "paths": paths}
    assert found(path) == []


def test_a_folder_is_imported_by_its_name(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        orders___init=f"from . import lines\nfrom orders.model import Order\n{TRANSFORM}",
        orders__lines="from .model import Order\nfrom shared import money\n",
        orders__model="class Order: ...\n",
        shared___init="money = 1\n",
    )
    code = read_transform_code(f"{path}/")
    assert code.config == {"name": "orders", "paths": {"orders": "orders", "shared": "shared"}}
    assert [*code.files] == [
        "orders/__init__.py",
        "orders/lines.py",
        "orders/model.py",
        "shared/__init__.py",
    ]
    assert found(path) == []


@pytest.mark.parametrize(
    ("statement", "names"),
    [
        ("import shared.mony", ("shared.mony",)),
        ("from shared import mony", ("shared.mony",)),
        ("from shared.money import cent", ("shared.money.cent",)),
        ("from empty import cents", ("empty.cents",)),
        ("from . import shared", (".",)),
        ("from ..shared import money", ("..shared",)),
        ("import shared.money.cents", ("shared.money.cents",)),
        ("import yaml, shared.mony", ("yaml", "shared.mony")),
        ("from shared.money import cents", ()),
        ("from shared.dynamic import anything", ()),
        ("from shared.star import cents", ()),
        ("from shared.star import *", ()),
        ("from shared.star import __name__", ()),
        ("try:\n    import shared.fast\nexcept ImportError:\n    pass", ()),
    ],
)
def test_own_modules_and_their_names_must_exist(
    tmp_path: Path, statement: str, names: tuple[str, ...]
) -> None:
    path = write(
        tmp_path,
        orders=f"{statement}\n{TRANSFORM}",
        shared__money="def cents(): ...\n",
        shared__dynamic="def __getattr__(name): ...\n",
        shared__star="from shared.money import *\n",
        empty___init="",
    )
    reported = [name for _, _, imports in found(path) for name in imports]
    assert sorted(reported) == sorted(names)


def test_reports_the_file_of_every_missing_import(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        orders=f"import numpy\nimport shared.money\n{TRANSFORM}",
        shared__money="import orjson\nimport yaml\nfrom .rates import RATE\n",
    )
    assert found(path) == [
        ("module-imports", "orders.py", ("numpy",)),
        ("module-imports", "shared/money.py", ("yaml", ".rates")),
    ]


def test_with_layers_only_own_files_are_known(tmp_path: Path) -> None:
    imports = "import numpy, orjson\nfrom shared.money import cent\nimport calendar\n"
    path = write(tmp_path, orders=f"{imports}{TRANSFORM}", shared__money="", calendar="")
    found = [*import_problems(read_transform_code(path), ["orjson.py"], has_layers=True)]
    assert [(each.rule, each.details["imports"]) for each in found] == [
        ("module-ambiguous", ("calendar",)),
        ("module-imports", ("shared.money.cent",)),
    ]


@pytest.mark.parametrize("name", ["calendar", "six", "streaming_etl", "transform_module"])
def test_a_file_must_not_have_the_name_of_a_module_of_lambda(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, orders=f"import {name}\n{TRANSFORM}", **{name: ""})
    assert ("module-ambiguous", "orders.py", (name,)) in found(path)


def test_a_file_must_not_have_the_name_of_a_package(tmp_path: Path) -> None:
    path = write(tmp_path, orders=f"import orjson\n{TRANSFORM}", orjson="")
    assert found(path) == [("module-ambiguous", "orders.py", ("orjson",))]
    folder = read_transform_code(write(tmp_path, orjson___init=TRANSFORM))
    [problem] = import_problems(folder, ["orjson/__init__.py"])
    assert (problem.rule, problem.value) == ("package-name", str(tmp_path / "orjson"))


def test_the_module_may_have_the_name_of_a_module_that_it_imports(tmp_path: Path) -> None:
    path = write(tmp_path, calendar=f"import calendar\n{TRANSFORM}", queue="")
    assert found(path) == []
    assert [*read_transform_code(path).files] == ["calendar.py"]
    package = write(tmp_path, yaml=f"import yaml\nimport shared\n{TRANSFORM}", shared="import yaml")
    names = [
        (problem.value, problem.details["imports"])
        for problem in import_problems(read_transform_code(package))
    ]
    assert names == [(package, ("yaml",)), (str(tmp_path / "shared.py"), ("yaml",))]
    assert [*import_problems(read_transform_code(package), ["yaml/__init__.py"])] == []
    # So do files that no import names.
    assert found(write(tmp_path, orders=f"import json\n{TRANSFORM}")) == []


@pytest.mark.parametrize("name", ["calendar", "my-orders", "class", "transform_module"])
def test_a_folder_needs_a_name_that_can_be_imported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text(TRANSFORM)
    [problem] = problems_of(read_transform_module, str(tmp_path / name))
    assert (problem.rule, problem.details["folder"]) == ("package-name", name)


def test_a_folder_needs_init(tmp_path: Path) -> None:
    [problem] = problems_of(read_transform_module, str(tmp_path))
    assert (problem.rule, problem.value) == ("package-without-init", str(tmp_path))


def test_an_imported_file_must_be_valid_python(tmp_path: Path) -> None:
    path = write(tmp_path, orders=f"from money import cents\n{TRANSFORM}", money="\ndef cents(:\n")
    [problem] = import_problems(read_transform_code(path))
    assert (problem.rule, problem.value) == ("module-syntax", str(tmp_path / "money.py"))
    assert problem.details["line"] == 2


@pytest.mark.parametrize(
    ("init", "columns"),
    [
        ("from .columns import COLUMNS", COLUMNS),
        ("from orders.columns import COLUMNS", COLUMNS),
        ("from .columns import ORDERS as COLUMNS", COLUMNS.replace("COLUMNS", "ORDERS")),
        ("from .columns import *", COLUMNS),
        ("from .columns import COLUMNS", f"COLUMNS = {{}}\n{COLUMNS}"),
    ],
)
def test_the_module_may_import_columns_and_transform(
    tmp_path: Path, init: str, columns: str
) -> None:
    path = write(
        tmp_path,
        orders___init=f"{init}\nfrom .rows import to_rows as transform\n",
        orders__columns=columns,
        orders__rows=TRANSFORM.replace("transform", "to_rows"),
    )
    module = read_transform_module(path)
    assert module.columns == (Column("id", "string"),)
    assert (module.sources, module.pure) == (None, True)


@pytest.mark.parametrize(
    ("init", "rule", "file"),
    [
        (f"from msgspec import COLUMNS\n{TRANSFORM}", "columns-not-literal", "__init__.py"),
        (f"from .columns import NONE as COLUMNS\n{TRANSFORM}", "columns-not-literal", "columns.py"),
        (f"from .columns import CALL as COLUMNS\n{TRANSFORM}", "columns-not-literal", "columns.py"),
        ("from .columns import generator as transform\n", "module-generator", "columns.py"),
        ("from .columns import CALL as transform\n", "module-without-transform", "columns.py"),
        ("from msgspec import transform\n", "module-without-transform", "__init__.py"),
        ("from orders import transform\n", "module-without-transform", "__init__.py"),
    ],
)
def test_rejects_imported_columns_and_functions_like_own_ones(
    tmp_path: Path, init: str, rule: str, file: str
) -> None:
    columns = "CALL = dict(id='string')\n\n\ndef generator(change):\n    yield change.new\n"
    path = write(tmp_path, orders___init=init, orders__columns=columns)
    [problem] = problems_of(read_transform_module, path)
    assert (problem.rule, problem.value) == (rule, str(tmp_path / "orders" / file))


def test_imported_columns_alone_read_attributes(tmp_path: Path) -> None:
    path = write(tmp_path, orders="from columns import COLUMNS\n", columns=COLUMNS)
    module = read_transform_module(path)
    assert (module.columns, module.code) == ((Column("id", "string"),), None)
    assert {file.name for file in module.read} == {"orders.py", "columns.py"}


@pytest.mark.parametrize(
    ("money", "pure"), [("import decimal\n", True), ("", True), ("import orjson\n", False)]
)
def test_items_are_lazy_unless_any_file_imports_a_package(
    tmp_path: Path, money: str, pure: bool
) -> None:
    # Also a file that the module may import by name at run time.
    path = write(
        tmp_path,
        orders=f"import shared.names\n{TRANSFORM}",
        shared__names="",
        shared__money=money,
    )
    assert read_transform_module(path).pure is pure


def test_follows_links_unless_they_are_circular_or_broken(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "money.py").write_text("")
    path = write(tmp_path, code__orders=f"import shared.money\n{TRANSFORM}")
    (tmp_path / "code" / "shared").symlink_to(tmp_path / "common")
    assert [*read_transform_module(path).code.files] == ["orders.py", "shared/money.py"]  # type: ignore[union-attr]
    for target in (tmp_path / "common", tmp_path / "nothing"):
        (tmp_path / "common" / "again").symlink_to(target)
        [problem] = problems_of(read_transform_module, path)
        place = str(tmp_path / "code" / "shared" / "again")
        assert (problem.rule, problem.details["file"]) == ("module-link", place)
        (tmp_path / "common" / "again").unlink()


def test_rejects_files_that_are_too_large_with_the_packages(tmp_path: Path) -> None:
    path = write(tmp_path, orders=f"import shared.money\n{TRANSFORM}", shared__money="")
    (tmp_path / "shared" / "cities.csv").write_bytes(bytes(1000))
    code = read_transform_code(path)
    free = (
        262_144_000
        - 1_048_576
        - 1000
        - sum(file.stat().st_size for name, file in code.files.items() if name.endswith(".py"))
    )
    for size, rules in ((free, []), (free + 1, ["code-too-large"])):
        packages = Dependencies(tmp_path, {"a.so": File("a==1", "", size, 0)})
        problems = [*size_problems(code, packages)]
        assert [problem.rule for problem in problems] == rules
    assert problems[0].details["kind"] == "unzipped"
    assert problems[0].details["largest"][0].startswith(str(tmp_path / "shared" / "cities.csv"))
    zipped = Dependencies(tmp_path, {"a.so": File("a==1", "", 52_428_800, 52_428_800)})
    [problem] = size_problems(code, zipped)
    assert problem.details["kind"] == "zipped"
