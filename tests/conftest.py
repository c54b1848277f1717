"""Time zone, collector and Hypothesis examples of all tests; a copied project."""

import gc
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import settings

from tools.project import ROOT

# Local time for UTC would pass every test on a machine in UTC. In this zone the day of most test
# data is another one too.
os.environ["TZ"] = "<-0930>9:30"
if hasattr(time, "tzset"):
    time.tzset()

# Graphs of many pipelines have hundreds of thousands of objects, and the default of 700 new objects
# per collection doubles the time of these tests. The program itself disables the collector.
gc.set_threshold(100_000, 50, 50)

# The same examples in every run, and no failure on a busy machine.
settings.register_profile("tests", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("tests")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, without what a run leaves behind."""
    for name in ("components", "handlers", "ops", "stack", "tools", "transforms", "tests"):
        without = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=without)
    shutil.copytree(ROOT / "streaming_etl", tmp_path / "streaming_etl", symlinks=True)
    for name in ("__main__.py", "Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    # Each copy shares the cached wheels, so that none downloads them again.
    (ROOT / ".build").mkdir(exist_ok=True)
    (tmp_path / ".build").symlink_to(ROOT / ".build")
    return tmp_path
