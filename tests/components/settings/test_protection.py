"""What `protect`, `retain` and the settings of single resources imply together."""

from typing import Any

import pytest

from streaming_etl import LakeArgs, QueryArgs, SourceArgs
from streaming_etl.components.settings.protection import Protection, resolve_protection
from tests.support.pipeline_settings import pipeline_args

PROTECTED = Protection(
    protect=True,
    retain=False,
    deletion_protection=True,
    bucket_force_destroy=False,
    workgroup_force_destroy=False,
)
RETAINED = Protection(
    protect=False,
    retain=True,
    deletion_protection=True,
    bucket_force_destroy=False,
    workgroup_force_destroy=False,
)
UNPROTECTED = Protection(
    protect=False,
    retain=False,
    deletion_protection=False,
    bucket_force_destroy=True,
    workgroup_force_destroy=True,
)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, PROTECTED),
        ({"retain": True}, RETAINED),
        # A retained table outlives the stack that would delete it.
        ({"retain": True, "protect": False}, RETAINED),
        ({"protect": False}, UNPROTECTED),
    ],
    ids=str,
)
def test_protects_all_resources_or_none(settings: dict[str, Any], expected: Protection) -> None:
    assert resolve_protection(pipeline_args(**settings)) == expected


def test_a_setting_of_one_resource_overrides_protect() -> None:
    deletable = pipeline_args(
        source=SourceArgs(deletion_protection=False),
        lake=LakeArgs(force_destroy=True),
        query=QueryArgs(force_destroy=True),
    )
    assert resolve_protection(deletable) == Protection(
        protect=True,
        retain=False,
        deletion_protection=False,
        bucket_force_destroy=True,
        workgroup_force_destroy=True,
    )
    kept = pipeline_args(
        protect=False,
        source=SourceArgs(deletion_protection=True),
        lake=LakeArgs(force_destroy=False),
        query=QueryArgs(force_destroy=False),
    )
    assert resolve_protection(kept) == Protection(
        protect=False,
        retain=False,
        deletion_protection=True,
        bucket_force_destroy=False,
        workgroup_force_destroy=False,
    )
