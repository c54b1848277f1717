"""A module is read as the deployment reads it, loaded as Lambda loads it, under its settings."""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from streaming_etl.ops.transform_test import RefusedError, rows_of
from streaming_etl.ops.transform_test.selection import asked_for
from streaming_etl.stack.errors import CommandError
from tests.components.pipelines import ROOT
from tests.ops.modules import RETURN_ITEM, Modules

ITEM = {"id": "a"}


def test_an_image_is_as_lazy_as_in_lambda(modules: Modules) -> None:
    text = "def transform(change):\n    return {'kind': type(change.new).__name__}\n"
    assert rows_of(modules.write(text), ITEM) == [{"kind": "Image"}]
    assert rows_of(modules.write(f"import orjson\n\n{text}", "whole.py"), ITEM) == [
        {"kind": "dict"}
    ]


def test_the_module_is_loaded_once_and_under_its_name_in_the_archive(
    modules: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    path = modules.write(
        "import sys\nfrom dataclasses import asdict, dataclass\n\nprint('loaded', __name__)\n\n\n"
        "@dataclass\nclass Row:\n    id: 'str'\n\n\n"
        "def transform(change):\n    print('called')\n"
        "    assert sys.modules['transform_module'].Row is Row\n"
        "    return asdict(Row(change.new['id']))\n"
    )
    assert rows_of(path, ITEM) == rows_of(path, ITEM) == [ITEM]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "loaded transform_module\ncalled\ncalled\n")
    assert "transform_module" not in sys.modules


def test_another_module_of_that_name_is_there_again_afterwards(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModuleType("transform_module")
    monkeypatch.setitem(sys.modules, "transform_module", other)
    assert rows_of(modules.write(), ITEM) == [ITEM]
    assert sys.modules["transform_module"] is other


@pytest.mark.parametrize(
    "statement",
    ["import yaml", "from transforms import orders", "import streaming_etl.stack.console"],
)
def test_what_the_function_does_not_have_cannot_be_imported(
    modules: Modules, statement: str
) -> None:
    path = modules.write(f"{statement}\n\n\n{RETURN_ITEM}")
    with pytest.raises(CommandError) as refused:
        rows_of(path, ITEM)
    top = statement.split()[1].partition(".")[0]
    assert refused.value.message.startswith(f"{path} fails when it is loaded")
    assert f'shop.py", line 1, in <module>\n    {statement}\n' in refused.value.message
    assert f"ModuleNotFoundError: No module named '{top}' in the function" in refused.value.message
    late = modules.write(f"def transform(change):\n    {statement}\n", "late.py")
    with pytest.raises(RefusedError, match=r"^ModuleNotFoundError at late\.py:2$"):
        rows_of(late, ITEM)


def test_what_is_imported_for_types_or_if_it_is_there_may_be_absent(modules: Modules) -> None:
    path = modules.write(
        "from typing import TYPE_CHECKING\n\nimport boto3, dateutil, msgspec, orjson, pybase64\n"
        "from streaming_etl.handlers.change.change import Change\n\nif TYPE_CHECKING:\n    import yaml\n"
        "try:\n    import rich\nexcept ImportError:\n    rich = None\n\n\n"
        "def transform(change):\n    return {'rich': rich is not None}\n"
    )
    assert rows_of(path, ITEM) == [{"rich": False}]


def test_a_package_of_the_transforms_own_lock_is_there(modules: Modules) -> None:
    (modules.root / "lock.txt").write_text(f"PyYAML==6.0.2 --hash=sha256:{'0' * 64}\n")
    modules.stack(catalog="crawler", transform={"requirements": "lock.txt"})
    modules.write(f"import yaml\n\n\n{RETURN_ITEM}")
    assert rows_of("shop", ITEM) == [ITEM]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "The deployment would be refused: transform_module='{path}' has no function"),
        ("def", "The deployment would be refused: transform_module='{path}' is no valid Python"),
        ("1 / 0\ndef transform(change): ...\n", "{path} fails when it is loaded, so no change"),
    ],
)
def test_a_module_that_would_not_work_is_refused(modules: Modules, text: str, error: str) -> None:
    path = modules.write(text)
    with pytest.raises(CommandError) as refused:
        rows_of(path, ITEM)
    assert refused.value.message.startswith(error.format(path=path))


def test_a_module_of_two_pipelines_is_named_by_its_pipeline(modules: Modules) -> None:
    modules.stack("store", catalog="crawler")
    path = modules.write()
    with pytest.raises(CommandError) as refused:
        asked_for(path, None)
    assert refused.value.message == (
        f"{path} is the module of shop, store in Pulumi.dev.yaml, each with settings of its own; "
        "name one of these instead of the path."
    )


@pytest.mark.parametrize(
    ("transform", "stack", "error"),
    [
        ("shops", None, "shops is no pipeline of Pulumi.dev.yaml, which has orders, shipments; "
         "name one of its own, or the path of a module such as transforms/shops.py."),
        ("ops/stack.py", "dev", "No pipeline of Pulumi.dev.yaml has the module ops/stack.py; "
         "name it there first."),
        ("orders", "none", "There is no Pulumi.none.yaml; the stacks here are dev."),
    ],
)  # fmt: skip
def test_settings_that_are_not_there_are_told(transform: str, stack: Any, error: str) -> None:
    with pytest.raises(CommandError) as refused:
        asked_for(transform, stack)
    assert refused.value.message == error


@pytest.mark.parametrize(
    ("key_names", "error"),
    [
        (["pk"], "The key pk is not that of shop, whose settings make the table with the key id;"
         " only the key of an existing table is to be named."),
        (["a", "a"], "'a', 'a' is no key of a table: it has a partition key and at most a sort key;"
         " name one or two attributes."),
        (["a", "b", "c"], "'a', 'b', 'c' is no key of a table: it has a partition key and at most a"
         " sort key; name one or two attributes."),
        ([""], "'' is no key of a table: it has a partition key and at most a sort key; name one or"
         " two attributes."),
    ],
)  # fmt: skip
def test_a_key_that_cannot_be_is_refused(
    modules: Modules, key_names: list[str], error: str
) -> None:
    modules.stack(catalog="crawler")
    modules.write()
    with pytest.raises(CommandError) as refused:
        asked_for("shop", None, None, key_names)
    assert refused.value.message == error
    assert asked_for("shop", None, None, ["id"]).key_names == ["id"]


def test_the_key_of_an_existing_table_is_named_in_a_test(modules: Modules) -> None:
    modules.stack(catalog="crawler", source={"use_existing": True})
    modules.write("def transform(change):\n    return {'keys': change.keys}\n")
    item = {"id": "i", "pk": "a", "sk": 1}
    assert rows_of("shop", item, key_names=["pk", "sk"]) == [{"keys": {"pk": "a", "sk": 1}}]
    assert rows_of("shop", item, keys={"pk": "a"}) == [{"keys": {"pk": "a"}}]
    with pytest.raises(ValueError, match=r"^nothing tells of which attributes the key of an exist"):
        rows_of("shop", item)
    other = modules.write(name="other.py")
    assert rows_of(other, {"pk": "a"}, key_names=["pk"]) == [{"pk": "a"}]


def test_settings_given_otherwise_are_for_the_pipeline_that_is_tried_alone(
    modules: Modules,
) -> None:
    modules.stack("store", catalog="crawler", source={"range_key": "n"})
    path = modules.write(name="other.py")
    changed = {"source": {"range_key_type": "N"}}
    for transform in ("shop", "store"):
        assert asked_for(transform, None, changed).args.source.range_key_type == "N"
    # Of no effect on `other.py`, which has no range key; the stack's tables have one.
    with pytest.raises(CommandError, match=r"^These settings are refused: settings\.source: "):
        asked_for(path, None, changed)
    # Beside `range_key` no table of the stack could have it.
    assert asked_for(path, None, {"source": {"hash_key": "n"}}).key_names == ["n"]
    with pytest.raises(CommandError) as refused:
        asked_for("store", None, {"source": {"hash_key": "n"}})
    assert refused.value.message == (
        "Pulumi.dev.yaml is refused: tables.store.source: range_key='n' is the hash_key; name"
        " another."
    )


def test_a_relative_path_is_that_of_the_directory_at_the_time(
    modules: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (modules.root / name).mkdir()
        monkeypatch.chdir(modules.root / name)
        modules.write(f"def transform(change):\n    return {{'is': {name!r}}}\n", f"{name}/m.py")
        # Told apart by the directory alone: size and time are the same.
        os.utime("m.py", (0, 0))
        assert rows_of("./m.py", ITEM) == [{"is": name}]


def test_a_module_that_has_changed_is_loaded_anew(modules: Modules) -> None:
    path = modules.write("def transform(change):\n    return {'n': 1}\n")
    assert rows_of(path, ITEM) == [{"n": 1}]
    modules.write("def transform(change):\n    return {'n': 1 + 1}\n")
    assert rows_of(path, ITEM) == [{"n": 2}]


def test_what_ends_the_process_is_refused_and_an_interrupt_is_none(modules: Modules) -> None:
    path = modules.write("def transform(change):\n    raise SystemExit\n")
    with pytest.raises(RefusedError, match=r"^SystemExit ends the whole call in Lambda") as refused:
        rows_of(path, ITEM)
    assert isinstance(refused.value.__cause__, SystemExit)
    path = modules.write("def transform(change):\n    raise KeyboardInterrupt\n", "stop.py")
    with pytest.raises(KeyboardInterrupt):
        rows_of(path, ITEM)
    path = modules.write(f"exit(3)\n\n\n{RETURN_ITEM}", "load.py")
    with pytest.raises(CommandError, match=r"fails when it is loaded(.|\n)*SystemExit: 3$"):
        rows_of(path, ITEM)


def test_without_a_dev_stack_a_module_is_tried_with_the_defaults(modules: Modules) -> None:
    found = asked_for(modules.write(), None)
    assert (found.args.format, found.key_names) == ("json", ["id"])
    assert found.told == "the defaults, as no pipeline of Pulumi.dev.yaml has it"


def test_a_path_is_found_from_the_program_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert asked_for("transforms/orders.py", None).told == "orders in Pulumi.dev.yaml"
    assert asked_for("orders", None).file.resolve() == ROOT / "transforms" / "orders.py"
