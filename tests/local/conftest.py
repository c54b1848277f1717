"""One embedded AWS for all tests of a session."""

import signal
from collections.abc import Iterator

import pytest

from local.emulator.process import Emulator
from streaming_etl.stack.clients import Clients

REGION = "ap-northeast-1"


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(REGION) as running:
        yield running


@pytest.fixture(scope="session")
def aws(emulator: Emulator) -> Clients:
    return emulator.clients


@pytest.fixture(scope="session", autouse=True)
def default_interrupts() -> None:
    """Handle SIGINT, which a run in the background ignores."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
