"""Stage 3: the bucket, closed and encrypted, and the life of what lies in it."""

import pulumi
import pulumi_aws as aws
from pulumi_aws import s3

from streaming_etl.components.settings.backfill import BackfillArgs
from streaming_etl.components.settings.stages import LakeArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.document import concat
from streaming_etl.components.stages.references import LakeBucket, Pipeline
from streaming_etl.components.table.layout import (
    BACKFILL_PREFIX,
    DATA_PREFIX,
    ERRORS_PREFIX,
    FAILED_BATCHES_PREFIX,
    QUERY_RESULTS_PREFIX,
    REPLAYED_PREFIX,
)

NONCURRENT_DAYS = 30
ABORT_UPLOAD_DAYS = 7


class Lake(pulumi.ComponentResource):
    """Outputs: `bucket`."""

    bucket: LakeBucket

    def __init__(self, pipeline: Pipeline, opts: pulumi.ResourceOptions) -> None:
        name, args = f"{pipeline.name}-lake", pipeline.args.lake
        super().__init__("streaming-etl:index:Lake", name, None, opts)
        if args.bucket_name is not None:
            bucket_name = pulumi.Output.from_input(args.bucket_name)
            arn = concat("arn:", pipeline.account.partition, ":s3:::", bucket_name)
            self.bucket = LakeBucket(name=bucket_name, arn=arn, ready=())
        else:
            bucket = aws.s3.Bucket(
                f"{name}-bucket",
                force_destroy=args.force_destroy,
                tags=dict(pipeline.tags),
                opts=pulumi.ResourceOptions(parent=self),
            )
            rules = lifecycle_rules(args, pipeline.args.backfill)
            kept = keep_bucket(name, bucket, args, rules, self)
            ready = [*close_bucket(name, bucket, self), *kept]
            # What is set aside becomes an event, which an alarm waits for.
            aws.s3.BucketNotification(
                f"{name}-events",
                bucket=bucket.bucket,
                eventbridge=True,
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.bucket = LakeBucket(name=bucket.bucket, arn=bucket.arn, ready=tuple(ready))
        self.register_outputs({"bucketName": self.bucket.name})


def close_bucket(
    name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """Nothing public, no ACLs, TLS only."""
    opts = pulumi.ResourceOptions(parent=parent)
    public_access = aws.s3.BucketPublicAccessBlock(
        f"{name}-public-access",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    ownership = aws.s3.BucketOwnershipControls(
        f"{name}-ownership",
        bucket=bucket.bucket,
        rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
        opts=opts,
    )
    tls_only = {
        "Effect": "Deny",
        # Everybody: who comes without TLS is turned away, whoever it is.
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket.arn, concat(bucket.arn, "/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=iam.policy([tls_only]),
        # S3 answers 409 when a policy and the public access block are written at once.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[public_access]),
    )
    return [public_access, ownership, policy]


def keep_bucket(
    name: str,
    bucket: aws.s3.Bucket,
    args: LakeArgs,
    rules: list[s3.BucketLifecycleConfigurationRuleArgsDict],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Encryption, versions and lifecycle."""
    opts = pulumi.ResourceOptions(parent=parent)
    algorithm: s3.BucketServerSideEncryptionConfigurationRuleArgsDict = {
        "apply_server_side_encryption_by_default": {
            "sse_algorithm": "AES256" if args.kms_key_arn is None else "aws:kms",
            "kms_master_key_id": args.kms_key_arn,
        },
        # One data key for many objects: fewer KMS calls to pay for.
        "bucket_key_enabled": args.kms_key_arn is not None,
    }
    encryption = aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[algorithm],
        opts=opts,
    )
    versioning = aws.s3.BucketVersioning(
        f"{name}-versioning",
        bucket=bucket.bucket,
        versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(
            status="Enabled" if args.versioning else "Suspended"
        ),
        opts=opts,
    )
    lifecycle = aws.s3.BucketLifecycleConfiguration(
        f"{name}-lifecycle",
        bucket=bucket.bucket,
        rules=rules,
        # S3 refuses rules for noncurrent versions of a bucket that has none yet.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[versioning]),
    )
    return [encryption, versioning, lifecycle]


def lifecycle_rules(
    args: LakeArgs, backfill: BackfillArgs
) -> list[s3.BucketLifecycleConfigurationRuleArgsDict]:
    """One rule for the whole bucket, and one per prefix whose objects have an end."""
    whole: s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "whole-bucket",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_UPLOAD_DAYS},
        "noncurrent_version_expiration": {"noncurrent_days": NONCURRENT_DAYS},
    }
    ends = {
        ("data", DATA_PREFIX): args.data_retention_days,
        ("errors", ERRORS_PREFIX): args.failures_retention_days,
        ("failed-batches", FAILED_BATCHES_PREFIX): args.failures_retention_days,
        ("replayed", REPLAYED_PREFIX): args.failures_retention_days,
        ("query-results", QUERY_RESULTS_PREFIX): args.query_results_retention_days,
        ("backfill", BACKFILL_PREFIX): backfill.retention_days if backfill.enabled else None,
    }
    rules = [whole]
    for (rule_id, prefix), days in ends.items():
        if days is not None:
            rules.append(
                {
                    "id": rule_id,
                    "status": "Enabled",
                    "filter": {"prefix": prefix},
                    "expiration": {"days": days},
                }
            )
    return rules
