"""`streaming-etl role-policies` runs the program without AWS and writes documents."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streaming_etl.ops.role_policies import role_policies
from streaming_etl.stack.errors import CommandError
from tests.support.stack_folder import write_stack
from tools.project import ROOT

ROLE = "arn:aws-cn:iam::210987654321:role/etl/forwarder"
ORDERS: dict[str, Any] = {
    "table_name": "orders",
    "transform_module": str(ROOT / "transforms" / "orders.py"),
    "partitions": {},
}


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    account: str = "210987654321",
    region: str = "cn-north-1",
) -> Result:
    """Run the command for a stack with these settings of `orders`."""
    write_stack(folder, {"orders": {**ORDERS, **settings}}, region)
    monkeypatch.chdir(folder)
    arguments = ["--stack", "dev", "--account-id", account, "--into", "roles/new"]
    return CliRunner().invoke(role_policies, arguments, standalone_mode=False)


def test_writes_the_documents_of_each_existing_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = {"role_arns": {"forwarder": ROLE}}
    result = run(tmp_path, monkeypatch, {"iam": iam})
    assert result.exception is None
    files = {path.name: json.loads(path.read_text()) for path in (tmp_path / "roles/new").iterdir()}
    assert set(files) == {"orders.forwarder.trust.json", "orders.forwarder.policy.json"}
    [trust] = files["orders.forwarder.trust.json"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": "210987654321"}}
    statements = files["orders.forwarder.policy.json"]["Statement"]
    assert statements[0]["Resource"] == [
        "arn:aws-cn:logs:cn-north-1:210987654321:log-group:orders-forwarder-logs-???????:*"
    ]
    assert ROLE in result.output


@pytest.mark.parametrize(
    ("settings", "account", "code"),
    [
        ({}, "210987654321", "no-existing-roles"),
        ({"format": "avro"}, "210987654321", "invalid-settings"),
        ({}, "2109-8765-4321", "invalid-account-id"),
    ],
)
def test_rejects_what_gives_no_documents(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    account: str,
    code: str,
) -> None:
    result = run(tmp_path, monkeypatch, settings, account)
    assert isinstance(result.exception, CommandError)
    assert result.exception.code == code
    assert not (tmp_path / "roles").exists()


@pytest.mark.parametrize(
    ("region", "partition"), [("us-gov-west-1", "aws-us-gov"), ("eusc-de-east-1", "aws-eusc")]
)
def test_the_arns_have_the_partition_of_the_region(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, region: str, partition: str
) -> None:
    iam = {"role_arns": {"forwarder": ROLE}}
    assert run(tmp_path, monkeypatch, {"iam": iam}, region=region).exception is None
    policy = (tmp_path / "roles/new/orders.forwarder.policy.json").read_text()
    assert f"arn:{partition}:logs:{region}:210987654321:" in policy


def test_rejects_an_unknown_region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(tmp_path, monkeypatch, {}, region="tokyo")
    assert isinstance(result.exception, CommandError)
    assert (result.exception.code, result.exception.details) == (
        "unknown-region",
        {"region": "tokyo"},
    )
