"""One DynamoDB table in, one queryable lake table out: joins the stages, creates nothing else."""

import re
from dataclasses import dataclass
from typing import Optional

import pulumi

from components.catalog import Catalog
from components.delivery import Delivery
from components.forwarder import Forwarder
from components.handles import Pipeline
from components.iam import look_up_account
from components.lake import Lake
from components.lake_table import plan_lake_table
from components.monitoring import Monitoring
from components.query import Query
from components.refusals import refuse
from components.settings import StreamingEtlPipelineArgs
from components.source import Source
from components.transform_module import read_transform_module

PIPELINE_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
# The longest names derived from a pipeline's, with what AWS allows; Pulumi adds 8 characters.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DERIVED_NAMES = {
    "-lake-bucket": 63,
    "-catalog-crawler-role": 64,
    "-transform-function": 64,
    "-delivery-stream": 64,
}
PULUMI_SUFFIX = 8
MAX_PIPELINE_NAME = min(
    limit - len(suffix) - PULUMI_SUFFIX for suffix, limit in DERIVED_NAMES.items()
)


@dataclass(frozen=True, kw_only=True)
class PipelineOutputs:
    """What a person uses of a pipeline."""

    bucket: pulumi.Output[str]
    """Name of the lake's bucket."""
    database: pulumi.Output[str]
    """Glue database."""
    table: pulumi.Output[str]
    """Glue table with a row per change."""
    view: Optional[pulumi.Output[str]]
    """Athena view of the current state; none without COLUMNS or with keys to ask for."""
    workgroup: pulumi.Output[str]
    """Athena workgroup to query in."""
    current_state_query_id: pulumi.Output[str]
    """Saved query of the current state."""
    delivery_stream: pulumi.Output[str]
    """Name of the Firehose delivery stream."""
    source_table: pulumi.Output[str]
    """Name of the DynamoDB table."""
    source_table_arn: pulumi.Output[str]
    """ARN of the DynamoDB table."""
    source_stream_arn: pulumi.Output[str]
    """ARN of its stream."""
    failed_batches_location: pulumi.Output[str]
    """Where batches lie that the forwarder gave up, whole."""
    errors_location: pulumi.Output[str]
    """Where records lie that the transform or Firehose refused, whole."""
    alarm_topic_arn: pulumi.Output[str]
    """SNS topic of the alarms."""
    crawler: Optional[pulumi.Output[str]]
    """Glue crawler; none with projection."""


class StreamingEtlPipeline(pulumi.ComponentResource):
    """From a DynamoDB table's name to an Athena answer.

    name: at most 35 of a-z 0-9 -, unique in the stack; every resource is named after it.
    args: the settings; they and the transform module are checked before any resource exists.

    Raises SettingsError. Outputs stand in `outputs`.
    """

    outputs: PipelineOutputs

    def __init__(
        self,
        name: str,
        args: StreamingEtlPipelineArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
    ) -> None:
        check_pipeline_name(name)
        module = read_transform_module(args.transform_module)
        table = plan_lake_table(args, module)
        super().__init__("streaming-etl:index:StreamingEtlPipeline", name, None, opts)

        child = pulumi.ResourceOptions(parent=self)
        pipeline = Pipeline(
            name=name,
            args=args,
            module=module,
            table=table,
            account=look_up_account(self),
            tags={"streaming-etl:pipeline": name, **args.tags},
        )
        source = Source(pipeline, child)
        lake = Lake(pipeline, child)
        catalog = Catalog(pipeline, lake.bucket, child)
        delivery = Delivery(pipeline, lake.bucket, catalog.entry, child)
        forwarder = Forwarder(pipeline, source.stream_arn, lake.bucket, delivery.stream, child)
        query = Query(pipeline, lake.bucket, catalog.entry, child)
        monitoring = Monitoring(
            pipeline,
            forwarder.function,
            forwarder.mapping_id,
            delivery.transform,
            delivery.stream.name,
            child,
        )

        self.outputs = PipelineOutputs(
            bucket=lake.bucket.name,
            database=catalog.entry.database_name,
            table=catalog.entry.table_name,
            view=query.view_name,
            workgroup=query.workgroup_name,
            current_state_query_id=query.current_state_query_id,
            delivery_stream=delivery.stream.name,
            source_table=source.table_name,
            source_table_arn=source.table_arn,
            source_stream_arn=source.stream_arn,
            failed_batches_location=forwarder.failed_batches_location,
            errors_location=delivery.errors_location,
            alarm_topic_arn=monitoring.topic_arn,
            crawler=catalog.crawler_name,
        )
        self.register_outputs(vars(self.outputs))


def check_pipeline_name(name: str) -> None:
    """Refuse a name from which AWS names cannot be derived."""
    if not isinstance(name, str) or not PIPELINE_NAME.fullmatch(name) or "--" in name:
        raise refuse(
            "name",
            name,
            "is no pipeline name: a-z 0-9 and single - between them, a letter first, because"
            " bucket names derive from it; use lower case.",
        )
    if len(name) > MAX_PIPELINE_NAME:
        raise refuse(
            "name",
            name,
            f"is too long: {len(name)} characters, and AWS names derived from it leave room"
            f" for {MAX_PIPELINE_NAME}; use {MAX_PIPELINE_NAME} or fewer.",
        )
