"""Rules for production stacks."""

from dataclasses import replace
from typing import Any

import pytest

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.resources import resource, violations

PROTECTED = "production-data-protected"
VERSIONED = "production-buckets-versioned"
SAFE = {"deletionProtectionEnabled": True, "pointInTimeRecovery": {"enabled": True}}
BOTH = [
    ("orders", "deletionProtectionEnabled", None),
    ("orders", "pointInTimeRecovery.enabled", None),
]


def table(stack: str, **props: Any) -> Resource:
    return resource("dynamodb/table:Table", "orders", props, stack=stack)


def bucket(stack: str = "prod", **props: Any) -> Resource:
    return resource("s3/bucket:Bucket", "lake", {"bucket": "lake-1", **props}, stack=stack)


PRODUCTION_NAMES = """
prod production live Prod PRODUCTION prod-tokyo prod_eu prod.eu eu-prod eu.Live
etl-production-2 prod2 eu1prod 2live
"""


@pytest.mark.parametrize("stack", PRODUCTION_NAMES.split())
def test_recognises_production_stacks_by_a_word_of_their_name(stack: str) -> None:
    assert violations(PROTECTED, table(stack)) == BOTH
    assert len(violations(VERSIONED, bucket(stack))) == 1


@pytest.mark.parametrize("stack", ["dev", "preprod", "product", "delivery", "reproduction"])
def test_ignores_other_stacks(stack: str) -> None:
    assert violations(PROTECTED, table(stack)) == []
    assert violations(VERSIONED, bucket(stack)) == []


@pytest.mark.parametrize(
    ("stack", "names", "production"),
    [
        ("prod", ["live"], False),
        ("Blue-2", ["BLUE"], True),
        ("ours", ["*"], True),
        ("live-eu", ["live-*"], True),
    ],
)
def test_the_names_of_production_stacks_are_a_setting(
    stack: str, names: list[str], production: bool
) -> None:
    config = {"stacks": names}
    assert bool(violations(PROTECTED, table(stack), config=config)) is production
    assert bool(violations(VERSIONED, bucket(stack), config=config)) is production


def test_accepts_protected_tables_and_buckets() -> None:
    unknown = table("prod", deletionProtectionEnabled=UNKNOWN, pointInTimeRecovery=UNKNOWN)
    good = [table("prod", **SAFE), unknown, bucket(), bucket(forceDestroy=False)]
    assert violations(PROTECTED, *good) == []


def test_accepts_a_merge_workgroup_of_a_pipeline_only() -> None:
    parent = "streaming-etl:index:StreamingEtlPipeline$"
    workgroup = resource(
        "athena/workgroup:Workgroup", "orders-merge-workgroup", {"forceDestroy": True}, stack="prod"
    )
    of_pipeline = replace(
        workgroup, urn=workgroup.urn.replace("::aws:athena", f"::{parent}aws:athena")
    )
    assert of_pipeline.urn != workgroup.urn
    assert violations(PROTECTED, of_pipeline, workgroup) == [
        ("orders-merge-workgroup", "forceDestroy", True)
    ]
    others = replace(of_pipeline, urn=of_pipeline.urn.replace("-merge-", "-query-"))
    assert [value for *_, value in violations(PROTECTED, others)] == [True]


def test_rejects_unprotected_tables_buckets_and_workgroups() -> None:
    off = table("prod", deletionProtectionEnabled=False, pointInTimeRecovery={"enabled": False})
    workgroup = resource(
        "athena/workgroup:Workgroup", "queries", {"forceDestroy": True}, stack="prod"
    )
    assert violations(PROTECTED, off, bucket(forceDestroy=True), workgroup) == [
        ("orders", "deletionProtectionEnabled", False),
        ("orders", "pointInTimeRecovery.enabled", False),
        ("lake", "forceDestroy", True),
        ("queries", "forceDestroy", True),
    ]


def versioning(status: Any) -> Resource:
    props = {"bucket": "lake-1", "versioningConfiguration": {"status": status}}
    return resource("s3/bucketVersioning:BucketVersioning", "versions", props, stack="prod")


STATUS = "versioningConfiguration.status"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([bucket(), versioning("Enabled")], []),
        ([bucket(), versioning(UNKNOWN)], []),
        ([bucket(versioning={"enabled": True})], []),
        ([bucket()], [("lake", STATUS, None)]),
        ([bucket(), versioning("Suspended")], [("versions", STATUS, "Suspended")]),
    ],
)
def test_buckets_of_production_stacks_keep_versions(
    resources: list[Resource], expected: list[tuple[str, str, Any]]
) -> None:
    assert violations(VERSIONED, *resources) == expected
