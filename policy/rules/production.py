"""Production stacks: what holds data outlives a mistake."""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from .buckets import BUCKETS, beside
from .resources import UNKNOWN, Found, Resource, Stack, told
from .rule import ResourceRule, Rule, StackRule

TABLE = "aws:dynamodb/table:Table"
WORKGROUP = "aws:athena/workgroup:Workgroup"
VERSIONINGS = (
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:s3/bucketVersioningV2:BucketVersioningV2",
)

STACKS = ("prod", "production", "live")
SETTINGS = {
    "stacks": {
        "type": "array",
        "items": {"type": "string"},
        "default": list(STACKS),
        "description": "Names of the production stacks, or words of their names between - _ . / and"
        " digits; * stands for any text, case does not count.",
    }
}


def is_production(resource: Resource, config: Mapping[str, Any]) -> bool:
    name = resource.stack.lower()
    texts = [name, *re.split(r"[-_./\d]+", name)]
    patterns = [pattern.lower() for pattern in config.get("stacks", STACKS)]
    return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)


def kept(resource: Resource, config: Mapping[str, Any]) -> Iterator[str]:
    if not is_production(resource, config):
        return
    if resource.type == TABLE:
        protected = resource.get("deletionProtectionEnabled")
        if protected not in (True, UNKNOWN):
            yield (
                f"{told('deletionProtectionEnabled', protected)} in a production stack: one"
                " `pulumi destroy` deletes the table; set it to true."
            )
        recovery = resource.get("pointInTimeRecovery", "enabled")
        if recovery not in (True, UNKNOWN):
            yield (
                f"{told('pointInTimeRecovery.enabled', recovery)} in a production stack: what is"
                " overwritten by mistake cannot be had back; set it to true."
            )
    if resource.type in (*BUCKETS, WORKGROUP) and resource.get("forceDestroy") is True:
        yield (
            f"{told('forceDestroy', True)} in a production stack: one `pulumi destroy` deletes it"
            " with all that is in it; drop it."
        )


def versioned(stack: Stack) -> Found:
    for bucket in stack.of(*BUCKETS):
        if not is_production(bucket, stack.config):
            continue
        versionings = beside(stack, bucket, *VERSIONINGS)
        remedy = 'set versioningConfiguration.status to "Enabled".'
        if not versionings and bucket.get("versioning", "enabled") is not True:
            yield (
                bucket,
                "no BucketVersioning names this bucket of a production stack: what is deleted or"
                f" overwritten is gone; add one and {remedy}",
            )
        for versioning in versionings:
            status = versioning.get("versioningConfiguration", "status")
            if status not in ("Enabled", UNKNOWN):
                problem = told("versioningConfiguration.status", status)
                yield (
                    versioning,
                    f"{problem} in a production stack: what is deleted or overwritten is gone;"
                    f" {remedy}",
                )


RULES: list[Rule] = [
    ResourceRule(
        name="production-data-kept",
        guards="In a production stack tables, buckets and workgroups outlive a mistake.",
        reason="A development stack's settings, copied, let one `pulumi destroy` delete the data.",
        remedy="Set `source.deletion_protection` and `source.point_in_time_recovery`, drop"
        " `lake.force_destroy` and `query.force_destroy`.",
        settings=SETTINGS,
        check=kept,
    ),
    StackRule(
        name="production-buckets-versioned",
        guards="In a production stack buckets keep what is overwritten or deleted.",
        reason="S3 has no other way back.",
        remedy="Set `lake.versioning`; other buckets need a BucketVersioning.",
        settings=SETTINGS,
        check=versioned,
    ),
]
