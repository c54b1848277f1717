"""`python -m tools.graph`: output, exit codes and invalid stacks."""

import shutil
from pathlib import Path

import pytest

from streaming_etl.components.settings.validation import SettingsError
from streaming_etl.stack.errors import CommandError
from tools.graph import __main__ as graph
from tools.graph.text import stack_text
from tools.project import ROOT

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
    """A copy of the program; tests add a Pulumi.<stack>.yaml."""
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "transforms", tmp_path / "transforms")
    monkeypatch.setattr(graph, "ROOT", tmp_path)
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    return graph.main(args), capsys.readouterr().out


def raised(*args: str) -> CommandError:
    with pytest.raises(CommandError) as error:
        graph.command.main(args, standalone_mode=False)
    return error.value


def test_prints_every_stack_below_its_heading(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS)
    (stacks / "Pulumi.prod.yaml").write_text(SETTINGS.replace("  aws:region: eu-west-1\n", ""))
    dev, prod = stack_text("dev", stacks), stack_text("prod", stacks)
    assert printed(capsys) == (0, f"{dev}\n{prod}")
    assert dev.startswith('# Stack dev\n\nconfig\n{\n  "aws:region": "eu-west-1"\n}\n\n')
    assert prod.startswith("# Stack prod\n\nStreamingEtlPipeline orders\n")
    assert '"name": "orders-prod"' in prod
    assert printed(capsys, "prod") == (0, prod)


def test_assumes_that_an_existing_table_has_a_stream(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    existing = "      source: {use_existing: true}\n      backfill: {enabled: true}\n"
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS + existing)
    status, out = printed(capsys, "dev")
    assert status == 0
    arn = "arn:aws:dynamodb:{region}:{account}:table/orders"
    assert f'"eventSourceArn": "{arn}/stream/<unknown>"' in out
    assert "dynamodb.Table" not in out


def test_prints_nothing_when_one_stack_is_invalid(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS)
    (stacks / "Pulumi.bad.yaml").write_text(f"{SETTINGS}      formt: csv\n      tag: {{}}\n")
    assert printed(capsys, "dev", "bad") == (1, "")
    error = raised("dev", "bad")
    assert (error.code, error.details) == ("invalid-stack", {"stack": "bad"})
    assert isinstance(error.__cause__, SettingsError)
    assert len(error.__cause__.problems) == 2


def test_rejects_a_program_without_stacks(stacks: Path) -> None:
    assert list(stacks.glob("Pulumi.*.yaml")) == []
    assert raised().code == "no-stacks"


def test_rejects_an_unknown_stack_and_an_unknown_option(
    stacks: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(SETTINGS)
    assert printed(capsys, "live") == (1, "")
    assert printed(capsys, "--format", "dot") == (2, "")
