"""Cases of the rules for buckets."""

import json
from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made, urn

BUCKET = "s3/bucket:Bucket"
BLOCK = "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
POLICY = "s3/bucketPolicy:BucketPolicy"

ALL = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}
RAW = made(BUCKET, "raw", {"bucket": "raw-1234567"})
# As a preview may tell it: even the bucket's name is unknown.
NEW = made(BUCKET, "new", {"bucket": UNKNOWN})
LOGS = made(BUCKET, "logs", {"bucket": "logs-1234567"})

OPEN = (
    "no BucketPublicAccessBlock names this bucket: one slip in a policy or an ACL opens it to"
    " everybody; add one with blockPublicAcls, blockPublicPolicy, ignorePublicAcls,"
    " restrictPublicBuckets set to true."
)
UNENCRYPTED = (
    "no BucketServerSideEncryptionConfiguration names this bucket: the program must say which key"
    ' it is; add one with sseAlgorithm "AES256" or "aws:kms".'
)
PLAIN = (
    "no statement of this bucket's policy denies all that comes without TLS; add one that denies"
    ' "s3:*" to "*" on the bucket and its objects where aws:SecureTransport is "false", under no'
    " other condition."
)


def of(bucket: Resource, kind: str, name: str, **props: Any) -> Resource:
    """A resource that sets a bucket up, told by the bucket's name."""
    return made(kind, name, {"bucket": bucket.get("bucket"), **props})


def of_new(kind: str, name: str, **props: Any) -> Resource:
    """The same in a preview, where only what the name is made from is known."""
    return made(kind, name, {"bucket": UNKNOWN, **props}, bucket=urn(BUCKET, "new"))


def tls(**changed: Any) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::raw-1234567", "arn:aws:s3:::raw-1234567/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        **changed,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


CLOSED = [
    Case("a closed bucket", "bucket-closed", [RAW, of(RAW, BLOCK, "block", **ALL)]),
    Case("a closed bucket in a preview", "bucket-closed", [NEW, of_new(BLOCK, "block", **ALL)]),
    Case(
        "switches that are unknown as yet",
        "bucket-closed",
        [RAW, of(RAW, BLOCK, "block", **dict.fromkeys(ALL, UNKNOWN))],
    ),
    Case("a bucket without a block", "bucket-closed", [RAW], [("raw", OPEN)]),
    Case(
        "a bucket beside another's block",
        "bucket-closed",
        [RAW, LOGS, of(LOGS, BLOCK, "block", **ALL)],
        [("raw", OPEN)],
    ),
    Case(
        "a bucket beside another's block in a preview",
        "bucket-closed",
        [RAW, NEW, of_new(BLOCK, "block", **ALL)],
        [("raw", OPEN)],
    ),
    Case(
        "a bucket of the older type",
        "bucket-closed",
        [made("s3/bucketV2:BucketV2", "old", {"bucket": "old"})],
        [("old", OPEN)],
    ),
    Case(
        "a block with a switch off and one left out",
        "bucket-closed",
        [
            RAW,
            of(RAW, BLOCK, "block", **{**ALL, "blockPublicAcls": False, "ignorePublicAcls": None}),
        ],
        [
            (
                "block",
                "blockPublicAcls=false: all four switches must be true; set it to true.",
            ),
            (
                "block",
                "ignorePublicAcls is not set: all four switches must be true; set it to true.",
            ),
        ],
    ),
]

ENCRYPTED = [
    Case("an encrypted bucket", "bucket-encrypted", [RAW, of(RAW, ENCRYPTION, "key")]),
    Case("an encrypted bucket in a preview", "bucket-encrypted", [NEW, of_new(ENCRYPTION, "key")]),
    Case(
        "encryption inside the bucket",
        "bucket-encrypted",
        [made(BUCKET, "raw", {"serverSideEncryptionConfiguration": {"rule": {}}})],
    ),
    Case("a bucket without encryption", "bucket-encrypted", [RAW], [("raw", UNENCRYPTED)]),
    Case(
        "a bucket of which S3 will tell its default in the update",
        "bucket-encrypted",
        [made(BUCKET, "raw", {"serverSideEncryptionConfiguration": UNKNOWN})],
        [("raw", UNENCRYPTED)],
    ),
]

TLS_ONLY = [
    Case("a bucket by TLS only", "bucket-tls-only", [RAW, of(RAW, POLICY, "tls", policy=tls())]),
    *(
        Case(
            f"a policy that tells {says}",
            "bucket-tls-only",
            [RAW, of(RAW, POLICY, "tls", policy=tls(**changed))],
        )
        for says, changed in {
            "everybody as accounts": {"Principal": {"AWS": "*"}},
            "everybody as a list of accounts": {"Principal": {"AWS": ["*"]}},
            "every action": {"Action": "*"},
            "the actions in capitals, in a list": {"Action": ["S3:*"]},
            "every resource": {"Resource": "*"},
            "bucket and objects at once": {"Resource": "arn:aws-cn:s3:::raw-1234567*"},
            "the condition by its other spelling": {
                "Condition": {"bool": {"AWS:securetransport": [False]}}
            },
            "the condition if it exists": {
                "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}
            },
        }.items()
    ),
    Case(
        "a policy with a resource that is unknown as yet",
        "bucket-tls-only",
        [
            RAW,
            of(
                RAW,
                POLICY,
                "tls",
                policy={"Statement": [{**json.loads(tls())["Statement"], "Resource": [UNKNOWN]}]},
            ),
        ],
    ),
    Case(
        "a policy of a bucket whose name is unknown as yet",
        "bucket-tls-only",
        [NEW, of_new(POLICY, "tls", policy=tls())],
    ),
    Case(
        "a policy that is unknown as yet",
        "bucket-tls-only",
        [NEW, of_new(POLICY, "tls", policy=UNKNOWN)],
    ),
    Case(
        "a policy inside the bucket",
        "bucket-tls-only",
        [made(BUCKET, "raw", {"bucket": "raw-1234567", "policy": tls()})],
    ),
    Case("a bucket without a policy", "bucket-tls-only", [RAW], [("raw", PLAIN)]),
    Case(
        "a bucket of which S3 will tell its policy in the update",
        "bucket-tls-only",
        [made(BUCKET, "raw", {"bucket": "raw", "policy": UNKNOWN})],
        [("raw", PLAIN)],
    ),
    *(
        Case(
            f"a policy that {says}",
            "bucket-tls-only",
            [RAW, of(RAW, POLICY, "tls", policy=tls(**changed))],
            [("tls", PLAIN)],
        )
        for says, changed in {
            "allows": {"Effect": "Allow"},
            "denies one role": {"Principal": {"AWS": "arn:aws:iam::123456789012:role/r"}},
            "denies reading only": {"Action": "s3:GetObject"},
            "denies what comes by TLS": {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
            "denies another condition": {"Condition": {"StringEquals": {"aws:userid": "u"}}},
            "denies under one more condition": {
                "Condition": {
                    "Bool": {"aws:SecureTransport": "false"},
                    "StringEquals": {"aws:userid": "u"},
                }
            },
            "denies under one more condition of a kind": {
                "Condition": {"Bool": {"aws:SecureTransport": "false", "aws:ViaAWSService": "true"}}
            },
            "is about the bucket only": {"Resource": "arn:aws:s3:::raw-1234567"},
            "is about the objects only": {"Resource": "arn:aws:s3:::raw-1234567/*"},
            "is about another bucket": {
                "Resource": ["arn:aws:s3:::logs-1234567", "arn:aws:s3:::logs-1234567/*"]
            },
            "is about all but": {"Resource": None, "NotResource": "arn:aws:s3:::raw-1234567/a"},
        }.items()
    ),
]

CASES = [*CLOSED, *ENCRYPTED, *TLS_ONLY]
