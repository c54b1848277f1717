"""Fixtures of several folders: a copy of the project."""

import shutil
from pathlib import Path

import pytest

from tools.project import ROOT


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
