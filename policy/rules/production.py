"""Production stacks must protect tables, buckets and workgroups."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .buckets import BUCKETS, settings_of
from .resources import UNKNOWN, Resource, Stack
from .rule import ResourceRule, Rule, StackRule, Violation

TABLE = "aws:dynamodb/table:Table"
WORKGROUP = "aws:athena/workgroup:Workgroup"
VERSIONINGS = (
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketVersioningV2:BucketVersioningV2",
)

# A pipeline's workgroup of merges has the history of the program's queries, and no saved query.
MERGE_WORKGROUP = re.compile(
    r"[:$]streaming-etl:index:StreamingEtlPipeline\$aws:athena/workgroup:Workgroup"
    r"::[^:]+-merge-workgroup$"
)

STACKS = ("prod", "production", "live")
SETTINGS = {
    "stacks": {
        "type": "array",
        "items": {"type": "string"},
        "default": list(STACKS),
        "description": "Names of production stacks, or words of their names between - _ . / and"
        " digits; * matches any text, in any case.",
    }
}


def is_production(resource: Resource, config: Mapping[str, Any]) -> bool:
    name = resource.stack.lower()
    texts = [name, *re.split(r"[-_./\d]+", name)]
    patterns = [pattern.lower() for pattern in config.get("stacks", STACKS)]
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)


def data_protected(resource: Resource, config: Mapping[str, Any]) -> Iterator[Violation]:
    if not is_production(resource, config):
        return
    must = "be true in a production stack"
    if resource.type == TABLE:
        protected = resource.get("deletionProtectionEnabled")
        if protected not in (True, UNKNOWN):
            fix = "Otherwise `pulumi destroy` deletes the table."
            yield Violation(resource, "deletionProtectionEnabled", protected, must, fix)
        recovery = resource.get("pointInTimeRecovery", "enabled")
        if recovery not in (True, UNKNOWN):
            fix = "Otherwise overwritten items cannot be restored."
            yield Violation(resource, "pointInTimeRecovery.enabled", recovery, must, fix)
    if MERGE_WORKGROUP.search(resource.urn):
        return
    if resource.type in (*BUCKETS, WORKGROUP) and resource.get("forceDestroy") is True:
        must = "be false in a production stack"
        fix = "Otherwise `pulumi destroy` deletes the content too."
        yield Violation(resource, "forceDestroy", True, must, fix)


def buckets_versioned(stack: Stack) -> Iterator[Violation]:
    path, must = "versioningConfiguration.status", 'be "Enabled" in a production stack'
    fix = "Otherwise deleted and overwritten objects cannot be restored."
    for bucket in stack.of(*BUCKETS):
        if not is_production(bucket, stack.config):
            continue
        versionings = settings_of(stack, bucket, *VERSIONINGS)
        if not versionings and bucket.get("versioning", "enabled") is not True:
            yield Violation(bucket, path, None, must, f"Add a BucketVersioning. {fix}")
        for versioning in versionings:
            status = versioning.get("versioningConfiguration", "status")
            if status not in ("Enabled", UNKNOWN):
                yield Violation(versioning, path, status, must, fix)


RULES: list[Rule] = [
    ResourceRule(
        name="production-data-protected",
        requires="Tables, buckets and workgroups of a production stack are protected.",
        reason="Otherwise one `pulumi destroy` deletes the data.",
        fix="Set `protect` and `source.point_in_time_recovery`; remove"
        " `source.deletion_protection`, `lake.force_destroy` and `query.force_destroy`.",
        settings=SETTINGS,
        check=data_protected,
    ),
    StackRule(
        name="production-buckets-versioned",
        requires="Buckets of a production stack keep overwritten and deleted objects.",
        reason="S3 has no other way to restore them.",
        fix="Set `lake.versioning`; other buckets need a BucketVersioning.",
        settings=SETTINGS,
        check=buckets_versioned,
    ),
]
