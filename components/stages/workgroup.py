"""Athena workgroups with encrypted results."""

from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.references import LakeBucket, PipelineContext
from streaming_etl.components.table.layout import QUERY_RESULTS_PREFIX

MIB = 1024 * 1024


def create_workgroup(
    name: str,
    physical_name: str,
    pipeline: PipelineContext,
    bucket: LakeBucket,
    parent: pulumi.Resource,
    *,
    force_destroy: bool,
    cutoff_mib: Optional[int] = None,
) -> pulumi.Output[str]:
    """Create a workgroup whose configuration users cannot override; return its name.

    cutoff_mib: Athena cancels a query that scans more; None for no limit.
    """
    return aws.athena.Workgroup(
        name,
        name=physical_name,
        force_destroy=force_destroy,
        configuration={
            "enforce_workgroup_configuration": True,
            "publish_cloudwatch_metrics_enabled": True,
            "bytes_scanned_cutoff_per_query": None if cutoff_mib is None else cutoff_mib * MIB,
            **results(physical_name, pipeline, bucket),
        },
        tags=dict(pipeline.tags),
        opts=pulumi.ResourceOptions(parent=parent),
    ).name


def results(
    physical_name: str, pipeline: PipelineContext, bucket: LakeBucket
) -> aws.athena.WorkgroupConfigurationArgsDict:
    """Return where a workgroup's results are, with their encryption."""
    args = pipeline.args
    if args.query.managed_results:
        managed: aws.athena.WorkgroupConfigurationManagedQueryResultsConfigurationArgsDict = {
            "enabled": True
        }
        if args.kms_key_arn is not None:
            managed["encryption_configuration"] = {"kms_key": args.kms_key_arn}
        return {"managed_query_results_configuration": managed}
    key = args.lake_key_arn
    return {
        "result_configuration": {
            "output_location": bucket.location(QUERY_RESULTS_PREFIX, physical_name, "/"),
            "encryption_configuration": {
                "encryption_option": "SSE_S3" if key is None else "SSE_KMS",
                "kms_key_arn": key,
            },
        },
    }
