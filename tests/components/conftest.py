"""What the component tests share: pipelines built once in a session, and wheels made by hand."""

import os
from pathlib import Path

import pytest

from streaming_etl.components.packaging import wheels
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines
from tests.components.wheelhouse import Wheelhouse


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    return Pipelines(tmp_path_factory.mktemp("transforms"))


@pytest.fixture(scope="session")
def minimal(pipelines: Pipelines) -> Graph:
    """The graph of a pipeline with the three settings that must be given."""
    return pipelines.build()


@pytest.fixture
def wheelhouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """All the wheels that pip finds, a build folder of its own, and handlers that need `core`."""
    made = Wheelhouse(tmp_path / "wheelhouse")
    made.folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.folder))
    monkeypatch.setattr(wheels, "BUILD", tmp_path / "build" / "wheels")
    core = made.line("core", made.wheel("core"))
    monkeypatch.setattr(wheels, "HANDLERS_LOCK", made.lock(core, name="handlers.txt"))
    return made


@pytest.fixture
def core_pipelines(wheelhouse: Wheelhouse) -> Pipelines:
    """Pipelines of one test, whose handlers need `core` and nothing else."""
    return Pipelines(wheelhouse.folder.parent)
