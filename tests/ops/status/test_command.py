"""`streaming-etl status` on the command line."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from streaming_etl.ops.__main__ import main
from streaming_etl.ops.status.command import repeat
from streaming_etl.ops.status.render import duration
from streaming_etl.stack.errors import EXIT_FAILURE, EXIT_PARTIAL, EXIT_USAGE
from streaming_etl.stack.outputs import DeployedStack
from tests.ops.status.fakes import FakeAws
from tests.support.deployed import deployed_pipeline, deployed_shop


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    aws = FakeAws(deployed_pipeline(), deployed_shop(alarm_names=[]))
    monkeypatch.setattr(DeployedStack, "clients", lambda *_: aws)
    return aws


@pytest.fixture
def options(aws: FakeAws, tmp_path: Path) -> list[str]:
    """The options of the stack with both pipelines."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps({each.name: each.outputs for each in aws.pipelines}))
    return ["--stack", "prod", "--outputs", str(outputs)]


def test_the_exit_code_says_whether_something_needs_attention(
    aws: FakeAws, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", *options]) == 0
    assert main(["status", "shop", *options, "--json"]) == 0
    aws.mapping_state = "Disabled"
    capsys.readouterr()
    assert main(["status", "shop", *options, "--json"]) == EXIT_PARTIAL
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], list(document["pipelines"])) == ("attention", ["shop"])


def test_the_screen_has_a_row_for_each_lake_table(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["status", *options])
    lines = capsys.readouterr().out.splitlines()
    names = ["orders", "shop", "shop.events", "shop.orders"]
    assert [line.split()[0] for line in lines[2:6]] == names


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["payments"], EXIT_FAILURE), (["--watch", "1"], EXIT_USAGE)],
)
def test_invalid_arguments(options: list[str], arguments: list[str], code: int) -> None:
    assert main(["status", *options, *arguments]) == code


def test_a_stack_without_pipelines_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "outputs.json").write_text("{}")
    options = ["--stack", "prod", "--outputs", str(tmp_path / "outputs.json")]
    assert main(["status", *options]) == EXIT_FAILURE


def test_watch_ends_with_ctrl_c(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sleeps: list[float] = []

    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", sleep)
    assert main(["status", *options, "--watch", "60", "--json"]) == 0
    assert sleeps == [60, 60]
    assert capsys.readouterr().out.count('"version": 1') == 2


def test_watch_continues_after_an_error() -> None:
    shown: list[int] = []

    def show() -> None:
        shown.append(len(shown))
        if len(shown) == 2:
            raise EndpointConnectionError(endpoint_url="https://monitoring")
        if len(shown) == 3:
            raise KeyboardInterrupt

    repeat(show, 60, lambda _: None)
    assert shown == [0, 1, 2]

    def fail() -> None:
        raise EndpointConnectionError(endpoint_url="https://monitoring")

    with pytest.raises(EndpointConnectionError):
        repeat(fail, 60, lambda _: None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7260, "2 h 1 min"),
        (172_800, "2 days"),
    ],
)
def test_a_duration_has_the_largest_units(seconds: int, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text
