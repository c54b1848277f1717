"""`streaming-etl cost` as an operator types it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost import cli_inputs as asked
from streaming_etl.ops.cost import command
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import Comparison, compare
from streaming_etl.ops.cost.plan import Traffic, plan_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.render import BY_HAND, LEFT_OUT, remarks
from streaming_etl.stack.outputs import read_config
from tests.components.pipelines import ROOT
from tools.docs.cost_page import PAGE, written

DEFAULT_TRAFFIC = Traffic(changes=10_000_000, image_bytes=300)
TOKYO = read_prices("ap-northeast-1")


def cost(*arguments: str) -> Result:
    return CliRunner().invoke(commands, ["cost", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = cost(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def refused(*arguments: str) -> tuple[int, str]:
    result = cost(*arguments)
    assert result.stdout == ""
    # Behind the usage, where click tells that.
    return result.exit_code, result.stderr.rpartition("Error: ")[2].rstrip("\n")


def dev_stack_comparisons(traffic: Traffic = DEFAULT_TRAFFIC) -> list[Comparison]:
    assumptions = Assumptions()
    return [
        compare(name, traffic, plan_of(args, assumptions), TOKYO, assumptions)
        for name, args in read_config(ROOT).pipelines.items()
    ]


def amount(usd: float) -> str:
    return f"{usd:,.2f}"


def test_the_dev_stack_prints_every_line_of_both_bills_and_what_to_know_of_them() -> None:
    found = dev_stack_comparisons()
    expected: list[list[str]] = []
    for one in found:
        expected.append([f"{one.name}: 10M changes a month, items of 300 bytes"])
        expected.append(["Billed", "This pipeline", "USD", "By hand", "USD"])
        for ours, by_hand in zip(one.ours.lines, one.by_hand.lines, strict=True):
            if ours.quantity or by_hand.quantity:
                prices = amount(ours.usd), amount(by_hand.usd)
                expected.append([f"{ours.service}, {ours.item}", *prices])
        expected.append(["Total", amount(one.ours.usd), amount(one.by_hand.usd)])
    ours = sum(one.ours.usd for one in found)
    by_hand = sum(one.by_hand.usd for one in found)
    expected.append(["All pipelines, USD a month"])
    expected.append(["Pipeline", "This pipeline", "By hand", "Times"])
    expected += [[one.name, amount(one.ours.usd), amount(one.by_hand.usd)] for one in found]
    expected.append(["Total", amount(ours), amount(by_hand)])

    result = cost("--from-stack", "dev")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    text = "\n".join(remarks(found, TOKYO))
    assert "\n".join(lines).endswith(f"\n\n{text}")
    rows = [re.split(r" {2,}", line) for line in lines[: -len(text.splitlines())] if line]
    quantity = re.compile(r"[\d.]+[kMB]? [a-zA-Z-]+")
    heads = ("Billed", "Pipeline")
    assert [
        row if row[0] in heads else [cell for cell in row if not quantity.fullmatch(cell)]
        for row in rows
    ] == expected


def test_everything_that_is_printed_fits_100_columns() -> None:
    lines = cost("--from-stack", "dev", "--changes", "9999M").stdout.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= 100


def test_the_json_of_the_dev_stack_holds_all_that_the_functions_give() -> None:
    found = dev_stack_comparisons()
    document = told("--from-stack", "dev")

    assert set(document) == {
        *("region", "prices_as_of", "currency", "month_hours", "usd", "by_hand_usd", "pipelines"),
        *("by_hand_means", "left_out", "assumptions", "prices"),
    }
    assert (document["region"], document["prices_as_of"]) == ("ap-northeast-1", TOKYO.as_of)
    assert (document["by_hand_means"], document["left_out"]) == (BY_HAND, list(LEFT_OUT))
    assert document["assumptions"] == vars(Assumptions())
    assert document["usd"] == sum(one.ours.usd for one in found)
    assert document["by_hand_usd"] == sum(one.by_hand.usd for one in found)
    assert list(document["prices"]) == list(TOKYO.by_name)
    assert list(document["pipelines"]) == [one.name for one in found]
    for one in found:
        pipeline = document["pipelines"][one.name]
        assert pipeline == {
            "traffic": vars(one.traffic),
            "plan": {**vars(one.plan), "kinds": list(one.plan.kinds)},
            "ours": {
                "usd": one.ours.usd,
                "lines": [vars(line) for line in one.ours.lines],
                "flow": vars(one.ours.flow),
            },
            "by_hand": {
                "usd": one.by_hand.usd,
                "lines": [vars(line) for line in one.by_hand.lines],
                "flow": vars(one.by_hand.flow),
            },
            "athena_scan_of_the_months_rows_usd": one.athena_usd,
        }


def test_each_table_of_a_stack_has_the_traffic_that_was_given_for_it() -> None:
    document = told(
        *("--from-stack", "dev", "--changes", "orders=2.5k", "--changes", "1_000_000"),
        *("--image-bytes", "shipments=1.5k"),
    )

    assert {name: it["traffic"] for name, it in document["pipelines"].items()} == {
        "orders": {"changes": 2_500, "image_bytes": 300},
        "shipments": {"changes": 1_000_000, "image_bytes": 1_500},
    }


def test_without_a_stack_the_options_are_the_settings() -> None:
    document = told(
        *("--changes", "1B", "--image-bytes", "900", "--region", "us-west-2"),
        *("--format", "parquet", "--catalog", "crawler", "--crawler-schedule", "cron(0 3 * * ? *)"),
        *("--architecture", "x86_64", "--batch-size", "1000", "--batching-window-seconds", "9"),
        *("--changes-per-record", "50", "--record-kib", "100", "--old-image", "never"),
        *("--buffer-mib", "128", "--buffer-seconds", "600", "--row-keys", "7"),
        *("--set", "transform.memory_mib=1024", "--set", "forwarder.event_names=[INSERT, REMOVE]"),
        *("--assume", "crawler_dpus=2"),
    )
    pipeline = document["pipelines"]["pipeline"]

    assert document["region"] == "us-west-2"
    assert document["assumptions"]["crawler_dpus"] == 2
    assert pipeline["traffic"] == {"changes": 1e9, "image_bytes": 900}
    assert pipeline["plan"] == {
        "kinds": ["INSERT", "REMOVE"],
        "old_image": "never",
        "whole_records": False,
        "shards": 4,
        "parallelization_factor": 2,
        "batch_size": 1000,
        "window_seconds": 9,
        "max_changes_per_record": 50,
        "record_bytes": 102_400,
        "architecture": "x86_64",
        "forwarder_memory_mib": 256,
        "transform_memory_mib": 1024,
        "transform_buffer_bytes": 1_048_576,
        "transform_buffer_seconds": 60,
        "format": "parquet",
        "compressed": True,
        "dynamic": True,
        "folders": 7,
        "buffer_bytes": 134_217_728,
        "buffer_seconds": 600,
        "crawler_runs": 365 / 12,
        "alarm_metrics": pipeline["plan"]["alarm_metrics"],
        "dashboards": 1,
        "customer_key": False,
        "object_events": True,
    }


def test_the_region_is_the_options_then_the_stacks_then_virginia() -> None:
    assert told("--from-stack", "dev", "--region", "us-west-2")["region"] == "us-west-2"
    assert told("--from-stack", "dev")["region"] == "ap-northeast-1"
    assert told()["region"] == "us-east-1"


def test_a_setting_may_be_given_otherwise_for_every_table_of_a_stack() -> None:
    as_it_is = told("--from-stack", "dev")["pipelines"]
    changed = told("--from-stack", "dev", "--set", "forwarder.batching_window_seconds=60")

    for name, pipeline in changed["pipelines"].items():
        assert pipeline["plan"] == {**as_it_is[name]["plan"], "window_seconds": 60}


def test_a_changed_setting_leaves_the_others_of_its_group_as_they_are() -> None:
    document = told("--from-stack", "dev", "--set", "partitions.partition_time=event")

    plans = {name: it["plan"] for name, it in document["pipelines"].items()}
    assert {name: (it["dynamic"], it["folders"]) for name, it in plans.items()} == {
        "orders": (True, 1),
        # The dev stack's three carriers.
        "shipments": (True, 3),
    }


def test_one_pipeline_has_no_table_of_all_of_them() -> None:
    result = cost("--changes", "0")

    assert result.stdout.startswith("pipeline: 0 changes a month, items of 300 bytes")
    assert "All pipelines" not in result.stdout
    assert "no change is forwarded" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (
            ["--changes", "ten"],
            2,
            "Invalid value for --changes: 'ten' is no number: digits, and k, M or B for thousands,"
            " millions and billions are allowed; write for example 10M or 2.5k.",
        ),
        (
            ["--image-bytes", "2M"],
            2,
            "Invalid value for --image-bytes: '2M' is out of range: 1 to 1,000,000 is allowed; use"
            " a number within.",
        ),
        (
            ["--from-stack", "dev", "--changes", "payments=1M"],
            2,
            "Invalid value for --changes: 'payments=1M' names no pipeline: orders, shipments is"
            " allowed here; name one of these, or give the number alone for all.",
        ),
        (
            ["--set", "batch_size"],
            2,
            "Invalid value for --set: 'batch_size' is no setting: name=value is allowed, as"
            " README.md names them; write for example forwarder.batching_window_seconds=60.",
        ),
        (
            ["--set", "forwarder=1", "--set", "forwarder.batch_size=2"],
            2,
            "Invalid value for --set: 'forwarder.batch_size' lies in forwarder, which is set to 1"
            " before: a group is no single value; leave one of the two out.",
        ),
        (
            ["--set", "tags={"],
            2,
            "Invalid value for --set: 'tags={' has a value that is no YAML: write it as the stack's"
            " config does.",
        ),
        (
            ["--set", "forwarder.batch_sise=5"],
            1,
            "These settings are refused: settings.forwarder: there is no setting 'batch_sise': did"
            " you mean batch_size?",
        ),
        (
            ["--changes-per-record", "501"],
            1,
            "These settings are refused: settings.forwarder: max_changes_per_record=501 is out of"
            " range: Firehose splits a record into at most 500; use 500 or fewer.",
        ),
        (
            ["--from-stack", "dev", "--batch-size", "0"],
            1,
            "Pulumi.dev.yaml is refused:\n"
            "tables.orders.forwarder: batch_size=0 is out of range: Lambda reads 1 to 10,000"
            " changes per batch; use 1 or more.\n"
            "tables.shipments.forwarder: batch_size=0 is out of range: Lambda reads 1 to 10,000"
            " changes per batch; use 1 or more.",
        ),
        (
            ["--from-stack", "prod"],
            1,
            "There is no Pulumi.prod.yaml; the stacks here are dev.",
        ),
        (
            ["--catalog", "crawler", "--crawler-schedule", "cron(61 * * * ? *)"],
            1,
            "crawler_schedule='cron(61 * * * ? *)' cannot be counted: '61' is not within 0 to 59;"
            " six fields in UTC are allowed, such as cron(10 * * * ? *).",
        ),
        (
            ["--assume", "luck=1"],
            1,
            "--assume luck=1: there is no assumption 'luck': known are "
            + ", ".join(vars(Assumptions()))
            + ".",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_refused_with_what_may_be(
    arguments: list[str], code: int, reason: str
) -> None:
    assert refused(*arguments) == (code, reason)


def test_a_stack_in_a_region_without_prices_is_refused_with_the_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    table = "{table_name: orders, transform_module: t.py, partitions: {}}"
    text = f"config:\n  aws:region: eu-south-2\n  tables: {{orders: {table}}}\n"
    (tmp_path / "Pulumi.far.yaml").write_text(text)
    monkeypatch.setattr(command, "ROOT", tmp_path)

    code, reason = refused("--from-stack", "far")
    assert code == 1
    assert reason.startswith("region='eu-south-2' has no prices here: prices.json knows ")
    assert cost("--from-stack", "far", "--region", "us-east-1").exit_code == 0


def test_a_stack_without_tables_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    monkeypatch.setattr(command, "ROOT", tmp_path)

    reason = "Pulumi.dev.yaml has no tables: name at least one below `tables`."
    assert refused("--from-stack", "dev") == (1, reason)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("tables: []", "Pulumi.dev.yaml has no tables: name at least one below `tables`."),
        ("tables:", "Pulumi.dev.yaml has no tables: name at least one below `tables`."),
        ("tables: 5", "Pulumi.dev.yaml is refused: tables: 5 is no map of tables;"),
        ("tables: x", "Pulumi.dev.yaml is refused: tables: 'x' is no map of tables;"),
        ("tables: {a: 5}", "Pulumi.dev.yaml is refused: tables.a: 5 is no map of settings;"),
        (
            "{tables: {a: {}}, defaults: abc}",
            "Pulumi.dev.yaml is refused: defaults: 'abc' is no map of settings;",
        ),
    ],
)
def test_a_config_of_another_form_is_refused(
    config: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  {config}\n")
    monkeypatch.setattr(command, "ROOT", tmp_path)

    code, told = refused("--from-stack", "dev", "--set", "tags.day=2026-01-01")
    assert (code, told[: len(reason)]) == (1, reason)


def test_the_helps_defaults_are_the_commands() -> None:
    text = " ".join(cost("--help").stdout.split())
    assert "or orders=2.5k. [default: 10M]" in text
    assert "DynamoDB JSON. [default: 300]" in text
    assert asked.DEFAULTS == {"--changes": 10_000_000, "--image-bytes": 300}


@pytest.mark.parametrize(
    "line", [line for line in command.EPILOG.splitlines() if "streaming-etl cost" in line]
)
def test_every_example_of_the_help_runs(line: str) -> None:
    arguments = line.partition("|")[0].split()[4:]
    assert cost(*arguments).exit_code == 0


def test_the_page_on_cost_tells_what_the_command_prints_and_what_the_code_assumes() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "run `python -m tools.docs.cost_page`"
