"""Rows, loading and settings of `rows_of`."""

import os
import re
import signal
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from streaming_etl import TransformError, rows_of
from streaming_etl.components.packaging.dependencies import Dependencies, File, Packages
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test import runner
from streaming_etl.ops.transform_test.sample_records import InvalidChangeError, stream_record
from streaming_etl.ops.transform_test.selection import select_transform
from streaming_etl.stack.errors import CommandError
from tests.ops.transform_test.conftest import RETURN_ITEM, Program
from tests.support.transform_package import FAILS_AT, write_package

ITEM = {"id": "a"}


def rejection(*args: Any, **options: Any) -> CommandError:
    with pytest.raises(CommandError) as rejected:
        rows_of(*args, **options)
    return rejected.value


def test_an_image_is_as_lazy_as_in_lambda(program: Program) -> None:
    text = "def transform(change):\n    return {'type': type(change.new).__name__}\n"
    [lazy] = rows_of(program.module(text), ITEM)
    [eager] = rows_of(program.module(f"import orjson\n\n{text}", "eager.py"), ITEM)
    assert lazy["type"] != "dict"
    assert eager["type"] == "dict"


def test_loads_the_module_once_under_its_name_in_the_archive(
    program: Program, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ModuleType("transform_module")
    monkeypatch.setitem(sys.modules, "transform_module", other)
    path = program.module(
        "import sys\nfrom dataclasses import asdict, dataclass\n\nprint('loaded', __name__)\n\n\n"
        "@dataclass\nclass Row:\n    id: 'str'\n\n\n"
        "def transform(change):\n    print('called')\n"
        "    assert sys.modules['transform_module'].Row is Row\n"
        "    return asdict(Row(change.new['id']))\n"
    )
    assert rows_of(path, ITEM) == rows_of(path, ITEM) == [ITEM]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "loaded transform_module\ncalled\ncalled\n")
    assert sys.modules["transform_module"] is other


def test_values_are_what_athena_returns(program: Program) -> None:
    path = program.module(
        'COLUMNS = {"at": "timestamp", "weight": "float", "share": "double", "text": "string"}\n'
        "def transform(change):\n    return {name: change.new.get(name) for name in COLUMNS}\n"
    )
    changes = [
        {"at": "2026-11-23T09:30:00.999999", "weight": 16_777_217, "share": 2**53 + 1},
        {"at": "1969-12-31T23:59:59.9995", "weight": Decimal("0.1"), "share": Decimal("0.1")},
        {"at": "9999-12-31T23:59:59.999999", "text": 10**45},
    ]
    rows = [rows_of(path, ITEM | change)[0] for change in changes]
    assert [(row["at"], row["weight"], row["share"], row["text"]) for row in rows] == [
        (datetime(2026, 11, 23, 9, 30, 0, 999_000), 16_777_216.0, 2.0**53, None),
        (datetime(1969, 12, 31, 23, 59, 59, 999_000), 0.1, 0.1, None),
        (datetime(9999, 12, 31, 23, 59, 59, 999_000), None, None, "1" + "0" * 45),
    ]


def test_a_module_without_transform_is_not_loaded(program: Program) -> None:
    path = program.module(
        "import not_installed\n\n"
        "COLUMNS = {'id': 'string',\n"
        "    'at': {'type': 'timestamp', 'path': 'a.t', 'unit': 'seconds'}}\n"
    )
    assert rows_of(path, {"id": "a", "a": {"t": Decimal("0.5")}}) == [
        {"id": "a", "at": datetime(1970, 1, 1, 0, 0, 0, 500_000)}
    ]
    assert rows_of(path, old={"id": "a"}) == [{"id": "a", "at": None}]
    with pytest.raises(TransformError) as raised:
        rows_of(path, {"id": "a", "a": "text"})
    # The module has no line that failed.
    assert (raised.value.__cause__, raised.value.unknown_columns) == (None, ())


def test_partition_keys_are_read_without_transform(program: Program) -> None:
    program.stack(partitions={"dynamic_partition_keys": {"store": [], "kind": ["x"]}})
    program.module("COLUMNS = {'id': 'string', 'store': {'type': 'string', 'path': 'storeId'}}\n")
    assert rows_of("shop", {"id": "a", "storeId": "tokyo", "kind": "x"}) == [
        {"id": "a", "store": "tokyo", "kind": "x"}
    ]


@pytest.mark.parametrize("file_format", ["json", "parquet"])
def test_map_keys_may_differ_in_case_only(program: Program, file_format: str) -> None:
    program.stack(format=file_format)
    program.module(
        'COLUMNS = {"counts": "map<string,int>"}\n\n\n'
        "def transform(change):\n    return {'counts': change.new['counts']}\n"
    )
    counts = {"Kyoto": 1, "KYOTO": 2, "kyoto": 3}
    assert rows_of("shop", ITEM | {"counts": counts}) == [{"counts": counts}]


@pytest.mark.parametrize("number", [10**125, Decimal("0.1" + "0" * 45), -(10**40), {10**50, 1}])
def test_the_final_zeros_of_a_number_are_not_digits(program: Program, number: Any) -> None:
    path = program.module(
        'COLUMNS = {"text": "string"}\n\n\n'
        "def transform(change):\n    return {'text': change.new['n'] == change.new['m']['n'][0]}\n"
    )
    assert rows_of(path, ITEM | {"n": number, "m": {"n": [number]}}) == [{"text": "true"}]


def test_reloads_a_module_that_has_changed(program: Program) -> None:
    path = program.module("def transform(change):\n    return {'n': 1}\n")
    assert rows_of(path, ITEM) == [{"n": 1}]
    program.module("def transform(change):\n    return {'n': 1 + 1}\n")
    assert rows_of(path, ITEM) == [{"n": 2}]


def test_a_transform_of_several_files_is_loaded_as_in_lambda(program: Program) -> None:
    path = write_package(program.root)
    loaded = {*sys.modules}
    assert rows_of(path, {"id": "a", "total": 2}) == [{"id": "a", "city": "Oita", "cents": 200}]
    assert rows_of(f"{path}/", {"id": "b", "total": 0})[0]["cents"] == 0
    with pytest.raises(TransformError) as failed:
        rows_of(path, {"id": "a"})
    assert failed.value.reason == f"TypeError at {FAILS_AT}"
    # The tests may have modules of these names.
    assert {name.partition(".")[0] for name in {*sys.modules} - loaded}.isdisjoint(
        {"orders", "shared"}
    )


def test_each_transform_has_its_own_modules(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ModuleType("shared")
    monkeypatch.setitem(sys.modules, "shared", shared)
    text = "def transform(change):\n    import shared\n    return {'n': shared.NUMBER}\n"
    paths = []
    for number in (1, 2):
        (program.root / str(number)).mkdir()
        paths.append(program.module(text, f"{number}/orders.py"))
        program.module(f"NUMBER = {number}\n", f"{number}/shared.py")
    rows = [rows_of(path, ITEM) for path in (*paths, *paths)]
    assert rows == [[{"n": 1}], [{"n": 2}]] * 2
    assert sys.modules["shared"] is shared


def test_reloads_an_imported_file_that_has_changed(program: Program) -> None:
    path = write_package(program.root)
    item = {"id": "a", "total": 2}
    assert rows_of(path, item)[0]["city"] == "Oita"
    (program.root / "transforms/shared/cities.txt").write_text("Beppu")
    assert rows_of(path, item)[0]["city"] == "Beppu"


def test_shows_the_lines_of_the_users_files_alone(program: Program) -> None:
    path = write_package(program.root)
    loaded = runner.TransformRunner(select_transform(path))
    record = stream_record(1, ["id"], new={"id": "a"})
    shown = loaded.traceback(loaded.run(change_line(record)))
    files = [Path(each).relative_to(program.root) for each in re.findall('File "(.*?)"', shown)]
    names = ["orders/rows.py", "orders/model.py", "shared/money.py"]
    assert [*map(str, files)] == [f"transforms/{name}" for name in names]


def test_a_module_that_no_config_has_may_have_partition_keys(program: Program) -> None:
    program.stack()
    path = program.module(
        "COLUMNS = {'id': 'string'}\n\n\n"
        "def transform(change):\n    return {'id': 'a', 'store': change.new['store']}\n",
        "other.py",
    )
    stores: dict[str, Any] = {"partitions": {"dynamic_partition_keys": {"store": ["tokyo"]}}}
    item = {"id": "a", "store": "tokyo"}
    assert rows_of(path, item, settings=stores) == [item]
    for settings, store in ((stores, "osaka"), (None, "tokyo")):
        with pytest.raises(TransformError):
            rows_of(path, {"id": "a", "store": store}, settings=settings)


def test_settings_override_those_of_the_lake_table(program: Program) -> None:
    program.stack(catalog="crawler")
    path = program.module()
    assert rows_of(path, ITEM, settings={"where": {"id": ["b"]}}) == []
    assert rows_of(path, ITEM) == [ITEM]


def test_a_relative_path_starts_in_the_current_directory(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (program.root / name).mkdir()
        monkeypatch.chdir(program.root / name)
        program.module(f"def transform(change):\n    return {{'is': {name!r}}}\n", f"{name}/m.py")
        # Size and time are the same for both modules.
        os.utime("m.py", (0, 0))
        assert rows_of("./m.py", ITEM) == [{"is": name}]


def test_rejects_imports_that_fail_in_lambda(program: Program) -> None:
    error = rejection(program.module(f"import yaml\n\n\n{RETURN_ITEM}"), ITEM)
    [problem] = error.details["problems"]
    assert (problem.rule, problem.details) == ("module-imports", {"imports": ("yaml",), "line": 1})


def test_a_package_of_the_transforms_lock_file_can_be_imported(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Dependencies(Path(), {"yaml/__init__.py": File("pyyaml==1.0", "", 0, 0)})
    packages = Packages(forwarder=installed, transform=installed)
    monkeypatch.setattr(runner, "ensure_dependencies", lambda *_: packages)
    assert rows_of(program.module(f"import yaml\n\n\n{RETURN_ITEM}"), ITEM) == [ITEM]


def test_rejects_a_module_that_cannot_be_deployed_or_loaded(program: Program) -> None:
    assert rejection(program.module(""), ITEM).code == "invalid-settings"
    assert rejection(program.module("def", "x.py"), ITEM).code == "invalid-settings"
    error = rejection(program.module(f"1 / 0\n{RETURN_ITEM}", "y.py"), ITEM)
    assert (error.code, error.details["error"]) == ("module-fails", "ZeroDivisionError")


def test_a_failed_change_has_the_logged_reason_and_the_raised_error(program: Program) -> None:
    path = program.module("def transform(change):\n    return {'n': change.new['gone']}\n")
    with pytest.raises(TransformError) as failed:
        rows_of(path, ITEM)
    assert failed.value.reason == "KeyError at shop.py:2"
    assert repr(failed.value.__cause__) == "KeyError('gone')"
    with pytest.raises(TransformError) as failed:
        rows_of(program.module("def transform(change):\n    return 'x'\n", "text.py"), ITEM)
    assert failed.value.__cause__ is None


def test_unknown_columns_are_named_locally_but_not_in_the_logged_reason(program: Program) -> None:
    program.stack(catalog="crawler", partitions={"dynamic_partition_keys": {"store": ["x"]}})
    rows = "[{'id': '1', 'store': 'x'}, {'ID': 1, 5: 2, 'store': 'x'}]"
    module = f"COLUMNS = {{'id': 'string'}}\n\n\ndef transform(change):\n    return {rows}\n"
    with pytest.raises(TransformError, match="ID") as failed:
        rows_of(program.module(module), ITEM)
    assert failed.value.unknown_columns == ("5", "ID")
    assert "ID" not in failed.value.reason


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_module_that_ends_the_process_fails_the_change(
    program: Program, error: type[BaseException]
) -> None:
    name = error.__name__
    module = f"def transform(change):\n    raise {name}\n    return change.new\n"
    with pytest.raises(TransformError) as failed:
        rows_of(program.module(module), ITEM)
    assert failed.value.reason == f"{name} at shop.py:2"
    assert isinstance(failed.value.__cause__, error)


CTRL_C = "import signal\n\nsignal.raise_signal(signal.SIGINT)\n"


def test_ctrl_c_ends_a_run_also_if_the_module_catches_it(program: Program) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    call = "    try:\n        signal.raise_signal(signal.SIGINT)\n    except BaseException:\n"
    catching = f"import signal\n\n\ndef transform(change):\n{call}        return change.new\n"
    try:
        with pytest.raises(KeyboardInterrupt):
            rows_of(program.module(CTRL_C + RETURN_ITEM, "loading.py"), ITEM)
        with pytest.raises(KeyboardInterrupt):
            rows_of(program.module(catching), ITEM)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_rejects_a_module_that_ends_the_process_while_it_loads(
    program: Program, error: str
) -> None:
    rejected = rejection(program.module(f"raise {error}\n{RETURN_ITEM}"), ITEM)
    assert (rejected.code, rejected.details["error"]) == ("module-fails", error)


TYPES = {
    "text": "string",
    "flag": "boolean",
    "small": "tinyint",
    "whole": "bigint",
    "price": "decimal(10,2)",
    "real": "double",
    "on": "date",
    "at": "timestamp",
}
NESTED = {
    "list": "array<decimal(5,1)>",
    "map": "map<string,date>",
    "nest": "struct<known:string,at:timestamp>",
}
RETURNED = {
    "text": 'a,b"c',
    "flag": False,
    "small": 7,
    "whole": 2**62,
    "price": Decimal("9.5"),
    "real": Decimal("0.5"),
    "on": date(2026, 11, 23),
    "at": datetime(2026, 11, 23, 9, 30),
    "list": [Decimal("1.5"), None],
    "map": {"a": date(2026, 11, 23)},
    "nest": {"known": "x"},
}


def returning(columns: dict[str, str], row: str) -> str:
    head = f"import datetime\nfrom decimal import Decimal\n\nCOLUMNS = {columns!r}\n\n\n"
    return f"{head}def transform(change):\n    return {row}\n"


def test_json_rows_have_the_types_of_athena(program: Program) -> None:
    [row] = rows_of(program.module(returning({**TYPES, **NESTED}, repr(RETURNED))), ITEM)
    assert row == {**RETURNED, "real": 0.5, "nest": {"known": "x", "at": None}}
    assert [type(value) for value in row.values()] == [
        str,
        bool,
        int,
        int,
        Decimal,
        float,
        date,
        datetime,
        list,
        dict,
        dict,
    ]


def test_csv_rows_have_the_types_of_the_view(program: Program) -> None:
    flat = {name: RETURNED[name] for name in TYPES}
    program.stack(format="csv")
    program.module(returning(TYPES, repr(flat)))
    assert rows_of("shop", ITEM) == [{**flat, "real": 0.5}]
    program.module(returning({"text": "string", "n": "int"}, "{'text': change.new.get('text')}"))
    # Empty text is NULL; line breaks become U+2028.
    assert rows_of("shop", {"id": "a", "text": ""}) == [{"text": None, "n": None}]
    [row] = rows_of("shop", {"id": "a", "text": 'x,"\n' * 70_000})
    assert row["text"] == 'x,"\u2028' * 70_000


def test_a_row_without_columns_is_its_json(program: Program) -> None:
    exact = Decimal("0.10000000000000000001")
    item = {"id": "a", "n": exact, "raw": b"\x00", "deep": {"s": {2, 1}}}
    row = {"id": "a", "n": exact, "raw": "AA==", "deep": {"s": [1, 2]}}
    assert rows_of(program.module(), item) == [row]


def test_metadata_columns_are_optional(program: Program) -> None:
    path = program.module("def transform(change):\n    return [{}, {}]\n")
    at = datetime(2026, 11, 23, 18, 30, tzinfo=timezone(timedelta(hours=9)))
    assert rows_of(path, ITEM, metadata=True, changed_at=at) == [
        {
            "_op": "INSERT",
            "_key": '{"id":{"S":"a"}}',
            "_row": row,
            "_event_id": "sample-1",
            "_stream_epoch": "2026-11-23T00:00:00.000",
            "_sequence_number": "100000000000000000000001",
            "_changed_at": datetime(2026, 11, 23, 9, 30),
        }
        for row in (0, 1)
    ]
    assert rows_of(path, ITEM) == [{}, {}]


ECHO = """
def transform(change):
    return {
        "kind": change.kind, "keys": change.keys, "new": change.new, "old": change.old,
        "at": change.changed_at, "ttl": change.is_ttl_delete, "number": change.sequence_number,
    }
"""


def echoed(path: str, *args: Any, **options: Any) -> dict[str, Any]:
    """The change that `transform` received, without default values."""
    [row] = rows_of(path, *args, **options)
    default = {"at": "2026-11-23 09:30:00", "ttl": False, "number": "100000000000000000000001"}
    return {name: value for name, value in row.items() if default.get(name) != value}


def test_images_determine_the_kind_and_settings_the_old_image(program: Program) -> None:
    path = program.module(ECHO)
    item, keys = {"id": "a", "n": 1}, {"id": "a"}
    assert echoed(path, item) == {"kind": "INSERT", "keys": keys, "new": item}
    assert echoed(path, item, ITEM) == {"kind": "MODIFY", "keys": keys, "new": item}
    removed = {"kind": "REMOVE", "keys": keys}
    assert echoed(path, old=item) == {**removed, "old": item}
    assert echoed(path, keys=keys, kind="REMOVE") == removed
    assert echoed(path, old=item, is_ttl_delete=True) == {**removed, "old": item, "ttl": True}
    assert echoed(path, item, keys={"n": 1}) == {"kind": "INSERT", "keys": {"n": 1}, "new": item}
    # A snapshot's sequence number is its time in milliseconds.
    assert echoed(path, item, kind="SNAPSHOT") == {
        "kind": "SNAPSHOT",
        "keys": keys,
        "new": item,
        "number": "1795426200000",
    }


def test_the_settings_of_the_pipeline_apply(program: Program) -> None:
    program.stack(
        catalog="crawler",
        source={"hash_key": "shop", "range_key": "n", "range_key_type": "N"},
        forwarder={"old_image": "always", "event_names": ["INSERT", "MODIFY"]},
        query={"current_state": False},
        partitions={"dynamic_partition_keys": {"place": []}},
    )
    path = program.module(
        "def transform(change):\n    return {'keys': change.keys, 'old': change.old, 'place': 7}\n"
    )
    item = {"shop": "a", "n": 1}
    [row] = rows_of(path, {**item, "x": 1}, item)
    # Athena returns partition keys as text.
    assert row == {"keys": item, "old": item, "place": "7"}
    assert rows_of("shop", old=item) == []


def test_the_key_of_an_existing_table_is_a_parameter(program: Program) -> None:
    program.stack(catalog="crawler", source={"use_existing": True})
    program.module("def transform(change):\n    return {'keys': change.keys}\n")
    item = {"id": "i", "pk": "a", "sk": 1}
    assert rows_of("shop", item, key_names=["pk", "sk"]) == [{"keys": {"pk": "a", "sk": 1}}]
    assert rows_of("shop", item, keys={"pk": "a"}) == [{"keys": {"pk": "a"}}]
    with pytest.raises(InvalidChangeError) as rejected:
        rows_of("shop", item)
    assert rejected.value.code == "unknown-key"


@pytest.mark.parametrize("old_image", ["always", "on_remove", "never"])
def test_a_lake_table_has_the_changes_of_the_items_that_match(
    program: Program, old_image: str
) -> None:
    """What the forwarder evaluates includes old images that it does not send."""
    program.module(
        "def transform(change):\n    return {'kind': change.kind, 'old': bool(change.old)}\n",
        "orders.py",
    )
    program.lake_tables(
        {"orders": {"where": {"type": ["order"]}, "catalog": "crawler"}},
        forwarder={"old_image": old_image},
    )
    order, cart = {"id": "a", "type": "order"}, {"id": "a", "type": "cart"}
    always, on_remove = old_image == "always", old_image != "never"

    def rows(new: Any = None, old: Any = None, **options: Any) -> list[dict[str, Any]]:
        return rows_of("shop.orders", new, old, **options)

    assert rows(order) == [{"kind": "INSERT", "old": False}]
    assert rows(order, order) == [{"kind": "MODIFY", "old": always}]
    assert rows(order, cart) == [{"kind": "INSERT", "old": False}]
    assert rows(cart, order) == [{"kind": "REMOVE", "old": on_remove}]
    assert rows(old=order) == [{"kind": "REMOVE", "old": on_remove}]
    assert rows(order, kind="SNAPSHOT") == [{"kind": "SNAPSHOT", "old": False}]
    assert rows(cart) == rows(cart, cart) == rows(old=cart) == rows(cart, kind="SNAPSHOT") == []


def test_event_types_are_those_of_the_stream_not_of_the_lake_table(program: Program) -> None:
    program.module(name="orders.py")
    program.lake_tables(
        {
            "orders": {
                "where": {"type": ["order"]},
                "catalog": "crawler",
                "query": {"current_state": False},
            }
        },
        forwarder={"event_names": ["MODIFY"]},
    )
    order, cart = {"id": "a", "type": "order"}, {"id": "a", "type": "cart"}
    assert rows_of("shop.orders", order) == []
    assert [row["type"] for row in rows_of("shop.orders", order, cart)] == ["order"]
