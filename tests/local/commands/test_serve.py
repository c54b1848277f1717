import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from local import console as screen
from local.emulator.athena import Answer
from local.emulator.process import ROOT
from tests.support.processes import end, members, wait_until

pytestmark = pytest.mark.e2e


def run(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command, to its end; `state` is the file that tells it which server is running."""
    return subprocess.run(
        [sys.executable, "-m", "local", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "STREAMING_ETL_LOCAL_STATE": str(state)},
        capture_output=True,
        text=True,
    )


class Server:
    """A running `make local`, with a directory of its own for all it writes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "local.json"
        environment = {
            **os.environ,
            "TMPDIR": str(directory),
            "STREAMING_ETL_LOCAL_STATE": str(self.state),
        }
        with (directory / "output").open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "local", "serve"],
                cwd=ROOT,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        # The first import of all of Pulumi takes its time on a machine that has no .pyc of it.
        if not wait_until(lambda: "Up until Ctrl-C" in self.text, 60):
            end(self.process)
            raise AssertionError(self.text)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.state, *arguments)

    @property
    def text(self) -> str:
        return (self.directory / "output").read_text()

    def commands(self) -> list[list[str]]:
        """The arguments of the commands it offers, as a shell would split them."""
        lines = re.findall(r"^  \S*python\S* -m local (.*)$", self.text, re.MULTILINE)
        return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("serve"))
    try:
        yield started
    finally:
        end(started.process, signal.SIGINT)


@pytest.mark.parametrize("pipeline", ["orders", "shipments"])
def test_every_command_that_the_server_offers_works_as_it_stands(
    server: Server, pipeline: str
) -> None:
    commands = [one for one in server.commands() if pipeline in " ".join(one)]
    put, current, sql, delete = commands
    assert [put[:2], current, sql[0], delete[:2]] == [
        ["put", pipeline],
        ["query", pipeline],
        "query",
        ["delete", pipeline],
    ]
    id_ = json.loads(put[2])["id"]

    assert server.run(*put).returncode == 0
    assert wait_until(lambda: id_ in server.run(*current).stdout, 20)
    assert "INSERT" in server.run(*sql).stdout
    assert server.run(*delete).returncode == 0
    assert wait_until(lambda: "0 rows" in server.run(*current).stdout, 20)
    assert "2 rows" in server.run(*sql).stdout


def test_the_server_crawls_without_being_asked(server: Server) -> None:
    put = server.commands()[0]
    assert server.run(*put).returncode == 0

    assert wait_until(lambda: "found 1 new folder of orders" in server.text, 20), server.text


def test_nested_values_and_numbers_arrive_as_they_were_written(server: Server) -> None:
    item = {
        "id": "nested",
        "carrier": "yamato",
        "status": "packed",
        "weight_kg": 1.125,
        "address": {"city": "Kyoto", "postcode": "600", "country": "JP"},
        "updated_at": "2026-11-23T00:00:00",
    }

    assert server.run("put", "shipments", json.dumps(item)).returncode == 0

    assert wait_until(lambda: "1.125" in server.run("query", "shipments").stdout, 20)
    assert "'city': 'Kyoto'" in server.run("query", "shipments").stdout


def test_an_answer_too_wide_for_the_screen_is_told_row_by_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = Answer(["id", "text"], [{"id": "1", "text": "x" * 90}, {"id": "2", "text": None}])

    screen.print_answer(Console(width=80), answer)

    assert capsys.readouterr().out == f"id    1\ntext  {'x' * 90}\n\nid    2\ntext  \n\n2 rows\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["put", "nobody", "{}"], "The stack has no pipeline nobody; it has orders, shipments."),
        (["put", "orders", "{id: 1}"], "This is no JSON"),
        (["put", "orders", "[]"], "An item is a JSON object"),
        (["put", "orders", '{"id": 5}'], "DynamoDB refuses the item"),
        (["query", "SELECT * FROM nowhere"], "Athena refuses the query"),
        (["serve"], "An embedded AWS is up already"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    server: Server, arguments: list[str], message: str
) -> None:
    assert server.process.poll() is None

    done = server.run(*arguments)

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_leaves_nothing_behind(tmp_path: Path, signal_: signal.Signals) -> None:
    server = Server(tmp_path)
    [group] = [int(pid) for pid in children(server.process.pid)]
    assert members(group)
    assert {path.name[:20] for path in tmp_path.iterdir()} == {
        "output",
        "local.json",
        "streaming-etl-local-",
    }

    begun = time.monotonic()
    end(server.process, signal_)

    assert time.monotonic() - begun < 5
    assert server.process.returncode == 128 + signal_
    assert wait_until(lambda: not members(group))
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
    assert "Traceback" not in server.text


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_without_a_server_the_commands_say_how_to_start_one(tmp_path: Path) -> None:
    done = run(tmp_path / "none.json", "query", "orders")

    assert done.returncode == 1
    assert done.stderr == "✗ No embedded AWS is running. Start one with `make local`.\n"


def test_a_python_without_the_packages_is_told_which_and_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "local", "demo"], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "lacks boto3, click, duckdb, ministack, pulumi, pulumi_aws, rich, yaml" in done.stderr
    assert "`make demo`" in done.stderr
