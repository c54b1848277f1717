"""One embedded AWS for all tests of the commands, and a program's directory for a transform's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.process import Emulator
from streaming_etl.ops.transform_test import module_loader as loaded
from streaming_etl.ops.transform_test import rows
from streaming_etl.ops.transform_test import selection as asked
from streaming_etl.stack.clients import Clients
from tests.local.conftest import REGION
from tests.ops.modules import Modules


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(REGION) as running:
        yield running


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Clients:
    return emulator.clients


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    """A program's directory that is empty yet, and no module loaded before."""
    monkeypatch.setattr(asked, "ROOT", tmp_path)
    monkeypatch.setattr(loaded, "ROOT", tmp_path)
    rows._asked.cache_clear()
    yield Modules(tmp_path)
    rows._asked.cache_clear()
