"""One embedded AWS for all tests of a session."""

from collections.abc import Iterator

import pytest

from local.clients import Clients
from local.emulator import Emulator

REGION = "ap-northeast-1"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(REGION) as running:
        yield running


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Clients:
    return emulator.clients
