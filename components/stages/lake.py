"""Stage 3: the bucket with access restrictions, encryption and lifecycle rules."""

from typing import Optional

import pulumi
import pulumi_aws as aws
from pulumi_aws import s3

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stages import LakeArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import (
    PULUMI_CHARACTERS,
    LakeBucket,
    PipelineContext,
)
from streaming_etl.components.table.layout import (
    BACKFILL_PREFIX,
    DATA_PREFIX,
    ERRORS_PREFIX,
    FAILED_BATCHES_PREFIX,
    QUERY_RESULTS_PREFIX,
    REPLAYED_PREFIX,
    lake_table_name,
)

NONCURRENT_DAYS = 30
ABORT_UPLOAD_DAYS = 7


class Lake:
    """The lake's bucket, which the pipeline creates or shares."""

    bucket: LakeBucket

    def __init__(self, pipeline: PipelineContext, parent: pulumi.Resource) -> None:
        name, args = f"{pipeline.name}-lake", pipeline.args.lake
        if args.bucket_name is not None:
            bucket_name = pulumi.Output.from_input(args.bucket_name)
            arn = pulumi.Output.concat("arn:", pipeline.account.partition, ":s3:::", bucket_name)
            self.bucket = LakeBucket(
                name=bucket_name,
                arn=arn,
                named_arn=iam.ResourceArn(arn, (arn,)),
                depends_on=(),
            )
        else:
            bucket = aws.s3.Bucket(
                f"{name}-bucket",
                force_destroy=pipeline.protection.bucket_force_destroy,
                tags=dict(pipeline.tags),
                opts=pulumi.ResourceOptions(parent=parent),
            )
            rules = lifecycle_rules(pipeline.args)
            rules += change_log_rules(pipeline)
            # failure_events.py creates rules for events of dead-lettered objects.
            events = aws.s3.BucketNotification(
                f"{name}-events",
                bucket=bucket.bucket,
                eventbridge=True,
                opts=pulumi.ResourceOptions(parent=parent),
            )
            log_accesses(name, bucket, args, parent)
            depends_on = (
                *restrict_access(name, bucket, parent),
                *encrypt(name, bucket, pipeline.args.lake_key_arn, parent),
                *configure_retention(name, bucket, args, rules, parent),
                events,
            )
            patterns = (
                pulumi.Output.concat(
                    "arn:", pipeline.account.partition, f":s3:::{each}-{PULUMI_CHARACTERS}"
                )
                for each in pipeline.names_of(f"{name}-bucket")
            )
            self.bucket = LakeBucket(
                name=bucket.bucket,
                arn=bucket.arn,
                named_arn=iam.ResourceArn(bucket.arn, tuple(patterns)),
                depends_on=depends_on,
            )


def restrict_access(
    name: str, bucket: aws.s3.Bucket, parent: pulumi.Resource
) -> list[pulumi.Resource]:
    """Block public access, disable ACLs and require TLS."""
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
        # The Deny applies to every principal.
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = aws.s3.BucketPolicy(
        f"{name}-policy",
        bucket=bucket.bucket,
        policy=iam.policy([tls_only]),
        # S3 returns 409 when a policy and the public access block are written concurrently.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[public_access]),
    )
    # The policy waits for the public access block.
    return [ownership, policy]


def configure_retention(
    name: str,
    bucket: aws.s3.Bucket,
    args: LakeArgs,
    rules: list[s3.BucketLifecycleConfigurationRuleArgsDict],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Configure versioning and lifecycle rules."""
    opts = pulumi.ResourceOptions(parent=parent)
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
        # S3 rejects rules for noncurrent versions of a bucket without versioning.
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[versioning]),
    )
    # The rules wait for versioning.
    return [lifecycle]


def encrypt(
    name: str,
    bucket: aws.s3.Bucket,
    kms_key_arn: Optional[pulumi.Input[str]],
    parent: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Encrypt new objects with the customer key, if there is one.

    Without one, S3 encrypts them with its own keys (SSE-S3), also after this resource is deleted.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketEncryption.html
    """
    if kms_key_arn is None:
        return []
    rule: s3.BucketServerSideEncryptionConfigurationRuleArgsDict = {
        "apply_server_side_encryption_by_default": {
            "sse_algorithm": "aws:kms",
            "kms_master_key_id": kms_key_arn,
        },
        # A bucket key reduces KMS calls, which are billed.
        "bucket_key_enabled": True,
    }
    configuration = aws.s3.BucketServerSideEncryptionConfiguration(
        f"{name}-encryption",
        bucket=bucket.bucket,
        rules=[rule],
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return [configuration]


def log_accesses(name: str, bucket: aws.s3.Bucket, args: LakeArgs, parent: pulumi.Resource) -> None:
    """Log requests to the bucket, if another bucket is configured for it."""
    if args.access_log_bucket is None:
        return
    prefix = args.access_log_prefix
    aws.s3.BucketLogging(
        f"{name}-logging",
        bucket=bucket.bucket,
        target_bucket=args.access_log_bucket,
        target_prefix=pulumi.Output.concat(bucket.bucket, "/") if prefix is None else prefix,
        opts=pulumi.ResourceOptions(parent=parent),
    )


def lifecycle_rules(
    settings: StreamingEtlPipelineArgs,
) -> list[s3.BucketLifecycleConfigurationRuleArgsDict]:
    """Return a rule for the bucket, and one per expiring prefix."""
    args, backfill = settings.lake, settings.backfill
    results_days = args.query_results_retention_days if settings.results_in_bucket else None
    entire_bucket: s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "entire-bucket",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": ABORT_UPLOAD_DAYS},
        "noncurrent_version_expiration": {"noncurrent_days": NONCURRENT_DAYS},
    }
    retention_days = {
        ("data", DATA_PREFIX): args.data_retention_days,
        ("errors", ERRORS_PREFIX): args.failures_retention_days,
        ("failed-batches", FAILED_BATCHES_PREFIX): args.failures_retention_days,
        ("replayed", REPLAYED_PREFIX): args.failures_retention_days,
        ("query-results", QUERY_RESULTS_PREFIX): results_days,
        ("backfill", BACKFILL_PREFIX): backfill.retention_days if backfill.enabled else None,
    }
    rules = [entire_bucket]
    for (rule_id, prefix), days in retention_days.items():
        if days is not None:
            rules.append(expiration_rule(rule_id, prefix, days))
    return rules


def change_log_rules(
    pipeline: PipelineContext,
) -> list[s3.BucketLifecycleConfigurationRuleArgsDict]:
    """Return a rule per lake table whose change log expires.

    S3 expires by the age of an object, and a merged row's object is older than the window.
    """
    return [
        expiration_rule(
            f"data-{key}",
            pulumi.Output.concat(
                DATA_PREFIX,
                pipeline.database_name,
                f"/{lake_table_name(pipeline.args, key)}/",
            ),
            args.merge.change_log_retention_days,
        )
        for key, args in pipeline.args.tables.items()
        if args.merge.change_log_retention_days is not None
    ]


def expiration_rule(
    rule_id: str, prefix: pulumi.Input[str], days: int
) -> s3.BucketLifecycleConfigurationRuleArgsDict:
    """Return a rule that expires the objects below a prefix."""
    return {
        "id": rule_id,
        "status": "Enabled",
        "filter": {"prefix": prefix},
        "expiration": {"days": days},
    }
