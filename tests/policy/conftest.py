"""The running policy pack, shared by the tests of a session."""

from collections.abc import Iterator

import pytest
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub

from tests.policy.engine import running_pack


@pytest.fixture(scope="session")
def pack() -> Iterator[AnalyzerStub]:
    with running_pack() as stub:
        yield stub
