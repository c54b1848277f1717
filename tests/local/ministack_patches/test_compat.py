"""Patches of a ministack that lacks some of its private API."""

from types import ModuleType

import pytest
from ministack.services import athena, dynamodb, firehose, lambda_svc

from local.ministack_patches import export
from local.ministack_patches.athena import engine
from local.ministack_patches.compat import IncompatibleMinistackError
from local.ministack_patches.event_source_mapping import poller
from local.ministack_patches.firehose import intake


@pytest.mark.parametrize(
    ("patch", "module", "name"),
    [
        (engine, athena, "_data_format"),
        (export, dynamodb, "_exports"),
        (intake, firehose, "_convert_to_parquet"),
        (poller, lambda_svc, "_apply_filter_criteria"),
    ],
)
def test_rejects_a_ministack_without_the_private_api_in_use(
    monkeypatch: pytest.MonkeyPatch, patch: ModuleType, module: ModuleType, name: str
) -> None:
    monkeypatch.delattr(module, name)

    with pytest.raises(IncompatibleMinistackError) as raised:
        patch.install()

    assert raised.value.missing == [f"{module.__name__}.{name}"]
