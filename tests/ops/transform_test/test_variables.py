"""Environment variables and secrets of a transform that runs locally."""

import os
from typing import Any

import pytest

from streaming_etl import rows_of
from streaming_etl.stack.errors import CommandError
from tests.ops.transform_test.conftest import Program

MODULE = """\
import os

FROM_IMPORT = os.environ["CITY"]


def transform(change):
    return {"at_import": FROM_IMPORT, "city": os.environ["CITY"], "key": os.environ["API_KEY"]}
"""
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter/key"
SETTINGS: dict[str, Any] = {
    "environment": {"CITY": "Oita"},
    "secrets": {"API_KEY": PARAMETER},
}


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CITY", "API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_a_transform_has_the_configs_variables_and_the_secrets_of_the_process(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.stack(catalog="crawler", transform=SETTINGS)
    path = program.module(MODULE)
    monkeypatch.setenv("API_KEY", "test")
    assert rows_of(path, {"id": "a"}) == [{"at_import": "Oita", "city": "Oita", "key": "test"}]
    assert "CITY" not in os.environ
    monkeypatch.setenv("CITY", "Beppu")
    assert rows_of(path, {"id": "a"}) == [{"at_import": "Oita", "city": "Beppu", "key": "test"}]
    assert os.environ["CITY"] == "Beppu"


def test_a_missing_secret_is_named(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.stack(catalog="crawler", transform=SETTINGS)
    path = program.module(MODULE)
    with pytest.raises(CommandError) as raised:
        rows_of(path, {"id": "a"})
    assert (raised.value.code, raised.value.details) == (
        "missing-variables",
        {"names": ["API_KEY"]},
    )
    # The module is loaded, but each test has its own environment.
    monkeypatch.setenv("API_KEY", "test")
    assert rows_of(path, {"id": "a"})
    monkeypatch.delenv("API_KEY")
    with pytest.raises(CommandError):
        rows_of(path, {"id": "a"})
