"""Recorded events."""

import json
from pathlib import Path
from typing import Any

import pytest

EVENTS = Path(__file__).parent / "events"


@pytest.fixture
def stream_batch() -> list[dict[str, Any]]:
    """Records of a stream event: INSERT, MODIFY, REMOVE and a TTL delete."""
    return json.loads((EVENTS / "stream_batch.json").read_text())["Records"]


@pytest.fixture
def firehose_batch() -> dict[str, Any]:
    """Transform event with the changes of `stream_batch`, as the forwarder sends them."""
    return json.loads((EVENTS / "firehose_batch.json").read_text())
