"""The real Pulumi CLI with a provider of each test's own."""

import gc
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS

from local.engine.backend import RecordingBackend
from local.engine.provider import serving
from tests.engine.harness import Engine

REASON = "pulumi is not on the PATH; `make test-engine` finds or builds it"


# The Automation API does not close the event loop of a program that fails.
IGNORED = "ignore::pytest.PytestUnraisableExceptionWarning"


# The SDK does not close its channels either. By default they share the connection to a port, and a
# later engine at the port of an earlier one fails with "Resource monitor has terminated".
_GRPC_CHANNEL_OPTIONS.append(("grpc.use_local_subchannel_pool", 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # `make test-engine` has found or built the CLI: a skipped test would hide that it failed.
    if shutil.which("pulumi") is None and os.environ.get("PULUMI_REQUIRED"):
        raise pytest.UsageError(REASON)
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(IGNORED))
            if shutil.which("pulumi") is None:
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="package", autouse=True)
def garbage() -> Iterator[None]:
    """Collect what is not closed while the last test ignores the warnings."""
    logger = logging.getLogger("grpc._server")
    # A logged traceback would keep it until the end of the session.
    logger.disabled = True
    yield
    logger.disabled = False
    gc.collect()


@pytest.fixture
def backend() -> RecordingBackend:
    return RecordingBackend()


@pytest.fixture
def engine(tmp_path: Path, backend: RecordingBackend) -> Iterator[Engine]:
    with serving(backend) as port:
        yield Engine(tmp_path, port, backend)
