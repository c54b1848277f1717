"""Buckets: closed to the public, encrypted, reached by TLS only."""

from fnmatch import fnmatchcase
from typing import Any

from .documents import Statement, conditions, statements
from .resources import UNKNOWN, Found, Resource, Stack, listed, told
from .rule import Rule, StackRule

# The second names are those that pulumi-aws had before version 7.
BUCKETS = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
ENCRYPTIONS = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2",
)
ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"

SWITCHES = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def beside(stack: Stack, bucket: Resource, *types: str) -> list[Resource]:
    """The resources that set a bucket up."""
    return [other for other in stack.of(*types) if other.names("bucket", bucket, "bucket", "id")]


def closed(stack: Stack) -> Found:
    for bucket in stack.of(*BUCKETS):
        blocks = beside(stack, bucket, ACCESS_BLOCK)
        if not blocks:
            yield (
                bucket,
                "no BucketPublicAccessBlock names this bucket: one slip in a policy or an ACL opens"
                f" it to everybody; add one with {', '.join(SWITCHES)} set to true.",
            )
        for block in blocks:
            for switch in SWITCHES:
                if block.get(switch) not in (True, UNKNOWN):
                    problem = told(switch, block.get(switch))
                    yield block, f"{problem}: all four switches must be true; set it to true."


def encrypted(stack: Stack) -> Found:
    for bucket in stack.of(*BUCKETS):
        own = bucket.get("serverSideEncryptionConfiguration")
        # Unknown, it is what S3 will tell of the bucket, and nothing that the program says.
        if not beside(stack, bucket, *ENCRYPTIONS) and (own is UNKNOWN or not own):
            yield (
                bucket,
                "no BucketServerSideEncryptionConfiguration names this bucket: the program must say"
                ' which key it is; add one with sseAlgorithm "AES256" or "aws:kms".',
            )


def tls_only(stack: Stack) -> Found:
    for bucket in stack.of(*BUCKETS):
        policies = beside(stack, bucket, BUCKET_POLICY)
        documents = [policy.get("policy") for policy in policies]
        # One inside the bucket; unknown, it is what S3 will tell of it.
        documents += [text for text in [bucket.get("policy")] if isinstance(text, str) and text]
        if not any(text is UNKNOWN or denies_without_tls(text, bucket) for text in documents):
            yield (
                policies[0] if policies else bucket,
                "no statement of this bucket's policy denies all that comes without TLS; add one"
                ' that denies "s3:*" to "*" on the bucket and its objects where'
                ' aws:SecureTransport is "false", under no other condition.',
            )


def denies_without_tls(document: Any, bucket: Resource) -> bool:
    return any(
        statement.get("Effect") == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
        and {"*", "s3:*"} & {str(action).lower() for action in listed(statement.get("Action"))}
        and covers(statement, bucket)
        and without_tls(statement)
        for statement in statements(document)
    )


def covers(statement: Statement, bucket: Resource) -> bool:
    """Whether a statement is about a bucket and its objects, as far as both are known."""
    resources, name = statement.get("Resource"), bucket.get("bucket")
    given = resources if isinstance(resources, list) else [resources]
    if not isinstance(name, str) or UNKNOWN in given:
        return True
    # Behind `arn:aws:s3:::`; everything is without it.
    patterns = [str(resource).split(":::")[-1] for resource in given]
    return all(
        any(fnmatchcase(place, pattern) for pattern in patterns) for place in (name, f"{name}/*")
    )


def without_tls(statement: Statement) -> bool:
    """Whether a statement's one condition is that TLS is missing."""
    found = [
        (operator, key, [str(item).lower() for item in listed(value)])
        for operator, key, value in conditions(statement)
    ]
    key, values = "aws:securetransport", ["false"]
    return found in ([("bool", key, values)], [("boolifexists", key, values)])


RULES: list[Rule] = [
    StackRule(
        name="bucket-closed",
        guards="A bucket is closed to the public.",
        reason="One object that anybody can read is a leak that nobody notices.",
        remedy="Add a BucketPublicAccessBlock with all four switches on.",
        check=closed,
    ),
    StackRule(
        name="bucket-encrypted",
        guards="A bucket's encryption stands in the program.",
        reason="Left out, S3 takes a default of its own, and a review cannot see the key.",
        remedy="Add a BucketServerSideEncryptionConfiguration.",
        check=encrypted,
    ),
    StackRule(
        name="bucket-tls-only",
        guards="A bucket takes nothing without TLS.",
        reason="S3 answers plain HTTP too, and rows would cross the network readable.",
        remedy="Add a BucketPolicy that denies where aws:SecureTransport is false.",
        check=tls_only,
    ),
]
