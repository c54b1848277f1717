"""One embedded AWS for all tests of the commands, and a program's directory for a transform's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator.process import Emulator
from streaming_etl.ops.cost import usage as flow
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
def measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU figures that stay as they are when the benchmark is run anew: what is counted by hand
    rests on them."""
    forwarder = {"packed": (7.0, 17.7, 54.4), "alone": (22.2, 51.5, 190.6)}
    packed, alone, simple = (6.2, 16.7, 58.0), (9.8, 20.2, 60.6), (22.3, 61.6, 236.1)
    transform = {("json", "packed"): packed, ("json", "alone"): alone, ("json", "simple"): simple}
    monkeypatch.setattr(flow, "FORWARDER", forwarder)
    monkeypatch.setattr(flow, "TRANSFORM", transform)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    """A program's directory that is empty yet, and no module loaded before."""
    monkeypatch.setattr(asked, "ROOT", tmp_path)
    monkeypatch.setattr(loaded, "ROOT", tmp_path)
    rows._asked.cache_clear()
    yield Modules(tmp_path)
    rows._asked.cache_clear()
