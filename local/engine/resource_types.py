"""Names, computed outputs and replacements of the AWS resource types."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """Properties of one Pulumi type, as pulumi-aws documents them."""

    replace: tuple[str, ...] = ()
    """Inputs whose change replaces the resource; `a.b` is a nested one."""
    auto_name: str | None = None
    """Input that the provider fills with the logical name and 7 random characters."""
    max_name: int = 64
    """Longest automatic name that AWS accepts."""
    computed: tuple[str, ...] = ()
    """Outputs that only AWS knows, so that a preview does not."""


BUCKET_PROPERTY = ResourceType(replace=("bucket",))

# The documentation of each resource marks inputs that force a new resource.
# https://www.pulumi.com/registry/packages/aws/api-docs/
RESOURCE_TYPES: Mapping[str, ResourceType] = {
    "aws:athena/namedQuery:NamedQuery": ResourceType(
        replace=("name", "database", "description", "query", "workgroup"),
        auto_name="name",
        max_name=128,
    ),
    "aws:athena/workgroup:Workgroup": ResourceType(
        replace=("name",), auto_name="name", max_name=128, computed=("arn",)
    ),
    "aws:cloudwatch/dashboard:Dashboard": ResourceType(
        replace=("dashboardName",), computed=("dashboardArn",)
    ),
    "aws:cloudwatch/eventRule:EventRule": ResourceType(
        replace=("name", "eventBusName"), auto_name="name", computed=("arn",)
    ),
    "aws:cloudwatch/eventTarget:EventTarget": ResourceType(
        replace=("rule", "targetId", "eventBusName"), computed=("targetId",)
    ),
    "aws:cloudwatch/logGroup:LogGroup": ResourceType(
        replace=("name", "logGroupClass"), auto_name="name", max_name=512, computed=("arn",)
    ),
    "aws:cloudwatch/logStream:LogStream": ResourceType(
        replace=("name", "logGroupName"), auto_name="name", max_name=512, computed=("arn",)
    ),
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": ResourceType(
        replace=("name", "logGroupName"), auto_name="name", max_name=512
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ResourceType(
        replace=("name",), auto_name="name", max_name=255, computed=("arn",)
    ),
    "aws:dynamodb/table:Table": ResourceType(
        replace=("name", "hashKey", "rangeKey"),
        auto_name="name",
        max_name=255,
        computed=("arn", "streamArn", "streamLabel"),
    ),
    "aws:glue/catalogDatabase:CatalogDatabase": ResourceType(
        replace=("name", "catalogId"), auto_name="name", max_name=255, computed=("arn", "catalogId")
    ),
    "aws:glue/catalogTable:CatalogTable": ResourceType(
        replace=("name", "databaseName", "catalogId", "partitionIndices"),
        auto_name="name",
        max_name=255,
        computed=("arn", "catalogId"),
    ),
    "aws:glue/crawler:Crawler": ResourceType(
        replace=("name",), auto_name="name", max_name=255, computed=("arn",)
    ),
    "aws:iam/role:Role": ResourceType(
        replace=("name", "path"), auto_name="name", computed=("arn", "uniqueId")
    ),
    "aws:iam/rolePolicy:RolePolicy": ResourceType(
        replace=("name", "role"), auto_name="name", max_name=128
    ),
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": ResourceType(
        replace=(
            "name",
            "destination",
            "extendedS3Configuration.dynamicPartitioningConfiguration.enabled",
            "extendedS3Configuration.s3BackupMode",
            "kinesisSourceConfiguration",
        ),
        auto_name="name",
        computed=("arn", "destinationId", "versionId"),
    ),
    "aws:lambda/eventSourceMapping:EventSourceMapping": ResourceType(
        replace=("eventSourceArn", "startingPosition", "startingPositionTimestamp"),
        computed=("arn", "uuid", "functionArn", "state"),
    ),
    "aws:lambda/function:Function": ResourceType(
        replace=("name", "packageType"),
        auto_name="name",
        computed=("arn", "invokeArn", "qualifiedArn", "version", "lastModified"),
    ),
    "aws:s3/bucket:Bucket": ResourceType(
        replace=("bucket", "objectLockEnabled"),
        auto_name="bucket",
        max_name=63,
        computed=("arn", "bucketDomainName", "region"),
    ),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": BUCKET_PROPERTY,
    "aws:s3/bucketNotification:BucketNotification": BUCKET_PROPERTY,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": BUCKET_PROPERTY,
    "aws:s3/bucketPolicy:BucketPolicy": BUCKET_PROPERTY,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": BUCKET_PROPERTY,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        BUCKET_PROPERTY
    ),
    "aws:s3/bucketVersioning:BucketVersioning": BUCKET_PROPERTY,
    "aws:sfn/stateMachine:StateMachine": ResourceType(
        replace=("name", "type"), auto_name="name", max_name=80, computed=("arn", "creationDate")
    ),
    "aws:sns/topic:Topic": ResourceType(
        replace=("name", "fifoTopic"), auto_name="name", max_name=256, computed=("arn", "owner")
    ),
    "aws:sns/topicPolicy:TopicPolicy": ResourceType(replace=("arn",), computed=("owner",)),
    "aws:sns/topicSubscription:TopicSubscription": ResourceType(
        replace=("topic", "protocol", "endpoint"), computed=("arn",)
    ),
}
"""Every type that the program creates."""
