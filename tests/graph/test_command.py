"""`python -m tools.graph`: what is printed, and what is refused, without AWS or credentials."""

import shutil
from pathlib import Path

import pytest

from streaming_etl.stack.outputs import ROOT
from tests.graph.graphs import example
from tools.graph import __main__ as command
from tools.graph.__main__ import main
from tools.graph.picture import picture
from tools.graph.text import stack_text

SETTINGS = """\
config:
  aws:region: eu-west-1
  streaming-etl:tables:
    orders:
      table_name: orders
      transform_module: transforms/orders.py
      partitions: {}
"""


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command finds the program, and what a test adds as Pulumi.<stack>.yaml."""
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "transforms", tmp_path / "transforms")
    monkeypatch.setattr(command, "ROOT", tmp_path)
    return tmp_path


def told(args: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(args)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_every_stack_is_told_below_its_heading(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS)
    (stacks / "Pulumi.prod.yaml").write_text(SETTINGS)
    status, out, err = told([], capsys)
    assert (status, err) == (0, "")
    dev, prod = stack_text("dev", stacks), stack_text("prod", stacks)
    assert out == f"{dev}\n{prod}"
    assert dev.startswith("# Stack dev\n\ndev/config.aws:region: eu-west-1\n\ndev/shared.")
    assert prod.startswith("# Stack prod\n\nprod/config.aws:region: eu-west-1\n\nprod/shared.")
    # A stack's own name is in what people type.
    assert "prod/orders-query-workgroup.name: orders-prod\n" in prod
    assert told(["prod"], capsys) == (0, prod, "")


def test_a_stack_without_settings_of_the_provider_has_no_line_for_them(stacks: Path) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS.replace("  aws:region: eu-west-1\n", ""))
    assert stack_text("dev", stacks).startswith("# Stack dev\n\ndev/shared.handlers: ")


def test_a_table_that_exists_already_is_taken_for_granted(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    existing = "      source: {use_existing: true}\n      backfill: {enabled: true}\n"
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS + existing)
    status, out, err = told(["dev"], capsys)
    assert (status, err) == (0, "")
    arn = "arn:aws:dynamodb:{region}:{account}:table/orders"
    assert f"dev/orders-forwarder-mapping.eventSourceArn: {arn}/stream/<unknown>\n" in out
    assert f"dev/exports.orders.source_table_arn: {arn}\n" in out
    assert "variables.KEY_NAMES[]: <unknown>\n" in out
    assert "dynamodb.Table" not in out


def test_a_picture_is_one_pipeline_s(capsys: pytest.CaptureFixture[str]) -> None:
    expected = picture(example(), "orders")
    assert told(["dev", "--picture", "orders"], capsys) == (0, f"{expected}\n", "")


@pytest.mark.parametrize(
    ("args", "status", "reason"),
    [
        (
            ["live"],
            1,
            "Error: There is no Pulumi.live.yaml; the stacks here are bad, dev.\n",
        ),
        (
            ["dev", "bad"],
            1,
            "Error: Pulumi.bad.yaml: tables.orders: there is no setting 'formt'",
        ),
        (
            ["dev", "--picture", "order"],
            1,
            "Error: There is no pipeline order; there are orders.\n",
        ),
        (
            ["--picture", "orders"],
            2,
            "Error: --picture draws one stack; name it, of bad, dev.\n",
        ),
        (["--format", "dot"], 2, "Error: No such option '--format'.\n"),
    ],
    ids=["no such stack", "bad settings", "no such pipeline", "two stacks", "no such option"],
)
def test_what_is_refused_is_told_in_a_line_and_nothing_is_printed(
    stacks: Path,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    status: int,
    reason: str,
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS)
    (stacks / "Pulumi.bad.yaml").write_text(f"{SETTINGS}      formt: csv\n")
    found, out, err = told(args, capsys)
    assert (found, out) == (status, "")
    assert reason in err
    assert "Traceback" not in err
    assert status == 2 or len(err.splitlines()) == 1


def test_each_setting_that_is_refused_has_a_line(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.bad.yaml").write_text(f"{SETTINGS}      formt: csv\n      tag: {{}}\n")
    status, out, err = told([], capsys)
    assert (status, out) == (1, "")
    starts = [line.partition(": there is")[0] for line in err.splitlines()]
    assert starts == ["Error: Pulumi.bad.yaml: tables.orders", "Pulumi.bad.yaml: tables.orders"]


def test_a_program_without_stacks_is_refused(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(stacks.glob("Pulumi.*.yaml")) == []
    assert told([], capsys) == (
        1,
        "",
        "Error: There is no Pulumi.<stack>.yaml beside the program.\n",
    )


def test_the_help_teaches_by_example(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = told(["--help"], capsys)
    assert status == 0
    assert "python -m tools.graph dev --picture orders" in out
