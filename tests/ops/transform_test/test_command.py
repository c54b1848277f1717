"""Command line of `streaming-etl test-transform`."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.routing import Where, routed
from streaming_etl.ops.__main__ import commands, main
from tests.ops.transform_test.conftest import Program
from tests.support.changes import stream_record
from tests.support.failure_objects import batch, error_line
from tests.support.pipelines import ROOT

ONE_OF_EACH = """
COLUMNS = {"id": "string", "total": "decimal(10,2)", "gone": "int"}


def transform(change):
    item = change.new
    if item["do"] == "skip":
        return None
    if item["do"] == "twice":
        return [{"id": item["id"], "total": 1}, {"id": item["id"]}]
    return {"id": item["id"], "total": item["do"]}
"""
CHANGES = [
    {"id": "a", "do": "twice"},
    {"id": "b", "do": "skip"},
    {"id": "c", "do": "fail"},
    {"kind": "REMOVE", "keys": {"id": "d"}},
]
PREFIX = "year=yyyy/month=MM/day=dd/"


def run(*args: str, stdin: Any = None) -> Result:
    return CliRunner().invoke(
        commands, ["test-transform", *args], input=stdin, catch_exceptions=False
    )


def document(*args: str, stdin: Any = None) -> Any:
    return json.loads(run(*args, "--json", stdin=stdin).stdout)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture
def module(program: Program) -> str:
    """A module without a pipeline, with samples of which two fail."""
    (program.root / "shop.changes.json").write_text(json.dumps(CHANGES))
    return program.module(ONE_OF_EACH)


def test_shows_the_rows_or_the_failure_of_each_change(module: str) -> None:
    failed = document(module)["changes"][2]["failed"]
    lines = lines_of(run(module).stdout)
    # Python 3.13 underlines the failing expression.
    assert [line for line in lines if set(line) - set(" ~^") or not line] == [
        f'1. INSERT {{"id": "a"}}: 2 rows in {PREFIX}',
        "Column  Value  Type",
        "id      a      string",
        "total   1.00   decimal(10,2)",
        "gone    NULL   int",
        "   row 2",
        "Column  Value  Type",
        "id      a      string",
        "total   NULL   decimal(10,2)",
        "gone    NULL   int",
        "",
        '2. INSERT {"id": "b"}: no rows',
        "",
        f'3. INSERT {{"id": "c"}}: failed: {failed}',
        "",
        '4. REMOVE {"id": "d"}: failed: TypeError at shop.py:7',
        f'  File "{module}", line 7, in transform',
        '    if item["do"] == "skip":',
        "TypeError: 'NoneType' object is not subscriptable",
        "",
        "4 changes: 2 rows, 1 without rows, 2 failed. NULL in every row: gone.",
    ]


def test_raw_prints_only_the_lines_of_the_lake(module: str) -> None:
    result = run(module, "--raw", "--set", "format=csv")
    key = '"{""id"":{""S"":""a""}}"'
    number = '"sample-1","2026-11-23T00:00:00.000","100000000000000000000001",2026-11-23 09:30:00'
    assert result.stdout == (
        f'"INSERT",{key},0,{number},"a",1.00,\n"INSERT",{key},1,{number},"a",,\n'
    )
    assert len(lines_of(result.stderr)) == 4


def test_json_has_the_outcome_of_every_change(program: Program) -> None:
    program.stack(
        format="parquet",
        partitions={"dynamic_partition_keys": {"store": ["x"]}},
        forwarder={"event_names": ["INSERT"]},
        query={"current_state": False},
    )
    path = program.module(
        "COLUMNS = {'n': 'int'}\n\n\ndef transform(change):\n"
        "    return {'n': 1, 'store': change.new['store']}\n"
    )
    body = '{"id": 1, "store": "x"}{"id": 2, "store": "y"}{"kind": "REMOVE", "keys": {"id": 3}}'
    parsed = document(path, "-", stdin=body)
    line = (
        '{"n":1,"_op":"INSERT","_key":"{\\"id\\":{\\"N\\":\\"1\\"}}","_row":0,'
        '"_event_id":"sample-1","_stream_epoch":"2026-11-23T00:00:00.000","_sequence_number":"100000000000000000000001",'
        '"_changed_at":"2026-11-23 09:30:00"}'
    )
    assert parsed["changes"][1].pop("failed")
    without_rows = {"unmatched": False, "lines": [], "prefix": None, "unknown_columns": []}
    assert parsed == {
        "format": "parquet",
        "changes": [
            {
                "kind": "INSERT",
                "keys": {"id": 1},
                "filtered": False,
                "unmatched": False,
                "lines": [line],
                "prefix": f"store=x/{PREFIX}",
                "failed": None,
                "unknown_columns": [],
            },
            {"kind": "INSERT", "keys": {"id": 2}, "filtered": False, **without_rows},
            {"kind": "REMOVE", "keys": {"id": 3}, "filtered": True, **without_rows, "failed": None},
        ],
    }


def test_shows_values_as_athena_does(program: Program) -> None:
    path = program.module(
        "from datetime import date\nfrom decimal import Decimal\n\n"
        "COLUMNS = {'at': 'timestamp', 'on': 'date', 'n': 'double', 'd': 'decimal(38,8)',\n"
        "           'no': 'boolean', 'map': 'map<string,decimal(3,1)>', 'text': 'string'}\n\n\n"
        "def transform(change):\n    return {'at': '2026-11-23T09:30:00Z', 'n': 0.5,\n"
        "            'on': date(2026, 11, 23), 'd': Decimal('1E-8'), 'no': False,\n"
        "            'map': {'ü': Decimal(1), 'x': None}, 'text': '[b]'}\n"
    )
    [_, _, *rows, _, _] = lines_of(run(path, "-", stdin='{"id": {"B": "AP8="}}').stdout)
    cells = [row.rpartition("  ")[0].strip().split(maxsplit=1) for row in rows]
    assert dict(cells) == {
        "at": "2026-11-23 09:30:00",
        "on": "2026-11-23",
        "n": "0.5",
        "d": "0.00000001",
        "no": "false",
        "map": '{"ü": 1.0, "x": null}',
        "text": "[b]",
    }


def test_shows_nested_values_without_columns_with_all_digits(program: Program) -> None:
    body = '{"id": "a", "deep": [1, 2.5, {"ü": 0.10000000000000000001, "no": false}, "x", null]}'
    shown = run(program.module(), "-", stdin=body).stdout
    assert '[1, 2.5, {"ü": 0.10000000000000000001, "no": false}, "x", null]' in shown


def test_the_key_of_an_existing_table_is_an_option(program: Program) -> None:
    program.stack(catalog="crawler", source={"use_existing": True})
    program.module()
    item, removed = '{"id": "i", "pk": "a", "sk": 1}', '{"kind": "REMOVE", "keys": {"pk": 1.5}}'
    [change] = document("shop", "-", "--key", "pk", "--key", "sk", stdin=item)["changes"]
    assert change["keys"] == {"pk": "a", "sk": 1}
    [change] = document("shop", "-", stdin=removed)["changes"]
    assert change["keys"] == {"pk": "1.5"}


@pytest.mark.parametrize("transform", ["transforms/orders.py", "orders"])
def test_the_examples_run_by_path_and_by_name(transform: str) -> None:
    result = run(transform)
    assert result.stdout.count("\nid ") == 4
    assert result.exit_code == 0


def test_the_exit_code_reports_failed_changes_and_missing_samples(
    module: str, program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test-transform", module]) == 3
    assert main(["test-transform", module, "--raw"]) == 3
    assert main(["test-transform", str(ROOT / "transforms" / "orders.py")]) == 0
    assert "Error:" not in capsys.readouterr().err
    assert main(["test-transform", program.module(name="other.py")]) == 1


def test_reads_several_files(module: str, program: Program) -> None:
    first, second = program.root / "1.json", program.root / "2.json"
    first.write_text('{"id": "a", "do": 1}')
    second.write_text('{"id": "b", "do": 2}\n{"id": "c", "do": 3}')
    changes = document(module, str(first), str(second))["changes"]
    assert [change["keys"]["id"] for change in changes] == ["a", "b", "c"]


def routed_outcomes(*args: str, stdin: Any) -> list[tuple[str, bool, bool, int]]:
    """Kind, filtered, unmatched and number of rows of each change."""
    return [
        (each["kind"], each["filtered"], each["unmatched"], len(each["lines"]))
        for each in document("shop.orders", "-", *args, stdin=stdin)["changes"]
    ]


@pytest.fixture
def lake_table(program: Program) -> None:
    """The lake table shop.orders, which has the items with `type: order`."""
    where = {"type": ["order"]}
    program.lake_tables({"orders": {"where": where, "catalog": "crawler"}})
    program.module("def transform(change):\n    return {'id': change.keys['id']}\n", "orders.py")


ORDER = {"id": "a", "type": "order"}


@pytest.mark.usefixtures("lake_table")
def test_reports_the_changes_that_do_not_match_the_lake_table() -> None:
    changes = [
        ORDER,
        {"id": "b", "type": "cart"},
        {"kind": "MODIFY", "new": {"id": "a", "type": "cart"}, "old": ORDER},
        {"kind": "REMOVE", "old": {"id": "b", "type": "cart"}},
    ]
    outcomes = routed_outcomes(stdin=json.dumps(changes))
    assert outcomes == [
        ("INSERT", False, False, 1),
        ("INSERT", False, True, 0),
        ("REMOVE", False, False, 1),
        ("REMOVE", False, True, 0),
    ]


@pytest.mark.usefixtures("lake_table")
def test_routes_the_changes_of_failure_objects() -> None:
    left = stream_record(1, "MODIFY", type={"S": "cart"})
    left["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}, "type": {"S": "order"}}
    body = batch(left, stream_record(2, type={"S": "cart"}))
    expected = [("REMOVE", False, False, 1), ("INSERT", False, True, 0)]
    assert routed_outcomes(stdin=body) == expected
    # What the lake table has got already matches again.
    sent = change_line(routed(left, Where({"type": ["order"]})) or {}, "on_remove")
    assert routed_outcomes(stdin=error_line(sent)) == expected[:1]


@pytest.mark.usefixtures("lake_table")
def test_routes_compressed_changes() -> None:
    large = {"S": "x" * 1_100_000}
    body = batch(stream_record(1, type={"S": "order"}, text=large), stream_record(2, text=large))
    assert routed_outcomes(stdin=body) == [
        ("INSERT", False, False, 1),
        ("INSERT", False, True, 0),
    ]


@pytest.mark.usefixtures("lake_table")
def test_a_stream_record_without_its_image_fails_where_a_condition_reads_it() -> None:
    record = stream_record(1)
    del record["dynamodb"]["NewImage"]
    [change] = document("shop.orders", "-", stdin=json.dumps(record))["changes"]
    assert change["failed"]
    assert (change["unmatched"], change["lines"]) == (False, [])
