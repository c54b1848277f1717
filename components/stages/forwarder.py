"""Stage 1: stream -> Lambda -> Firehose, and where given-up batches go."""

import json

import pulumi
import pulumi_aws as aws

from streaming_etl.components.packaging.archive import forwarder_archive
from streaming_etl.components.settings.stages import EVENT_NAMES, ForwarderArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.document import concat
from streaming_etl.components.stages.lambda_function import Function, create_function
from streaming_etl.components.stages.references import DeliveryStream, LakeBucket, Pipeline
from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX


class Forwarder(pulumi.ComponentResource):
    """Outputs: `function`, `mapping_id`, and where failed batches go."""

    function: Function
    mapping_id: pulumi.Output[str]
    failed_batches_path: pulumi.Output[str]
    failed_batches_location: pulumi.Output[str]

    def __init__(
        self,
        pipeline: Pipeline,
        stream_arn: pulumi.Output[str],
        bucket: LakeBucket,
        delivery: DeliveryStream,
        opts: pulumi.ResourceOptions,
    ) -> None:
        name, args = f"{pipeline.name}-forwarder", pipeline.args.forwarder
        super().__init__("streaming-etl:index:Forwarder", name, None, opts)
        self.function = create_function(
            name,
            pipeline,
            archive=forwarder_archive(pipeline.packages.forwarder),
            handler="streaming_etl.handlers.forwarder.lambda_handler",
            timeout_seconds=args.timeout_seconds,
            memory_mib=args.memory_mib,
            parent=self,
            environment={
                "DELIVERY_STREAM": delivery.name,
                "EVENT_NAMES": ",".join(args.event_names),
                "OLD_IMAGE": args.old_image,
                "MAX_CHANGES_PER_RECORD": str(args.max_changes_per_record),
                "MAX_RECORD_KIB": str(args.max_record_kib),
            },
        )
        statements = self.statements(pipeline, stream_arn, bucket, delivery)
        policy = iam.role_policy(f"{name}-policy", self.function.role, statements, self)
        mapping = self.create_mapping(
            f"{name}-mapping", pipeline, stream_arn, bucket, [policy, *delivery.ready]
        )
        self.mapping_id = mapping.uuid
        self.failed_batches_path = concat(FAILED_BATCHES_PREFIX, mapping.uuid, "/")
        self.failed_batches_location = bucket.location(self.failed_batches_path)
        self.register_outputs({"failedBatchesLocation": self.failed_batches_location})

    def statements(
        self,
        pipeline: Pipeline,
        stream_arn: pulumi.Output[str],
        bucket: LakeBucket,
        delivery: DeliveryStream,
    ) -> list[iam.Statement]:
        """Read the stream, put on the delivery stream, set failed batches aside."""
        key, account = pipeline.args.lake.kms_key_arn, pipeline.account
        # The bucket must be this account's, should its name ever pass to another.
        own_bucket = {"StringEquals": {"s3:ResourceAccount": account.account_id}}
        read = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        return [
            iam.allow(read, [stream_arn]),
            # ListStreams knows no resource: it can be allowed on everything only.
            iam.allow(["dynamodb:ListStreams"], ["*"]),
            iam.allow(["firehose:PutRecordBatch"], [delivery.arn]),
            iam.allow(["s3:PutObject"], [bucket.objects(FAILED_BATCHES_PREFIX)], own_bucket),
            iam.allow(["s3:ListBucket"], [bucket.arn], own_bucket),
            *iam.allow_key(key, account, ["kms:GenerateDataKey"]),
        ]

    def create_mapping(
        self,
        name: str,
        pipeline: Pipeline,
        stream_arn: pulumi.Output[str],
        bucket: LakeBucket,
        depends_on: list[pulumi.Resource],
    ) -> aws.lambda_.EventSourceMapping:
        """The event source mapping: few retries, then the whole batch goes to the bucket."""
        args = pipeline.args.forwarder
        filters = [
            aws.lambda_.EventSourceMappingFilterCriteriaFilterArgs(pattern=pattern)
            for pattern in filter_patterns(args)
        ]
        return aws.lambda_.EventSourceMapping(
            name,
            event_source_arn=stream_arn,
            function_name=self.function.resource.arn,
            # LATEST can miss what is written while the mapping is being created.
            starting_position="TRIM_HORIZON",
            batch_size=args.batch_size,
            maximum_batching_window_in_seconds=args.batching_window_seconds,
            parallelization_factor=args.parallelization_factor,
            maximum_retry_attempts=args.maximum_retry_attempts,
            # Throttles do not count as retries: without an age they would block for a day.
            maximum_record_age_in_seconds=args.maximum_record_age_seconds,
            # Halving a failing batch finds the bad change in log2(batch_size) tries,
            # so the good changes around it are not set aside with it.
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            filter_criteria=(
                aws.lambda_.EventSourceMappingFilterCriteriaArgs(filters=filters)
                if filters
                else None
            ),
            # S3 alone receives the changes themselves; SQS and SNS would get sequence numbers
            # whose data is gone after a day.
            destination_config=aws.lambda_.EventSourceMappingDestinationConfigArgs(
                on_failure=aws.lambda_.EventSourceMappingDestinationConfigOnFailureArgs(
                    destination_arn=bucket.arn
                )
            ),
            metrics_config=aws.lambda_.EventSourceMappingMetricsConfigArgs(metrics=["EventCount"]),
            tags=dict(pipeline.tags),
            opts=pulumi.ResourceOptions(
                parent=self,
                # AWS refuses a second mapping of the same stream and function with 409.
                delete_before_replace=True,
                # The first batch needs every permission and the closed bucket in place.
                depends_on=depends_on,
            ),
        )


def filter_patterns(args: ForwarderArgs) -> list[str]:
    """The mapping's filters. They save invocations; the forwarder itself sorts kinds out again,
    because AWS's pages disagree on filters outside the `dynamodb` key."""
    if args.filter_patterns:
        return list(args.filter_patterns)
    if set(args.event_names) != set(EVENT_NAMES):
        return [json.dumps({"eventName": list(args.event_names)})]
    return []
