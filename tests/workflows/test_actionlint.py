"""actionlint finds nothing in the workflows, and does find what is wrong."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflows.scripts import GITHUB, ROOT
from tests.workflows.test_workflows import MAKEFILE, WORKFLOWS


def actionlint(path: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `make lint` runs, over another path."""
    line = re.search(r"^\t\$\(BIN\)/actionlint (.*) \.github/workflows/\*\.yml$", MAKEFILE, re.M)
    assert line is not None
    command = [str(Path(sys.executable).parent / "actionlint"), *shlex.split(line[1]), path]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment or None
    )


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing_whatever_else_is_installed(path: Path, tmp_path: Path) -> None:
    for name in ("shellcheck", "pyflakes"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\necho found something; exit 1\n")
        tool.chmod(0o755)
    found = actionlint(str(path), PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("needs: plan\n", "needs: plam\n", 'needs job "plam" which does not exist'),
        ("contents: read", "contents: reed", '"reed" is invalid'),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-99.04", '"ubuntu-99.04" is unknown'),
        ("timeout-minutes:", "timeout-minute:", 'unexpected key "timeout-minute"'),
        ("steps.stacks.outputs", "steps.stack.outputs", '"stack" is not defined'),
    ],
)
def test_actionlint_finds_what_is_wrong(
    right: str, wrong: str, complaint: str, tmp_path: Path
) -> None:
    text = (GITHUB / "workflows" / "pull-request.yml").read_text()
    assert right in text
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace(right, wrong, 1))
    found = actionlint(str(broken))
    assert found.returncode == 1
    assert complaint in found.stdout
