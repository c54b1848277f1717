"""Fixtures of the component tests: pipelines and wheels."""

from pathlib import Path

import pytest

from streaming_etl.components.packaging import dependencies
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import Pipelines
from tests.support.wheelhouse import Wheelhouse


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    return Pipelines(tmp_path_factory.mktemp("transforms"))


@pytest.fixture(scope="session")
def minimal(pipelines: Pipelines) -> Graph:
    """Return the graph of a pipeline with the required settings."""
    return pipelines.build()


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """Provide all wheels that uv finds, and an empty cache."""
    wheelhouse = Wheelhouse(tmp_path / "wheelhouse")
    wheelhouse.folder.mkdir()
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheelhouse.folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setattr(dependencies, "cache_folder", lambda: tmp_path / "cache")
    core = wheelhouse.line("core", wheelhouse.wheel("core"))
    monkeypatch.setattr(dependencies, "HANDLERS_LOCK", wheelhouse.lock(core, name="handlers.txt"))
    return wheelhouse


@pytest.fixture
def core_pipelines(wheelhouse: Wheelhouse) -> Pipelines:
    """Pipelines of one test, whose handlers need `core` and nothing else."""
    return Pipelines(wheelhouse.folder.parent)
