"""docs/first-transform.md: its files and commands work in order on the embedded AWS."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.commands.demo import run_own
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import pipelines_of
from tests.docs.pages import ROOT, tokens
from tests.local.server import Server
from tests.support.processes import end, wait_until

pytestmark = pytest.mark.e2e

PAGE = ROOT / "docs" / "first-transform.md"
EXIT_PARTIAL = 3
# The output of these is not the same in every run.
VOLATILE = ((re.compile(r"\d+\.\d+ s"), "N s"),)


@dataclass(frozen=True)
class Step:
    """A file to write, a command, or its output."""

    kind: str
    text: str
    file: str = ""


def steps() -> list[Step]:
    """The fenced blocks of the page; files with the names before them."""
    found, name = [], ""
    for token in tokens(PAGE):
        if token.type == "inline":
            codes = [child.content for child in token.children or () if child.type == "code_inline"]
            name = codes[-1] if codes else ""
        elif token.type == "fence" and token.info in ("sh", "text"):
            found.append(Step(token.info, token.content))
        elif token.type == "fence":
            found.append(Step("file", token.content, name))
    return found


def comparable(text: str) -> list[str]:
    """The lines of an output, without what differs between runs."""
    for pattern, constant in VOLATILE:
        text = pattern.sub(constant, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


class Reader:
    """Somebody who follows the page in a directory of the program."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.server: Server | None = None
        self.output = ""
        self.codes: list[int] = []

    def follow(self, step: Step) -> None:
        if step.kind == "file":
            (self.directory / step.file).write_text(step.text)
        elif step.kind == "text":
            expected, got = comparable(step.text), comparable(self.output)
            assert [line for line in expected if line not in got] == [], self.output
        else:
            self.run(shlex.split(step.text))

    def run(self, words: list[str]) -> None:
        match words:
            case ["mkdir", "-p", name]:
                (self.directory / name).mkdir()
            case ["make", "local", stack, like]:
                options = self.make_options("local", stack, like)
                directory = ("--directory", str(self.directory))
                options = [
                    option.replace("first/", f"{self.directory}/first/") for option in options
                ]
                self.server = Server(self.directory / "server", *options, *directory).started()
            case [program, *arguments]:
                module = {"python": [], "streaming-etl": ["-m", "streaming_etl.ops"]}
                self.command([*module[Path(program).name], *arguments])

    def make_options(self, *arguments: str) -> list[str]:
        """The options that make passes to `python -m local serve`."""
        command = ["make", "--dry-run", "-o", ".venv/.installed", *arguments]
        # The flags of a `make test` that runs this test would be those of this make.
        env = {name: value for name, value in os.environ.items() if "MAKE" not in name}
        printed = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return shlex.split(printed.stdout.partition(" serve ")[2])

    def command(self, arguments: list[str]) -> None:
        assert self.server is not None
        state = json.loads(self.server.state.read_text())
        port = state["endpoint"].rpartition(":")[2]
        completed = subprocess.run(
            [sys.executable, *(one.replace("PORT", port) for one in arguments)],
            cwd=self.directory,
            env={
                **os.environ,
                "COLUMNS": "200",
                "PYTHONPATH": str(ROOT),
                "STREAMING_ETL_LOCAL_STATE": str(self.server.state),
            },
            capture_output=True,
            text=True,
        )
        self.codes.append(completed.returncode)
        self.output = completed.stdout
        assert completed.returncode in (0, EXIT_PARTIAL), completed.stderr


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    directory = tmp_path_factory.mktemp("first")
    for name in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / name, directory)
    # The cached wheels.
    (directory / ".build").symlink_to(ROOT / ".build")
    (directory / "server").mkdir()
    following = Reader(directory)
    try:
        yield following
    finally:
        if following.server is not None:
            end(following.server.process)


def test_the_page_leads_from_a_table_to_rows_and_a_replay(reader: Reader) -> None:
    followed = steps()
    # The last output is that of the query after the replay, which does not wait for the rows.
    for step in followed[:-1]:
        reader.follow(step)

    assert reader.codes.count(EXIT_PARTIAL) == 1
    query = [step for step in followed if step.kind == "sh"][-1]

    def shows_the_replayed_row() -> bool:
        reader.follow(query)
        return "25.50" in reader.output

    assert wait_until(shows_the_replayed_row, 20)
    reader.follow(followed[-1])


def test_an_edit_keeps_the_rows_and_applies_to_new_changes(reader: Reader) -> None:
    file = reader.directory / "first" / "payments.py"
    columns = '"amount": "decimal(10,2)"'
    text = file.read_text().replace(columns, f'{columns}, "note": "string"')
    new = "    payment = change.new or change.old\n"
    file.write_text(text.replace(new, f'{new}    if "draft" in payment:\n        return None\n'))
    local = ["python", "-m", "local"]

    reader.run([*local, "up"])
    reader.run([*local, "query", "SELECT payment_id, note FROM payments_current"])
    assert comparable(reader.output)[:2] == ["2 rows", "payment_id note"]

    reader.run([*local, "put", "app", '{"PK": "USER#1", "SK": "PAYMENT#3", "draft": true}'])
    assert reader.codes[-1] == 0
    assert "app.payments 0 0 1 0" in comparable(reader.output)


def test_the_demo_writes_generated_items_of_any_table(
    reader: Reader, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reader.server is not None
    state = json.loads(reader.server.state.read_text())
    [pipeline] = pipelines_of(state["outputs"])
    clients = Clients(state["endpoint"], pipeline.region)
    emulator: Any = SimpleNamespace(clients=clients, check=lambda: None)

    problems = run_own(emulator, pipeline, reader.directory, None)

    assert problems == []
    output = comparable(capsys.readouterr().out)
    assert "app.users 1 0 0 0" in output
    assert "app.payments 1 0 0 0" in output
    assert "app.users: rows" in output
