"""The command line before its packages are installed."""

import subprocess
import sys

from local.__main__ import PACKAGES
from local.emulator.process import ROOT


def test_names_every_missing_package() -> None:
    completed = subprocess.run(
        [sys.executable, "-S", "-m", "local", "demo"], cwd=ROOT, capture_output=True, text=True
    )

    assert completed.returncode == 1
    assert ", ".join(PACKAGES) in completed.stderr
