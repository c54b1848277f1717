"""Buckets must not be public."""

from collections.abc import Iterator

from .resources import UNKNOWN, Resource, Stack
from .rule import Rule, StackRule, Violation

# The second name is the one before pulumi-aws 7.
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
FIX = f"Add a BucketPublicAccessBlock with {', '.join(SWITCHES)} set to true."


def settings_of(stack: Stack, bucket: Resource, *types: str) -> list[Resource]:
    """The resources of these types that configure the bucket."""
    return [it for it in stack.of(*types) if it.refers_to("bucket", bucket, "bucket", "id")]


def not_public(stack: Stack) -> Iterator[Violation]:
    for bucket in stack.of(*BUCKETS):
        blocks = settings_of(stack, bucket, ACCESS_BLOCK)
        if not blocks:
            yield Violation(bucket, "publicAccessBlock", None, "exist for every bucket", FIX)
        for block in blocks:
            for switch in SWITCHES:
                if block.get(switch) not in (True, UNKNOWN):
                    yield Violation(block, switch, block.get(switch), "be true", "Set it to true.")


RULES: list[Rule] = [
    StackRule(
        name="bucket-not-public",
        requires="A bucket blocks public access.",
        reason="Otherwise one mistake in a policy or ACL exposes the data.",
        fix=FIX,
        check=not_public,
    ),
]
