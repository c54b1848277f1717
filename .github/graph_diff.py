"""What the checked-out commit changes in every stack's resource graph, as Markdown.

    python .github/graph_diff.py HEAD^1

Both graphs are told by this environment, so that a difference is the program's or the config's.
"""

import difflib
import html
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

from markdown import TEXT_LIMIT, folded
from stacks import ROOT, stacks


class GraphError(Exception):
    """A commit's program fails, or it cannot tell its graph yet."""


@contextmanager
def checked_out(commit: str, root: Path) -> Iterator[Path]:
    """The commit's files, beside those that are worked on."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "base"
        git = ["git", "-C", str(root), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(path), commit], check=True)
        try:
            yield path
        finally:
            subprocess.run([*git, "remove", "--force", str(path)], check=True)


def graph(directory: Path, stack: str) -> str:
    """The stack's graph as `make graph` tells it; nothing where there is no such stack."""
    if stack not in stacks(directory):
        return ""
    command = [sys.executable, "-m", "tools.graph", stack]
    answer = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if answer.returncode:
        reason = answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"]
        raise GraphError(reason[-1])
    return answer.stdout


def change(before: str, after: str) -> Optional[str]:
    """The two as `diff -u` tells them apart, None when they are the same."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "before", "after", lineterm=""
    )
    return "\n".join(lines) or None


def told(stack: str, diff: Optional[str], limit: int) -> str:
    if diff is None:
        return f"<b>{html.escape(stack)}</b>: no change.\n"
    body = diff.splitlines()[2:]
    added = sum(line.startswith("+") for line in body)
    removed = sum(line.startswith("-") for line in body)
    return folded(stack, f"{added:,} lines added, {removed:,} removed", diff, "diff", limit)


def report(base: str, root: Path) -> str:
    """A section for every stack of either commit."""
    parts = ["## Changes of the resource graph\n"]
    with checked_out(base, root) as before:
        names = sorted({*stacks(before), *stacks(root)})
        for stack in names:
            after = graph(root, stack)
            try:
                diff = change(graph(before, stack), after)
            except GraphError as error:
                parts.append(folded(stack, "the graph before cannot be told", str(error)))
            else:
                parts.append(told(stack, diff, TEXT_LIMIT // len(names)))
    return "\n".join(parts)


if __name__ == "__main__":
    try:
        print(report(sys.argv[1], ROOT))
    except GraphError as failed:
        sys.exit(f"The graph cannot be told: {failed}")
