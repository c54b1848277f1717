"""Command line of `streaming-etl cost`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost import command
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import Bill, Line, bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.render import NOT_INCLUDED, cents, format_amount, notes, parse_amount
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.stack.config import read_config
from streaming_etl.stack.errors import CommandError
from tests.support.deployed import OUTPUTS
from tools.project import ROOT

TOKYO = read_prices("ap-northeast-1")
TABLE = "{table_name: orders, transform_module: t.py, partitions: {}}"


def cost(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["cost", *arguments])


def document(*arguments: str) -> dict[str, Any]:
    result = cost(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def rejection(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as rejected:
        commands.main(["cost", *arguments], standalone_mode=False)
    return rejected.value


def dev_bills() -> list[Bill]:
    traffic, assumptions = Traffic(changes=10_000_000, image_bytes=300), Assumptions()
    return [
        bill_of(name, traffic, args, TOKYO, assumptions)
        for name, args in read_config(ROOT).pipelines.items()
    ]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a Pulumi program without stacks."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(line: Line) -> str:
    item = f"{line.service}, {line.item}"
    return f"{item} ({line.lake_table})" if line.lake_table else item


def test_prints_every_billed_item_the_totals_and_the_notes() -> None:
    bills = dev_bills()
    result = cost("--stack", "dev")

    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    assert max(map(len, lines)) <= 100
    text = "\n".join(notes(bills, TOKYO))
    assert "\n".join(lines).endswith(f"\n\n{text}")
    amounts = [(line.split("  ")[0], line.split()[-1]) for line in lines if line[-3:-2] == "."]
    expected = [
        pair
        for bill in bills
        for pair in [
            *((shown(it), it.usd) for it in bill.lines if it.quantity),
            ("Total", bill.usd),
            *(
                (f"{bill.name}.{key}", it.usd)
                for key, it in bill.lake_tables.items()
                if bill.has_several
            ),
            *(
                [("Shared", sum(it.usd for it in bill.lines if it.lake_table is None))]
                * bill.has_several
            ),
        ]
    ]
    expected += [(bill.name, bill.usd) for bill in bills]
    expected.append(("Dashboard of the stack", 3.0))
    expected.append(("Total", sum(bill.usd for bill in bills) + 3))
    assert amounts == [(name, f"{cents(usd):,}") for name, usd in expected]


def lake_tables_of(bill: Bill) -> dict[str, Any]:
    return {
        key: {**vars(part), "usage": asdict(bill.usage.lake_tables[key])}
        for key, part in bill.lake_tables.items()
    }


def test_json_has_every_value_of_the_bills() -> None:
    bills = dev_bills()
    parsed = document("--stack", "dev")

    pipelines = parsed.pop("pipelines")
    assert list(parsed.pop("prices")) == list(TOKYO.by_name)
    assert parsed == {
        "region": "ap-northeast-1",
        "prices_as_of": TOKYO.as_of,
        "currency": "USD",
        "month_hours": 730,
        "usd": pytest.approx(sum(bill.usd for bill in bills) + 3),
        "stack_dashboard_usd": 3.0,
        "not_included": list(NOT_INCLUDED),
        "assumptions": vars(Assumptions()),
    }
    assert pipelines == {
        bill.name: {
            "name": bill.name,
            "usd": bill.usd,
            "traffic": {"changes": 10_000_000, "image_bytes": 300, "items": None},
            "usage": {key: it for key, it in vars(bill.usage).items() if key != "lake_tables"},
            "lines": [vars(line) for line in bill.lines],
            "query_listings": bill.query_listings,
            "full_scan_usd": bill.full_scan_usd,
            "query_scan_usd": bill.query_scan_usd,
            **({"lake_tables": lake_tables_of(bill)} if bill.has_several else {}),
        }
        for bill in bills
    }


def test_traffic_is_for_all_pipelines_or_for_one() -> None:
    parsed = document(
        "--stack",
        "dev",
        "--changes",
        "orders=2.5k",
        "--changes",
        "1_000_000",
        "--image-bytes",
        "shipments=1.5k",
        "--items",
        "orders=20k",
    )

    traffic = {name: parsed["pipelines"][name]["traffic"] for name in ("orders", "shipments")}
    assert traffic == {
        "orders": {"changes": 2_500, "image_bytes": 300, "items": 20_000},
        "shipments": {"changes": 1_000_000, "image_bytes": 1_500, "items": None},
    }


def test_set_overrides_default_settings() -> None:
    options = ["--changes", "1B", "--set", "forwarder.event_names=[INSERT]"]
    options += ["--set", "query.current_state=false"]
    bill = document(*options, "--image-bytes", "900")["pipelines"]["pipeline"]

    assert bill["traffic"] == {"changes": 1e9, "image_bytes": 900, "items": None}
    # A quarter of the changes, of 281 and 900 bytes.
    assert (bill["usage"]["changes"], bill["usage"]["change_bytes"]) == (2.5e8, 1_181)


def test_set_overrides_one_setting_of_every_pipeline_of_a_stack() -> None:
    unchanged = document("--stack", "dev", "--changes", "100M")["pipelines"]
    changed = document(
        "--stack", "dev", "--changes", "100M", "--set", "forwarder.batching_window_seconds=10"
    )["pipelines"]

    for name, bill in changed.items():
        usage = bill["usage"]
        assert usage["batch_changes"] == 2 * unchanged[name]["usage"]["batch_changes"]
        # Other settings, such as the three carriers of shipments, are the same.
        assert usage["objects"] == unchanged[name]["usage"]["objects"]


def test_the_region_is_the_option_then_the_stacks_then_virginia(program: Path) -> None:
    (program / "Pulumi.far.yaml").write_text(
        f"config: {{'aws:region': eu-south-2, tables: {{orders: {TABLE}}}}}"
    )

    assert rejection("--stack", "far").details["region"] == "eu-south-2"
    assert document("--stack", "far", "--region", "us-west-2")["region"] == "us-west-2"
    assert document()["region"] == "us-east-1"


def test_reads_a_stack_without_tables_in_its_config_from_its_outputs(program: Path) -> None:
    (program / "Pulumi.prod.yaml").write_text("config: {'aws:region': us-east-1}\n")
    outputs = program / "outputs.json"
    outputs.write_text(json.dumps({"orders": OUTPUTS, "other": 1}))

    parsed = document("--stack", "prod", "--outputs", str(outputs), "--set", "format=parquet")
    assert parsed["region"] == "ap-northeast-1"
    [(name, bill)] = parsed["pipelines"].items()
    items = {line["item"]: line["usd"] for line in bill["lines"]}
    assert name == "orders"
    assert items["Parquet"] > 0

    incomplete = {**OUTPUTS, "settings": {"table_name": "orders"}}
    outputs.write_text(json.dumps({"orders": incomplete}))
    assert rejection("--stack", "prod", "--outputs", str(outputs)).code == "invalid-settings"


LAKE_TABLES = """
config:
  aws:region: us-east-1
  tables:
    shop:
      table_name: shop
      lake_tables:
        orders: {transform_module: t.py, partitions: {}, where: {kind: [order]}}
        customers: {transform_module: t.py, partitions: {}, where: {kind: [customer]}}
        events: {transform_module: t.py, partitions: {}}
    audit: {table_name: audit, transform_module: t.py, partitions: {}, where: {kind: [a]}}
"""


def test_prints_the_parts_of_the_lake_tables(program: Path) -> None:
    (program / "Pulumi.dev.yaml").write_text(LAKE_TABLES)
    options = ["--stack", "dev", "--share", "shop.orders=0.6", "--share", "audit=.1"]
    parsed = document(*options, "--changes", "1M")["pipelines"]

    tables = parsed["shop"]["lake_tables"]
    shares = {key: table["usage"]["share"] for key, table in tables.items()}
    assert shares == {"orders": 0.6, "customers": 0.5, "events": 1}
    assert "lake_tables" not in parsed["audit"]
    assert parsed["audit"]["usage"]["row_bytes"] == 0.1 * 1e6 * (300 + 267)
    result = cost(*options, "--changes", "1M")
    [title] = [line for line in result.stdout.splitlines() if line == "shop by lake table"]
    lines = result.stdout.partition(title)[2].splitlines()[2:6]
    assert [line.split()[:2] for line in lines] == [
        ["shop.customers", "500k"],
        ["shop.events", "1M"],
        ["shop.orders", "600k"],
        ["Shared", "1M"],
    ]


@pytest.mark.parametrize("config", ["tables: {}", "tables: []", "tables:"])
def test_rejects_a_stack_without_pipelines(config: str, program: Path) -> None:
    (program / "Pulumi.dev.yaml").write_text(f"config:\n  {config}\n")

    assert rejection("--stack", "dev").code == "no-pipelines"


@pytest.mark.parametrize(
    ("arguments", "code", "details"),
    [
        (["--changes", "ten"], "invalid-amount", {"option": "--changes", "value": "ten"}),
        (["--image-bytes", "2M"], "invalid-amount", {"option": "--image-bytes", "value": "2M"}),
        (
            ["--changes", "payments=1M"],
            "unknown-pipeline",
            {"option": "--changes", "pipeline": "payments", "known": ["pipeline"]},
        ),
        (
            ["--share", "orders=0.5"],
            "unknown-lake-table",
            {"option": "--share", "lake_table": "orders", "known": ["pipeline"]},
        ),
        (
            ["--share", "0.5"],
            "unknown-lake-table",
            {"option": "--share", "lake_table": "", "known": ["pipeline"]},
        ),
        (
            ["--share", "pipeline=0.5"],
            "share-without-where",
            {"option": "--share", "lake_table": "pipeline"},
        ),
        (
            ["--set", "where.kind=[a]", "--share", "pipeline=1.5"],
            "invalid-amount",
            {"option": "--share", "value": "1.5"},
        ),
        (["--set", "batch_size"], "set-not-an-assignment", {"text": "batch_size"}),
        (["--set", "forwarder.=1"], "set-not-an-assignment", {"text": "forwarder.=1"}),
        (
            ["--set", "forwarder=1", "--set", "forwarder.batch_size=2"],
            "set-conflict",
            {"text": "forwarder.batch_size=2", "group": "forwarder"},
        ),
        (["--set", "tags={"], "set-not-yaml", {"text": "tags={"}),
        (["--outputs", str(ROOT / "Pulumi.yaml")], "outputs-without-stack", {}),
    ],
)
def test_rejects_wrong_usage(arguments: list[str], code: str, details: dict[str, Any]) -> None:
    error = rejection(*arguments)
    assert (error.exit_code, error.code, error.details) == (2, code, details)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "forwarder.batch_sise=5"], "invalid-settings"),
        (["--stack", "dev", "--set", "forwarder.batch_size=0"], "invalid-settings"),
        (["--region", "mars-north-1"], "region-without-prices"),
    ],
)
def test_rejects_invalid_settings(arguments: list[str], code: str) -> None:
    error = rejection(*arguments)
    assert (error.exit_code, error.code) == (1, code)


def test_every_example_of_the_help_runs() -> None:
    lines = [line for line in command.EPILOG.splitlines() if "streaming-etl cost" in line]
    failures = [line for line in lines if cost(*line.partition("|")[0].split()[2:]).exit_code]
    assert (len(lines), failures) == (6, [])


def test_parses_amounts_with_units() -> None:
    texts = ["0", "1_000_000", "2.5k", ".5M", "1,000", "3B"]
    assert [parse_amount(text) for text in texts] == [0, 1e6, 2_500, 5e5, 1_000, 3e9]
    invalid = ["", "ten", "-1", "1e6", "5m", "1k2", "nan"]
    assert {parse_amount(text) for text in invalid} == {None}


def test_formats_amounts_with_three_digits() -> None:
    numbers = [0, 0.0000424, 0.42, 17, 999.4, 999.6, 43_750, 999_600, 10e6, 2.628e9]
    assert [format_amount(number) for number in numbers] == [
        "0",
        "0.0000424",
        "0.42",
        "17",
        "999",
        "1k",
        "43.8k",
        "1M",
        "10M",
        "2.63B",
    ]


@pytest.mark.parametrize(
    ("tables", "setting", "usd"), [(2, None, 3.0), (2, True, 3.0), (2, False, 0.0), (1, True, 0.0)]
)
def test_the_dashboard_of_the_stack_is_billed_if_it_exists(
    program: Path, tables: int, setting: bool | None, usd: float
) -> None:
    (program / "t.py").write_text('COLUMNS = {"id": "string"}\n')
    settings = {"transform_module": "t.py", "partitions": {}}
    config = {
        "tables": {
            f"t{number}": {"table_name": f"table-{number}", **settings} for number in range(tables)
        },
        **({} if setting is None else {"stack_dashboard": setting}),
    }
    (program / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
    assert document("--stack", "dev")["stack_dashboard_usd"] == usd


@pytest.mark.parametrize(("name", "usd"), [("all_pipelines-prod", 3.0), (None, 0.0)])
def test_the_dashboard_of_a_deployed_stack_is_billed(
    program: Path, name: str | None, usd: float
) -> None:
    outputs = program / "outputs.json"
    outputs.write_text(json.dumps({"orders": OUTPUTS, "stack_dashboard": name}))
    parsed = document("--stack", "prod", "--outputs", str(outputs))
    assert parsed["stack_dashboard_usd"] == usd
