"""Log groups of functions and delivery streams."""

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import PipelineContext


def create_log_group(
    name: str, pipeline: PipelineContext, parent: pulumi.Resource
) -> aws.cloudwatch.LogGroup:
    """Create a log group that expires, encrypted with the customer key."""
    return aws.cloudwatch.LogGroup(
        name,
        retention_in_days=pipeline.args.log_retention_days,
        kms_key_id=pipeline.args.kms_key_arn,
        tags=dict(pipeline.tags),
        opts=pulumi.ResourceOptions(parent=parent),
    )
