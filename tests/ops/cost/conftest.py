"""Fixed CPU measurements for bills computed by hand."""

import pytest

from streaming_etl.ops.cost import usage


@pytest.fixture
def fixed_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPU times that do not change with docs/performance.md."""
    forwarder = {"aggregated": (7.0, 17.7, 54.4), "single": (22.2, 51.5, 190.6)}
    transform = {
        ("json", "aggregated"): (6.2, 16.7, 58.0),
        ("json", "single"): (9.8, 20.2, 60.6),
    }
    monkeypatch.setattr(usage, "FORWARDER", forwarder)
    monkeypatch.setattr(usage, "TRANSFORM", transform)
