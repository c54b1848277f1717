"""Stage 1: the forwarder, its event source mapping and its failure destination."""

import json
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from streaming_etl.components.packaging.archive import forwarder_archive
from streaming_etl.components.settings.stages import EVENT_NAMES, ForwarderArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.lambda_function import create_function
from streaming_etl.components.stages.references import (
    DeliveryStream,
    Function,
    LakeBucket,
    PipelineContext,
)
from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX


class Forwarder:
    """The forwarder function and its event source mapping.

    deliveries: the delivery streams by the names of `pipeline.forwarder_config`'s routes.
    """

    function: Function
    mapping: aws.lambda_.EventSourceMapping
    mapping_id: pulumi.Output[str]
    failed_batches_path: pulumi.Output[str]
    failed_batches_location: pulumi.Output[str]

    def __init__(
        self,
        pipeline: PipelineContext,
        stream: iam.ResourceArn,
        table_keys: Sequence[pulumi.Input[str]],
        bucket: LakeBucket,
        deliveries: Mapping[str, DeliveryStream],
        parent: pulumi.Resource,
    ) -> None:
        self.parent = parent
        name, args = f"{pipeline.name}-forwarder", pipeline.args.forwarder
        statements = [
            *self.statements(pipeline, stream, bucket, deliveries),
            *iam.allow_table_keys(table_keys),
        ]
        self.function = create_function(
            name,
            pipeline,
            archive=forwarder_archive(pipeline.forwarder_packages, pipeline.forwarder_config),
            handler="streaming_etl.handlers.forwarder.lambda_handler",
            timeout_seconds=args.timeout_seconds,
            memory_mib=args.memory_mib,
            parent=parent,
            statements=statements,
            reserved_concurrency=args.reserved_concurrency,
            # Known to AWS only, so not in the archive.
            environment={
                "DELIVERY_STREAMS": pulumi.Output.json_dumps(
                    {route: delivery.name for route, delivery in deliveries.items()}
                )
            },
        )
        depends_on = [each for delivery in deliveries.values() for each in delivery.depends_on]
        self.mapping = self.create_mapping(
            f"{name}-mapping", pipeline, stream.arn, bucket, depends_on
        )
        self.mapping_id = self.mapping.uuid
        self.failed_batches_path = pulumi.Output.concat(FAILED_BATCHES_PREFIX, self.mapping_id, "/")
        self.failed_batches_location = bucket.location(self.failed_batches_path)

    def statements(
        self,
        pipeline: PipelineContext,
        stream: iam.ResourceArn,
        bucket: LakeBucket,
        deliveries: Mapping[str, DeliveryStream],
    ) -> list[iam.Statement]:
        """Allow to read the stream, to forward and to dead-letter."""
        account = pipeline.account
        # A deleted bucket's name can be taken by another account.
        own_bucket = {"StringEquals": {"s3:ResourceAccount": account.account_id}}
        read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        return [
            iam.allow(read, [stream]),
            # ListStreams does not support resources other than `*`.
            iam.allow(["dynamodb:ListStreams"], ["*"]),
            iam.allow(["firehose:PutRecordBatch"], [each.arn for each in deliveries.values()]),
            iam.allow(["s3:PutObject"], [bucket.objects(FAILED_BATCHES_PREFIX)], own_bucket),
            iam.allow(["s3:ListBucket"], [bucket.named_arn], own_bucket),
            *pipeline.allow_lake_key("kms:GenerateDataKey"),
        ]

    def create_mapping(
        self,
        name: str,
        pipeline: PipelineContext,
        stream_arn: pulumi.Output[str],
        bucket: LakeBucket,
        depends_on: Sequence[pulumi.Resource],
    ) -> aws.lambda_.EventSourceMapping:
        """Create the event source mapping; its failure destination is the bucket."""
        args = pipeline.args.forwarder
        filters = [
            aws.lambda_.EventSourceMappingFilterCriteriaFilterArgs(pattern=pattern)
            for pattern in filter_patterns(args)
        ]
        return aws.lambda_.EventSourceMapping(
            name,
            event_source_arn=stream_arn,
            function_name=self.function.resource.arn,
            # With LATEST, changes could be missed while AWS creates the mapping.
            starting_position="TRIM_HORIZON",
            batch_size=args.batch_size,
            maximum_batching_window_in_seconds=pipeline.args.batching_window_seconds,
            parallelization_factor=args.parallelization_factor,
            maximum_retry_attempts=args.maximum_retry_attempts,
            # Throttled calls do not count as retries; only the age limits them.
            maximum_record_age_in_seconds=args.maximum_record_age_seconds,
            # Bisecting isolates a failing change in log2(batch_size) calls, so that the other
            # changes of its batch are not dead-lettered.
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=(
                aws.lambda_.EventSourceMappingFilterCriteriaArgs(filters=filters)
                if filters
                else None
            ),
            # Only S3 receives the complete changes. SQS and SNS receive sequence numbers, whose
            # changes expire in the stream after 24 hours.
            destination_config=aws.lambda_.EventSourceMappingDestinationConfigArgs(
                on_failure=aws.lambda_.EventSourceMappingDestinationConfigOnFailureArgs(
                    destination_arn=bucket.arn
                )
            ),
            # Lambda rejects a key of no filters.
            kms_key_arn=pipeline.args.kms_key_arn if filters else None,
            metrics_config=aws.lambda_.EventSourceMappingMetricsConfigArgs(metrics=["EventCount"]),
            tags=dict(pipeline.tags),
            opts=pulumi.ResourceOptions(
                parent=self.parent,
                # AWS rejects a second mapping of the same stream and function with 409.
                delete_before_replace=True,
                # The first batch needs all permissions and the restricted bucket.
                depends_on=depends_on,
            ),
        )


def filter_patterns(args: ForwarderArgs) -> list[str]:
    """Return the filter patterns of the mapping, which save invocations.

    The forwarder filters event names again, because the documentation of AWS is contradictory about
    filters outside the key `dynamodb`.
    """
    if args.filter_patterns:
        return list(args.filter_patterns)
    if set(args.event_names) != set(EVENT_NAMES):
        return [json.dumps({"eventName": list(args.event_names)})]
    return []
