"""Secrets of a config on the embedded AWS."""

import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import deploy
from local.deploy.secrets import with_local_secrets
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test.sample_records import stream_record
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from tests.local.conftest import REGION
from tools.project import ROOT

pytestmark = pytest.mark.e2e

ACCOUNT = f"{REGION}:123456789012"
PATH = f"arn:aws:ssm:{ACCOUNT}:parameter/secrets/key"
PLAIN = f"arn:aws:ssm:{ACCOUNT}:parameter/secrets-plain"
SECRET = f"arn:aws:secretsmanager:{ACCOUNT}:secret:secrets/salt-one-1a2B3c"
TABLE = {"transform_module": "transforms/orders.py", "partitions": {"granularity": "day"}}


def config_of(tables: dict[str, Any], defaults: dict[str, Any]) -> StackConfig:
    values = {"p:tables": json.dumps(tables), "p:defaults": json.dumps(defaults)}
    return StackConfig("p", "dev", {**values, "aws:region": REGION})


def value_of(aws: Clients, arn: str) -> str:
    if ":ssm:" in arn:
        found = aws("ssm").get_parameter(Name=arn, WithDecryption=True)
        return str(found["Parameter"]["Value"])
    return str(aws("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])


def test_missing_secrets_are_created_and_kept(
    aws: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "p4ss")
    monkeypatch.delenv("SALT", raising=False)
    defaults = {"transform": {"secrets": {"PLAIN": PLAIN}}}
    single = {
        **TABLE,
        "table_name": "orders",
        "transform": {"secrets": {"KEY": PATH, "SALT": SECRET}},
    }
    several = {
        "table_name": "shop",
        "lake_tables": {
            "one": {**TABLE, "where": {"kind": ["a"]}, "transform": {"secrets": {"SALT": SECRET}}},
            "two": {**TABLE, "where": {"kind": ["b"]}},
        },
    }
    config = config_of({"a": single, "b": several}, defaults)
    local = with_local_secrets(config, aws)

    tables = local.section("tables")
    found = tables["a"]["transform"]["secrets"]
    assert found.keys() == {"KEY", "SALT"}
    assert tables["b"]["lake_tables"]["one"]["transform"]["secrets"] == {"SALT": found["SALT"]}
    found["PLAIN"] = local.section("defaults")["transform"]["secrets"]["PLAIN"]
    assert {name: value_of(aws, arn) for name, arn in found.items()} == {
        "KEY": "p4ss",
        "SALT": "placeholder of SALT",
        "PLAIN": "placeholder of PLAIN",
    }
    assert local.values["aws:region"] == REGION
    # An update keeps them.
    monkeypatch.setenv("KEY", "another")
    assert with_local_secrets(config, aws) == local
    assert value_of(aws, found["KEY"]) == "p4ss"


def test_a_config_without_secrets_stays_as_it_is(aws: Clients) -> None:
    config = config_of({"a": {**TABLE, "table_name": "orders"}}, {})
    assert with_local_secrets(config, aws) is config


MODULE = """\
import os

COLUMNS = {"id": "string", "rate": "string", "key": "string"}
KEY = os.environ["KEY"]


def transform(change):
    return {"id": change.keys["id"], "rate": os.environ["RATE"], "key": KEY}
"""


def test_a_deployed_transform_has_the_secrets_in_its_environment(
    aws: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "p4ss of the run")
    (tmp_path / "module.py").write_text(MODULE)
    (tmp_path / "__main__.py").write_text((ROOT / "__main__.py").read_text())
    key = f"arn:aws:ssm:{ACCOUNT}:parameter/secrets/run"
    table = {
        "table_name": "secrets",
        "transform_module": "module.py",
        "partitions": {"granularity": "day"},
        "transform": {"environment": {"RATE": "0.1"}, "secrets": {"KEY": key}},
    }
    config = with_local_secrets(config_of({"secrets": table}, {}), aws)
    pipeline = deploy(tmp_path, config, aws).outputs["secrets"]

    name = pipeline["transform_function"]
    change = change_line(stream_record(1, ["id"], new={"id": "a"}))
    record = {"recordId": "1", "data": b64encode(change).decode()}
    stream = f"arn:aws:firehose:{REGION}:000000000000:deliverystream/s"
    event = {"deliveryStreamArn": stream, "records": [record]}
    response = aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    [result] = json.load(response["Payload"])["records"]
    row = json.loads(b64decode(result["data"]))
    assert (row["rate"], row["key"]) == ("0.1", "p4ss of the run")
    configuration = aws("lambda").get_function_configuration(FunctionName=name)
    assert "p4ss" not in json.dumps(configuration["Environment"])
