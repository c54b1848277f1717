"""What the component tests share: pipelines that are built once in a session."""

import pytest

from tests.components.pipelines import Pipelines
from tests.graph import Graph


@pytest.fixture(scope="session")
def pipelines(tmp_path_factory: pytest.TempPathFactory) -> Pipelines:
    return Pipelines(tmp_path_factory.mktemp("transforms"))


@pytest.fixture(scope="session")
def minimal(pipelines: Pipelines) -> Graph:
    """The graph of a pipeline with the three settings that must be given."""
    return pipelines.build()
