"""What a pull request is told of its changes to the resource graph."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.scripts import GITHUB

GRAPH = """import sys
text = open(f"Pulumi.{sys.argv[1]}.yaml").read()
sys.exit("Traceback\\nValueError: bad") if "bad" in text else print(text, end="")
"""


class Repository:
    """A repository whose graph is what the stack's file holds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet")
        self.git("config", "user.name", "somebody")
        self.git("config", "user.email", "somebody@example.com")
        (path / ".github").mkdir()
        for script in ("graph_diff.py", "markdown.py", "stacks.py"):
            shutil.copy(GITHUB / script, path / ".github")
        self.write("tools/graph/__main__.py", GRAPH)

    def git(self, *args: str) -> str:
        command = ["git", "-C", str(self.path), *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")

    def diff(self) -> Any:
        script = str(self.path / ".github" / "graph_diff.py")
        return subprocess.run(
            [sys.executable, script, "HEAD^1"], capture_output=True, text=True, check=False
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository(tmp_path)
    found.write("Pulumi.dev.yaml", "a\nb\nc\n")
    found.write("Pulumi.prod.yaml", "a\n")
    found.commit()
    return found


def test_what_a_commit_changes_in_each_stack_s_graph_is_told(repository: Repository) -> None:
    repository.write("Pulumi.dev.yaml", "a\nB\nc\nd ````\n")
    repository.commit()
    assert repository.diff().stdout == (
        "## Changes of the resource graph\n\n"
        "<details><summary><b>dev</b>: 2 lines added, 1 removed</summary>\n\n"
        "`````diff\n--- before\n+++ after\n@@ -1,3 +1,4 @@\n"
        " a\n-b\n+B\n c\n+d ````\n`````\n\n</details>\n\n"
        "<b>prod</b>: no change.\n\n"
    )
    assert len(repository.git("worktree", "list").splitlines()) == 1


def test_a_new_stack_is_all_added_and_one_that_is_gone_all_removed(repository: Repository) -> None:
    repository.write("Pulumi.new.yaml", "a\nb\n")
    (repository.path / "Pulumi.prod.yaml").unlink()
    repository.commit()
    assert [line for line in repository.diff().stdout.splitlines() if "</summary>" in line] == [
        "<details><summary><b>new</b>: 2 lines added, 0 removed</summary>",
        "<details><summary><b>prod</b>: 0 lines added, 1 removed</summary>",
    ]


def test_a_base_that_cannot_tell_its_graph_is_said_to_be_so(repository: Repository) -> None:
    repository.write("Pulumi.dev.yaml", "bad\n")
    repository.commit()
    repository.write("Pulumi.dev.yaml", "good\n")
    repository.commit()
    answer = repository.diff()
    assert answer.returncode == 0
    told = "<b>dev</b>: the graph before cannot be told</summary>\n\n```text\nValueError: bad\n```"
    assert told in answer.stdout


def test_a_commit_that_cannot_tell_its_graph_fails(repository: Repository) -> None:
    repository.write("Pulumi.dev.yaml", "bad\n")
    repository.commit()
    answer = repository.diff()
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "The graph cannot be told: ValueError: bad\n"
    assert len(repository.git("worktree", "list").splitlines()) == 1
