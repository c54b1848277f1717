"""Lines of the handlers by the setting `functions.log_level`."""

import json
import logging
from collections.abc import Iterator

import pytest

from streaming_etl.components.stages.lambda_function import LOG_LEVEL_VARIABLE
from streaming_etl.handlers.structured_log import SEVERITIES, count, log, set_logging_level


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    level = logger.level
    yield logger
    logger.setLevel(level)


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("least", "expected"),
    [
        (None, ["INFO", "WARNING", "ERROR"]),
        ("DEBUG", ["DEBUG", "INFO", "WARNING", "ERROR"]),
        ("INFO", ["INFO", "WARNING", "ERROR"]),
        ("WARNING", ["WARNING", "ERROR"]),
        ("ERROR", ["ERROR"]),
    ],
)
def test_lines_below_the_level_are_not_printed(
    least: str | None,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if least:
        monkeypatch.setenv(LOG_LEVEL_VARIABLE, least)
    for level in SEVERITIES:
        log(level, "forwarded")
    assert printed(capsys) == expected


def test_metrics_are_printed_at_every_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(LOG_LEVEL_VARIABLE, "ERROR")
    count("failed", "transform", ChangesFailed=2)
    assert json.loads(capsys.readouterr().out)["ChangesFailed"] == 2


def test_logging_has_the_level_of_the_setting(
    monkeypatch: pytest.MonkeyPatch, root_logger: logging.Logger
) -> None:
    root_logger.setLevel("CRITICAL")
    set_logging_level()
    assert root_logger.level == logging.CRITICAL
    monkeypatch.setenv(LOG_LEVEL_VARIABLE, "DEBUG")
    set_logging_level()
    assert root_logger.level == logging.DEBUG
