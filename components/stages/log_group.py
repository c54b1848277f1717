"""Log groups of functions and delivery streams."""

from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import PipelineContext


def create_log_group(
    name: str,
    pipeline: PipelineContext,
    parent: pulumi.Resource,
    *,
    log_group_class: Optional[str] = None,
) -> aws.cloudwatch.LogGroup:
    """Create a log group that expires, encrypted with the customer key.

    log_group_class: None is CloudWatch's default, and the only one with metrics in lines.
    """
    return aws.cloudwatch.LogGroup(
        name,
        retention_in_days=pipeline.args.log_retention_days,
        log_group_class=log_group_class,
        kms_key_id=pipeline.args.kms_key_arn,
        tags=dict(pipeline.tags),
        opts=pulumi.ResourceOptions(parent=parent),
    )
