"""One embedded AWS for all tests of the commands."""

from collections.abc import Iterator

import pytest

from local.emulator.process import Emulator
from streaming_etl.stack.clients import Clients
from tests.local.conftest import REGION


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(REGION) as running:
        yield running


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Clients:
    return emulator.clients
