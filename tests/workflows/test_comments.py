"""What a pull request is told of a preview, in one comment that GitHub takes."""

import json
import os
import runpy
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Optional

import pytest

from tests.workflows.scripts import GITHUB, run

MARKDOWN = runpy.run_path(str(GITHUB / "markdown.py"))

PREVIEWED = """Previewing update (dev):
 ~  aws:lambda:Function orders-forwarder-function update [diff: ~memorySize]
Resources:
    ~ 1 to update
    +-2 to replace
    121 unchanged

Policies:
    streaming-etl 1 violation
"""


def preview(said: str, code: int, directory: Path) -> tuple[Any, str]:
    """How the preview of dev ended, and its report, where Pulumi says and exits so."""
    (directory / "answer").write_text(said)
    fake = directory / "pulumi"
    fake.write_text(f'#!/bin/sh\necho "$@" >&2\ncat {directory}/answer\nexit {code}\n')
    fake.chmod(0o755)
    report = directory / "preview.md"
    answer = run("preview.py", "dev", str(report), PATH=f"{directory}:{os.environ['PATH']}")
    return answer, report.read_text()


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, "1 to update, 2 to replace, 121 unchanged"), (255, "failed")]
)
def test_a_preview_is_told_and_ends_as_pulumi_ends(code: int, outcome: str, tmp_path: Path) -> None:
    answer, report = preview(PREVIEWED, code, tmp_path)
    command = (
        "preview --policy-pack policy --policy-pack-config policy/config.json --non-interactive "
        "--suppress-progress --color never --stack dev\n"
    )
    assert (answer.returncode, answer.stdout) == (code, command + PREVIEWED)
    assert report == (
        f"## Preview of dev\n\n<details><summary><b>dev</b>: {outcome}"
        f"{' with exit code 255' if code else ''}</summary>\n\n"
        f"```text\n{command}{PREVIEWED}```\n\n</details>\n"
    )


COUNTED = """Resources:
    + 2 to create
    - 1 to delete
    3 changes. 121 unchanged
    <img src=x>
"""


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (COUNTED, "2 to create, 1 to delete, 3 changes, 121 unchanged"),
        (f"Resources:\n    999 unchanged\n\n{COUNTED}\nDuration: 1s\n", None),
        ("Resources:\n    <img src=x> 1 unchanged\n", "done"),
        ("nothing\n", "done"),
    ],
)
def test_the_outcome_is_what_pulumi_counted_and_not_what_a_program_printed(
    said: str, outcome: Optional[str], tmp_path: Path
) -> None:
    _, report = preview(said, 0, tmp_path)
    outcome = outcome or "2 to create, 1 to delete, 3 changes, 121 unchanged"
    assert report.splitlines()[2] == f"<details><summary><b>dev</b>: {outcome}</summary>"


def test_a_title_holds_no_markup_but_its_own() -> None:
    assert MARKDOWN["folded"]("<i>", "</summary>&", "").startswith(
        "<details><summary><b>&lt;i&gt;</b>: &lt;/summary&gt;&amp;</summary>\n"
    )


def test_a_long_text_keeps_its_first_and_last_lines() -> None:
    lines = [f"line {number:05}" for number in range(20_000)]
    text = MARKDOWN["folded"]("dev", "done", "\n".join(lines))
    assert MARKDOWN["TEXT_LIMIT"] - 100 < len(text) < MARKDOWN["COMMENT_LIMIT"]
    assert "```text\nline 00000\n" in text
    assert text.endswith("\nline 19999\n```\n\n</details>\n")
    kept = [line for line in text.splitlines() if line in set(lines)]
    left_out = len(lines) - len(kept)
    assert f"\n... {left_out:,} lines are left out, the job's log has them ...\n" in text


def test_a_line_that_is_too_long_alone_is_left_out() -> None:
    assert MARKDOWN["shortened"]("x" * 11, 10) == (
        "... 1 lines are left out, the job's log has them ..."
    )
    assert MARKDOWN["shortened"]("x" * 10, 10) == "x" * 10


class GitHub(BaseHTTPRequestHandler):
    """The comments of pull request 7, a hundred on a page."""

    comments: list[dict[str, Any]]
    asked: list[str]

    def answer(self, value: Any) -> None:
        assert self.headers["Authorization"] == "Bearer token"
        self.asked.append(f"{self.command} {self.path}")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def body(self) -> str:
        text: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return text

    def do_GET(self) -> None:
        page = int(self.path.rpartition("=")[2])
        self.answer(self.comments[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        self.comments.append(comment(len(self.comments), self.body()))
        self.answer({})

    def do_PATCH(self) -> None:
        number = int(self.path.rpartition("/")[2])
        self.comments[number]["body"] = self.body()
        self.answer({})

    def log_message(self, *args: object) -> None:
        """Nothing."""


def comment(number: int, body: str, login: str = "github-actions[bot]") -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": login}}


@pytest.fixture
def github() -> Iterator[HTTPServer]:
    GitHub.comments, GitHub.asked = [], []
    server = HTTPServer(("127.0.0.1", 0), GitHub)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def keep(github: HTTPServer, name: str, text: str) -> None:
    answer = run(
        "comment.py",
        name,
        given=text,
        GITHUB_API_URL=f"http://127.0.0.1:{github.server_port}",
        GITHUB_REPOSITORY="somebody/streaming-etl",
        GITHUB_TOKEN="token",
        PULL_REQUEST="7",
        NO_PROXY="*",
    )
    assert answer.returncode == 0, answer.stderr


def test_a_comment_is_made_once_and_changed_after_that(github: HTTPServer) -> None:
    for name, text in (("preview of dev", "1"), ("graph", "2"), ("preview of dev", "3")):
        keep(github, name, text)
    assert [found["body"] for found in GitHub.comments] == [
        "<!-- preview of dev -->\n3",
        "<!-- graph -->\n2",
    ]
    issues = "/repos/somebody/streaming-etl/issues"
    assert GitHub.asked[-2:] == [
        f"GET {issues}/7/comments?per_page=100&page=1",
        f"PATCH {issues}/comments/0",
    ]


def test_it_is_found_behind_many_others_and_another_s_comment_is_left_alone(
    github: HTTPServer,
) -> None:
    GitHub.comments += [comment(n, "<!-- graph -->\nmine", "somebody") for n in range(100)]
    GitHub.comments.append(comment(100, "<!-- graph -->\nold"))
    keep(github, "graph", "new")
    assert [found["body"] for found in GitHub.comments[99:]] == [
        "<!-- graph -->\nmine",
        "<!-- graph -->\nnew",
    ]


def test_a_comment_is_no_longer_than_github_takes(github: HTTPServer) -> None:
    keep(github, "graph", "x" * 70_000)
    assert [len(found["body"]) for found in GitHub.comments] == [65_536]
