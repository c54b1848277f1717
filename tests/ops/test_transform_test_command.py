"""`streaming-etl transform-test`: what it takes, prints and answers with."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streaming_etl.ops.__main__ import commands, main
from tests.components.pipelines import ROOT
from tests.ops.modules import Modules

SOME_OF_EACH = """
COLUMNS = {"id": "string", "total": "decimal(10,2)", "gone": "int"}


def transform(change):
    item = change.new
    if item["do"] == "leave out":
        return None
    if item["do"] == "twice":
        return [{"id": item["id"], "total": 1}, {"id": item["id"]}]
    return {"id": item["id"], "total": item["do"]}
"""
CHANGES = [
    {"id": "a", "do": "twice"},
    {"id": "b", "do": "leave out"},
    {"id": "c", "do": "refuse"},
    {"kind": "REMOVE", "keys": {"id": "d"}},
]
FOLDER = "year=yyyy/month=MM/day=dd/"


def run(*args: str, stdin: Any = None) -> Result:
    return CliRunner().invoke(
        commands, ["transform-test", *args], input=stdin, catch_exceptions=False
    )


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture
def module(modules: Modules) -> str:
    """A module in no config, with samples beside it of which some are refused."""
    (modules.root / "shop.changes.json").write_text(json.dumps(CHANGES))
    return modules.write(SOME_OF_EACH)


def test_each_change_is_shown_with_what_became_of_it(module: str) -> None:
    result = run(module)
    assert lines_of(result.stdout) == [
        f'1. INSERT {{"id": "a"}}: 2 rows in {FOLDER}',
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
        '2. INSERT {"id": "b"}: left out by the transform',
        "",
        '3. INSERT {"id": "c"}: refused: column total decimal(10,2) takes an int or a Decimal (a'
        " float is inexact), not str; convert it in transform",
        "",
        '4. REMOVE {"id": "d"}: refused: TypeError at shop.py:7',
        f'  File "{module}", line 7, in transform',
        '    if item["do"] == "leave out":',
        *(["       ~~~~^^^^^^"] if "~~~~^^^^^^" in result.stdout else []),
        "TypeError: 'NoneType' object is not subscriptable",
        "",
        "4 changes: 2 rows, 1 left out, 2 refused. No row fills gone.",
    ]
    assert result.stderr == (
        f"{module} as json, with the settings of the defaults, as no pipeline of Pulumi.dev.yaml"
        " has it.\n"
    )


def test_raw_prints_the_lines_of_the_lake_and_nothing_else(module: str) -> None:
    result = run(module, "--raw", "--set", "format=csv")
    key = '"{""id"":{""S"":""a""}}"'
    number = '"sample-1","100000000000000000000001",2026-11-23 09:30:00'
    assert result.stdout == (
        f'"INSERT",{key},0,{number},"a",1.00,\n"INSERT",{key},1,{number},"a",,\n'
    )
    assert lines_of(result.stderr)[1:] == [
        '2. INSERT {"id": "b"}: left out by the transform',
        '3. INSERT {"id": "c"}: refused: column total decimal(10,2) takes an int or a Decimal (a'
        " float is inexact), not str; convert it in transform",
        '4. REMOVE {"id": "d"}: refused: TypeError at shop.py:7',
    ]


def test_json_is_one_document_of_all_changes(modules: Modules) -> None:
    modules.stack(
        format="parquet",
        partitions={"dynamic_partition_keys": {"store": ["x"]}},
        forwarder={"event_names": ["INSERT"]},
    )
    path = modules.write(
        "COLUMNS = {'n': 'int'}\n\n\ndef transform(change):\n"
        "    return {'n': 1, 'store': change.new['store']}\n"
    )
    body = '{"id": 1, "store": "x"}{"id": 2, "store": "y"}{"kind": "REMOVE", "keys": {"id": 3}}'
    result = run(path, "-", "--json", stdin=body)
    line = (
        '{"n":1,"_op":"INSERT","_key":"{\\"id\\":{\\"N\\":\\"1\\"}}","_row":0,'
        '"_event_id":"sample-1","_sequence_number":"100000000000000000000001",'
        '"_changed_at":"2026-11-23 09:30:00"}'
    )
    refused = (
        "partition key store: the text is none of the values in the pipeline's settings, so Athena"
        " would not see the row; add it there"
    )
    nothing = {"lines": [], "folder": None, "refused": None}
    assert json.loads(result.stdout) == {
        "format": "parquet",
        "changes": [
            {
                **{"kind": "INSERT", "keys": {"id": 1}, "taken": True, "lines": [line]},
                **{"folder": f"store=x/{FOLDER}", "refused": None},
            },
            {"kind": "INSERT", "keys": {"id": 2}, "taken": True, **nothing, "refused": refused},
            {"kind": "REMOVE", "keys": {"id": 3}, "taken": False, **nothing},
        ],
    }
    assert "not taken: the setting forwarder.event_names" in run(path, "-", stdin=body).stdout


def test_values_are_shown_as_athena_shows_them(modules: Modules) -> None:
    path = modules.write(
        "from datetime import date\nfrom decimal import Decimal\n\n"
        "COLUMNS = {'at': 'timestamp', 'on': 'date', 'n': 'double', 'd': 'decimal(38,8)',\n"
        "           'no': 'boolean', 'map': 'map<string,decimal(3,1)>', 'text': 'string'}\n\n\n"
        "def transform(change):\n    return {'at': '2026-11-23T09:30:00Z', 'n': 0.5,\n"
        "            'on': date(2026, 11, 23), 'd': Decimal('1E-8'), 'no': False,\n"
        "            'map': {'ü': Decimal(1), 'x': None}, 'text': '[b]'}\n"
    )
    [_, *rows, _, _] = lines_of(run(path, "-", stdin='{"id": {"B": "AP8="}}').stdout)
    assert [row.split("  ")[0] for row in rows] == [
        *("Column", "at", "on", "n", "d", "no", "map", "text")
    ]
    assert [row.split(maxsplit=1)[1].rpartition("  ")[0].strip() for row in rows[1:]] == [
        *("2026-11-23 09:30:00", "2026-11-23", "0.5", "0.00000001", "false"),
        *('{"ü": 1.0, "x": null}', "[b]"),
    ]


def test_without_columns_nested_values_are_shown_as_the_lake_has_them(modules: Modules) -> None:
    body = '{"id": "a", "deep": [1, 2.5, {"ü": 0.10000000000000000001, "no": false}, "x", null]}'
    shown = run(modules.write(), "-", stdin=body).stdout
    assert '[1, 2.5, {"ü": 0.10000000000000000001, "no": false}, "x", null]' in shown


def test_the_key_of_an_existing_table_is_named_on_the_command_line(
    modules: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    modules.stack(catalog="crawler", source={"use_existing": True})
    modules.write()
    samples = modules.root / "s.json"
    samples.write_text('{"id": "i", "pk": "a", "sk": 1}')
    result = run("shop", str(samples), "--key", "pk", "--key", "sk", "--json")
    assert json.loads(result.stdout)["changes"][0]["keys"] == {"pk": "a", "sk": 1}
    assert main(["transform-test", "shop", str(samples)]) == 1
    assert (
        "s.json, line 1: nothing tells of which attributes the key of an existing table is made;"
        " name them with --key (in a test key_names=), or give the change's `keys`."
    ) in capsys.readouterr().err
    samples.write_text('{"kind": "REMOVE", "keys": {"pk": 1.5}}')
    [change] = json.loads(run("shop", str(samples), "--json").stdout)["changes"]
    assert change["keys"] == {"pk": "1.5"}


def test_a_module_that_ends_the_process_refuses_the_change(modules: Modules) -> None:
    path = modules.write("import sys\n\n\ndef transform(change):\n    sys.exit(7)\n")
    shown = lines_of(run(path, "-", stdin='{"id": "a"}{"id": "b"}').stdout)
    assert shown[0] == (
        '1. INSERT {"id": "a"}: refused: SystemExit ends the whole call in Lambda: Firehose makes'
        " it again, then sets all of its records aside; raise an Exception, which sets aside the"
        " change alone"
    )
    assert {f'  File "{path}", line 5, in transform', "SystemExit: 7"} < {*shown}
    assert shown[-1] == "2 changes: 0 rows, 0 left out, 2 refused."


@pytest.mark.parametrize("transform", ["transforms/orders.py", "orders"])
def test_the_examples_need_no_more_than_their_name(transform: str) -> None:
    result = run(transform)
    assert result.stdout.count("\nid ") == 4
    assert result.stdout.endswith("\n4 changes: 4 rows, 0 left out, 0 refused.\n")
    assert result.stderr.endswith(
        "orders.py as csv, with the settings of orders in Pulumi.dev.yaml.\n"
    )


def test_something_refused_is_something_to_look_at(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transform-test", module]) == 3
    assert main(["transform-test", module, "--raw"]) == 3
    assert main(["transform-test", str(ROOT / "transforms" / "orders.py")]) == 0
    assert "Error:" not in capsys.readouterr().err


def test_without_samples_it_tells_where_they_would_be(
    modules: Modules, capsys: pytest.CaptureFixture[str]
) -> None:
    path = modules.write()
    assert main(["transform-test", path]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Error: There are no sample changes: name a file of them, or write "
        f"{path.removesuffix('.py')}.changes.json, as transforms/orders.changes.json is."
    )


def test_many_files_are_one_run(module: str, tmp_path: Path) -> None:
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"id": "a", "do": 1}')
    second.write_text('{"id": "b", "do": 2}\n{"id": "c", "do": 3}')
    result = run(module, str(first), str(second))
    assert result.stdout.endswith("3 changes: 3 rows, 0 left out, 0 refused. No row fills gone.\n")
