"""Changes of a customer key, with data that the former one encrypts.

That the engine calls the hook is tested in tests/engine/test_guards.py.
"""

from typing import Any

import pulumi
import pytest

from streaming_etl import LakeArgs
from streaming_etl.components.key_guard import key_findings, keys_of
from streaming_etl.components.pipeline_guard import guarded_inputs
from tests.support.pipeline_settings import pipeline_args

A, B, C = (f"arn:aws:kms:us-east-1:123456789012:key/{name}" for name in "abc")
LAKE = LakeArgs(kms_key_arn=B)


def state(*former: str, **settings: Any) -> dict[str, Any]:
    """The guard's input as Pulumi's state has it."""
    return keys_of(pipeline_args(former_kms_key_arns=former, **settings))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (state(kms_key_arn=A), state(kms_key_arn=B), [("kms_key_arn", A, B)]),
        (state(kms_key_arn=A), state(), [("kms_key_arn", A, None)]),
        # The bucket had the pipeline's key.
        (state(kms_key_arn=A), state(kms_key_arn=A, lake=LAKE), [("lake.kms_key_arn", A, B)]),
        (state(kms_key_arn=A, lake=LAKE), state(kms_key_arn=A), [("lake.kms_key_arn", B, A)]),
        (
            state(kms_key_arn=A, lake=LAKE),
            state(),
            [("kms_key_arn", A, None), ("lake.kms_key_arn", B, None)],
        ),
        (state(kms_key_arn=A), state(C, kms_key_arn=B), [("kms_key_arn", A, B)]),
    ],
)
def test_a_changed_key_must_be_a_former_one(
    old: dict[str, Any], new: dict[str, Any], expected: list[tuple[str, str, str | None]]
) -> None:
    found = [(each.setting, each.old, each.new) for each in key_findings(old, new)]
    assert found == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (state(), state(kms_key_arn=A)),
        (state(kms_key_arn=A), state(A, kms_key_arn=B)),
        (state(kms_key_arn=A), state(A)),
        (state(kms_key_arn=A), state(A, kms_key_arn=A, lake=LAKE)),
        # The setting of earlier versions, for the bucket only.
        (state(lake=LAKE), state(kms_key_arn=B)),
        (state(lake=LAKE), state(kms_key_arn=A, lake=LAKE)),
        # Nothing needs the former key any more.
        (state(A, kms_key_arn=B), state(kms_key_arn=B)),
    ],
)
def test_other_changes_pass(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert list(key_findings(old, new)) == []


def test_a_key_that_only_an_update_knows_passes() -> None:
    output = state(kms_key_arn=pulumi.Output.from_input(B))
    assert list(key_findings(state(kms_key_arn=A), output)) == []
    assert list(key_findings(output, state(kms_key_arn=A))) == []


def test_a_pipeline_without_a_key_has_no_input_for_it() -> None:
    """An update of an earlier version changes no component."""
    assert set(guarded_inputs(pipeline_args())) == {"source", "guarded_lake_tables"}
