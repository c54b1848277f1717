"""Secrets of a transform, with stubbed clients."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber

from streaming_etl.handlers import transform
from streaming_etl.handlers.secret_variables import SecretError, read_secrets, set_secret_variables

REGION = "ap-northeast-1"
PARAMETER = f"arn:aws:ssm:{REGION}:123456789012:parameter/shop/key"
SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:shop/salt-1a2B3c"
CALLS = {"ssm": "get_parameter", "secretsmanager": "get_secret_value"}
PARAMETERS = {
    PARAMETER: {"Name": PARAMETER, "WithDecryption": True},
    SECRET: {"SecretId": SECRET},
}
VALUES = {
    PARAMETER: {"Parameter": {"Value": "p4ss"}},
    SECRET: {"SecretString": "pepper"},
}


class Stubs:
    """Clients of both services, with the responses of the next calls."""

    def __init__(self) -> None:
        self.created: list[str] = []
        self.clients: dict[str, Any] = {}
        self.stubs = {}
        for service in CALLS:
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
            self.clients[service] = boto3.client(service, region_name=REGION, **keys)
            self.stubs[service] = Stubber(self.clients[service])
            self.stubs[service].activate()

    def answer(self, arn: str) -> None:
        service = arn.split(":")[2]
        self.stubs[service].add_response(CALLS[service], VALUES[arn], PARAMETERS[arn])

    def fail(self, arn: str, code: str) -> None:
        service = arn.split(":")[2]
        self.stubs[service].add_client_error(CALLS[service], code, f"{arn} p4ss")

    def client(self, service: str, **_: Any) -> Any:
        self.created.append(service)
        return self.clients[service]


@pytest.fixture
def stubs() -> Stubs:
    return Stubs()


def errors(text: str) -> list[tuple[str, str, str]]:
    """Level, name and code of each logged line."""
    lines = map(json.loads, text.splitlines())
    return [(each["level"], each["name"], each["error"]) for each in lines]


def test_reads_parameters_and_secrets(stubs: Stubs) -> None:
    for arn in (PARAMETER, SECRET):
        stubs.answer(arn)
    values = read_secrets({"KEY": PARAMETER, "SALT": SECRET}, stubs.client)
    assert values == {"KEY": "p4ss", "SALT": "pepper"}


def test_logs_names_and_codes_of_all_failures_without_a_value(
    stubs: Stubs, capsys: pytest.CaptureFixture[str]
) -> None:
    stubs.fail(PARAMETER, "AccessDeniedException")
    stubs.fail(SECRET, "ResourceNotFoundException")
    with pytest.raises(SecretError) as raised:
        read_secrets({"KEY": PARAMETER, "SALT": SECRET}, stubs.client)
    logged = capsys.readouterr().out
    assert errors(logged) == [
        ("ERROR", "KEY", "AccessDeniedException"),
        ("ERROR", "SALT", "ResourceNotFoundException"),
    ]
    assert "p4ss" not in logged + str(raised.value)
    # Lambda also logs the context of an exception, whose text may have more than the code.
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_a_service_without_a_way_to_it_fails_by_its_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def get_parameter(**_: Any) -> Any:
        raise ConnectTimeoutError(endpoint_url="https://ssm")

    def client(_: str) -> Any:
        return SimpleNamespace(get_parameter=get_parameter)

    with pytest.raises(SecretError):
        read_secrets({"KEY": PARAMETER}, client)
    assert errors(capsys.readouterr().out) == [("ERROR", "KEY", "ConnectTimeoutError")]


def test_a_binary_secret_is_not_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stubs: Stubs
) -> None:
    monkeypatch.setitem(VALUES, SECRET, {"SecretBinary": b"p4ss"})
    stubs.answer(SECRET)
    with pytest.raises(SecretError):
        read_secrets({"SALT": SECRET}, stubs.client)
    assert errors(capsys.readouterr().out) == [("ERROR", "SALT", "BinarySecret")]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, stubs: Stubs) -> dict[str, str]:
    """The environment of the process, for the test."""
    monkeypatch.setattr(boto3, "client", stubs.client)
    variables = dict(os.environ)
    monkeypatch.setattr(os, "environ", variables)
    return variables


def test_without_secrets_no_client_is_created(environment: dict[str, str], stubs: Stubs) -> None:
    before = dict(environment)
    set_secret_variables()
    assert (environment, stubs.created) == (before, [])


def test_sets_no_variable_unless_all_can_be_read(environment: dict[str, str], stubs: Stubs) -> None:
    arns = {"KEY": PARAMETER, "SALT": SECRET}
    environment["STREAMING_ETL_SECRETS"] = json.dumps(arns)
    stubs.answer(PARAMETER)
    stubs.fail(SECRET, "ThrottlingException")
    with pytest.raises(SecretError):
        set_secret_variables()
    assert "KEY" not in environment


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write the module of a transform function, in which the handler runs."""

    def write(module: str) -> None:
        (tmp_path / "transform_module").mkdir()
        (tmp_path / "transform_module/reads_secret.py").write_text(module)
        config = {"name": "reads_secret", "paths": {"reads_secret": "reads_secret.py"}}
        text = json.dumps({"module": config, "time_keys": [], "time_zone": "UTC"})
        (tmp_path / "transform.json").write_text(text)
        monkeypatch.setattr(transform, "__file__", str(tmp_path / "a/b/transform.py"))
        monkeypatch.setattr(transform, "make_runtime", lambda _, module, *__: module)

    return write


def test_the_module_gets_the_secret_after_a_call_that_failed(
    environment: dict[str, str],
    stubs: Stubs,
    archive: Callable[[str], None],
) -> None:
    archive("import os\n\nKEY = os.environ['KEY']\n")
    environment["STREAMING_ETL_SECRETS"] = json.dumps({"KEY": PARAMETER})
    stubs.fail(PARAMETER, "InternalServerError")
    stubs.answer(PARAMETER)
    transform.load_runtime.cache_clear()
    with pytest.raises(SecretError):
        transform.load_runtime()
    loaded: Any = transform.load_runtime()
    transform.load_runtime.cache_clear()
    assert loaded.KEY == "p4ss"
