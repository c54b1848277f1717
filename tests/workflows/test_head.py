"""An update stops where main has gone on."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.workflows.scripts import run

NEWEST, OLDER = "b" * 40, "a" * 40


class GitHub(BaseHTTPRequestHandler):
    """A repository whose main is at NEWEST."""

    def do_GET(self) -> None:
        known = self.path == "/repos/somebody/streaming-etl/git/ref/heads/main"
        self.send_response(
            200 if known and self.headers["Authorization"] == "Bearer token" else 404
        )
        self.end_headers()
        self.wfile.write(json.dumps({"object": {"type": "commit", "sha": NEWEST}}).encode())

    def log_message(self, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def github() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), GitHub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(github: HTTPServer, commit: str, token: str = "token") -> Any:
    return run(
        "head.py",
        GITHUB_API_URL=f"http://127.0.0.1:{github.server_port}",
        GITHUB_REPOSITORY="somebody/streaming-etl",
        GITHUB_SHA=commit,
        GITHUB_TOKEN=token,
        NO_PROXY="*",
    )


def test_main_s_newest_commit_goes_on(github: HTTPServer) -> None:
    answer = ask(github, NEWEST)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def test_an_older_one_stops(github: HTTPServer) -> None:
    answer = ask(github, OLDER)
    assert (answer.returncode, answer.stderr) == (
        1,
        f"::error::{OLDER} is not main's newest commit, {NEWEST} is: an update to the older one "
        "would take the newer one back. Nothing was updated; approve the run of the newest "
        "commit, or revert on main what shall not stay.\n",
    )


def test_one_that_github_does_not_tell_of_stops_too(github: HTTPServer) -> None:
    assert ask(github, NEWEST, token="another").returncode == 1
