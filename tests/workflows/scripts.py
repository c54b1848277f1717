"""The scripts of the workflows, run as a workflow runs them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"


def run(script: str, *args: str, given: str = "", **environment: str) -> Any:
    """How a script ended, and what it said."""
    return subprocess.run(
        [sys.executable, str(GITHUB / script), *args],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
