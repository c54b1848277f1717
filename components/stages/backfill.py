"""Backfill of large tables from a DynamoDB export."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from streaming_etl.components.packaging.archive import forwarder_archive
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.backfill_state_machine import (
    FILES_LABEL,
    StateMachineInputs,
    definition,
)
from streaming_etl.components.stages.lambda_function import create_function
from streaming_etl.components.stages.references import (
    DeliveryStream,
    Function,
    LakeBucket,
    PipelineContext,
)
from streaming_etl.components.stages.state_machine import create_state_machine, state_machine_arn
from streaming_etl.components.table.layout import (
    BACKFILL_ERRORS_FOLDER,
    BACKFILL_PREFIX,
    ERRORS_PREFIX,
    pipeline_folder,
)

DAY_SECONDS = 24 * 3600


class Backfill:
    """The backfill's function and state machine.

    deliveries: the delivery streams by the names of `pipeline.forwarder_config`'s routes.
    mapping: the event source mapping, whose stream has what changes after the export.
    """

    state_machine_arn: pulumi.Output[str]
    location: pulumi.Output[str]
    """S3 location of exports and results."""
    errors_path: pulumi.Output[str]
    """Key prefix of items that the function cannot read. With one lake table it is below the path
    of its error records."""
    errors_location: pulumi.Output[str]

    def __init__(
        self,
        pipeline: PipelineContext,
        table: iam.ResourceArn,
        stream_arn: pulumi.Output[str],
        key_names: Sequence[str],
        table_keys: Sequence[pulumi.Input[str]],
        bucket: LakeBucket,
        deliveries: Mapping[str, DeliveryStream],
        mapping: pulumi.Resource,
        parent: pulumi.Resource,
    ) -> None:
        self.parent = parent
        folder = f"/{pipeline_folder(pipeline.name, pipeline.args)}/"
        path = pulumi.Output.concat(BACKFILL_PREFIX, pipeline.database_name, folder)
        self.location = bucket.location(path)
        self.errors_path = pulumi.Output.concat(
            ERRORS_PREFIX, pipeline.database_name, folder, BACKFILL_ERRORS_FOLDER
        )
        self.errors_location = bucket.location(self.errors_path)
        statements = function_statements(pipeline, bucket, deliveries, path, self.errors_path)
        function = self.create_function(pipeline, stream_arn, key_names, deliveries, statements)
        machine, policies = self.create_machine(
            pipeline,
            StateMachineInputs(
                partition=pipeline.account.partition,
                account_id=pipeline.account.account_id,
                table_arn=table.arn,
                table_keys=table_keys,
                bucket=bucket.name,
                exports=pulumi.Output.concat(path, "exports"),
                results=pulumi.Output.concat(path, "results"),
                function_arn=function.resource.arn,
                kms_key_arn=pipeline.args.lake_key_arn,
                lake_tables=tuple(deliveries),
            ),
            machine_statements(pipeline, table, table_keys, function.arn, bucket, path),
            [each for delivery in deliveries.values() for each in delivery.depends_on],
        )
        self.state_machine_arn = machine.arn
        if pipeline.args.backfill.on_create:
            self.create_start(pipeline, machine, [mapping, *policies])

    def create_function(
        self,
        pipeline: PipelineContext,
        stream_arn: pulumi.Output[str],
        key_names: Sequence[str],
        deliveries: Mapping[str, DeliveryStream],
        statements: Sequence[iam.Statement],
    ) -> Function:
        """Create the function that forwards one file by the forwarder's routes."""
        args = pipeline.args.backfill
        return create_function(
            f"{pipeline.name}-backfill",
            pipeline,
            archive=forwarder_archive(pipeline.forwarder_packages, pipeline.forwarder_config),
            handler="streaming_etl.handlers.backfill.lambda_handler",
            timeout_seconds=args.timeout_seconds,
            memory_mib=args.memory_mib,
            parent=self.parent,
            statements=statements,
            logs_metrics=False,
            reserved_concurrency=args.reserved_concurrency,
            environment={
                "DELIVERY_STREAMS": pulumi.Output.json_dumps(
                    {route: delivery.name for route, delivery in deliveries.items()}
                ),
                "KEY_NAMES": json.dumps(list(key_names)),
                "KIB_PER_SECOND": f"{args.kib_per_second / args.concurrency:g}",
                "ERRORS_PATH": self.errors_path,
                "STREAM_ARN": stream_arn,
            },
        )

    def create_machine(
        self,
        pipeline: PipelineContext,
        inputs: StateMachineInputs,
        statements: Sequence[iam.Statement],
        depends_on: Sequence[pulumi.Resource],
    ) -> tuple[aws.sfn.StateMachine, list[pulumi.Resource]]:
        """Create the state machine and its role; return the last policies, too."""
        name = f"{pipeline.name}-backfill"
        machine, role = create_state_machine(
            name,
            pipeline,
            definition=definition(inputs, pipeline.args.backfill),
            statements=statements,
            depends_on=depends_on,
            parent=self.parent,
        )
        # A separate policy, because it contains the ARN of the state machine.
        statements = children_statements(name, machine, pipeline)
        return machine, role.allow(f"{name}-children-policy", statements, self.parent)

    def create_start(
        self,
        pipeline: PipelineContext,
        machine: aws.sfn.StateMachine,
        depends_on: Sequence[pulumi.Resource],
    ) -> None:
        """Create the schedule that starts the first run once, and its role.

        A schedule with a rate and without a start date starts at once, and its end date is before
        the second time. It is never updated, because an update could start it again.
        https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
        """
        name = f"{pipeline.name}-backfill-start"
        role = pipeline.roles.role(f"{name}-role", "scheduler.amazonaws.com", self.parent)
        arn = state_machine_arn(f"{pipeline.name}-backfill", machine, pipeline)
        statements = [
            iam.allow(["states:StartExecution"], [arn]),
            *pipeline.allow_schedule_key(),
        ]
        policies = role.allow(f"{name}-policy", statements, self.parent)
        aws.scheduler.Schedule(
            name,
            schedule_expression="rate(10 days)",
            end_date=start_of_day(time.time() + 2 * DAY_SECONDS),
            flexible_time_window={"mode": "OFF"},
            kms_key_arn=pipeline.args.kms_key_arn,
            target={
                # https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
                "arn": pulumi.Output.concat(
                    "arn:", pipeline.account.partition, ":scheduler:::aws-sdk:sfn:startExecution"
                ),
                "role_arn": role.arn,
                "input": pulumi.Output.json_dumps(
                    {
                        "StateMachineArn": machine.arn,
                        # The first name of ops/backfill/export_runs.py. Step Functions starts no
                        # second execution of this name, if the schedule calls it twice.
                        "Name": "run-1",
                        "Input": json.dumps(run_input(pipeline)),
                    }
                ),
                # A new role may not be usable yet.
                "retry_policy": {
                    "maximum_event_age_in_seconds": 3600,
                    "maximum_retry_attempts": 20,
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self.parent,
                depends_on=[*policies, *depends_on],
                ignore_changes=[
                    "end_date",
                    "flexible_time_window",
                    "kms_key_arn",
                    "schedule_expression",
                    "target",
                ],
            ),
        )


def run_input(pipeline: PipelineContext) -> dict[str, Any]:
    """Return the command's input of a run for all lake tables."""
    if not pipeline.args.lake_tables:
        return {}
    return {"lake_tables": [route["name"] for route in pipeline.forwarder_config["routes"]]}


def start_of_day(epoch_seconds: float) -> str:
    """Return the begin of the UTC day, in ISO 8601."""
    return time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(epoch_seconds))


def function_statements(
    pipeline: PipelineContext,
    bucket: LakeBucket,
    deliveries: Mapping[str, DeliveryStream],
    path: pulumi.Output[str],
    errors_path: pulumi.Output[str],
) -> list[iam.Statement]:
    """Allow to read the export, to send to Firehose and to dead-letter."""
    return [
        iam.allow(["firehose:PutRecordBatch"], [each.arn for each in deliveries.values()]),
        iam.allow(["s3:GetObject"], [bucket.objects(path, "exports/")]),
        iam.allow(["s3:PutObject"], [bucket.objects(errors_path)]),
        *pipeline.allow_lake_key("kms:Decrypt", "kms:GenerateDataKey"),
    ]


def machine_statements(
    pipeline: PipelineContext,
    table: iam.ResourceArn,
    table_keys: Sequence[pulumi.Input[str]],
    function: iam.ResourceArn,
    bucket: LakeBucket,
    path: pulumi.Output[str],
) -> list[iam.Statement]:
    """Allow to export the table and to process its files.

    DynamoDB writes the export with the permissions of the caller.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    write = ["s3:AbortMultipartUpload", "s3:PutObject"]
    return [
        iam.allow(["dynamodb:ExportTableToPointInTime"], [table]),
        iam.allow(["dynamodb:DescribeExport"], [table.join("/export/*")]),
        iam.allow([*write, "s3:PutObjectAcl"], [bucket.objects(path, "exports/")]),
        iam.allow(
            ["s3:GetObject"], [bucket.objects(path, "exports/"), bucket.objects(path, "lists/")]
        ),
        iam.allow(
            [*write, "s3:GetObject", "s3:ListMultipartUploadParts"],
            [bucket.objects(path, "results/")],
        ),
        iam.allow(["lambda:InvokeFunction"], [function]),
        *pipeline.allow_lake_key("kms:Decrypt", "kms:GenerateDataKey"),
        *iam.allow_table_keys(table_keys),
    ]


def children_statements(
    name: str, machine: aws.sfn.StateMachine, pipeline: PipelineContext
) -> list[iam.Statement]:
    """Allow to start, describe and stop the child executions.

    https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
    """
    executions, runs = (
        pipeline.named_arn(
            pipeline.account.arn("states", kind, machine.name),
            f"{name}-state-machine",
            "states",
            kind,
        )
        for kind in ("execution:", "mapRun:")
    )
    children = [executions.join(end) for end in (":*", f"/{FILES_LABEL}:*")]
    arn = state_machine_arn(name, machine, pipeline)
    return [
        iam.allow(["states:StartExecution"], [arn]),
        iam.allow(["states:DescribeExecution", "states:StopExecution"], children),
        iam.allow(["states:DescribeMapRun"], [runs.join("/*")]),
        *pipeline.allow_state_machine_key(arn, arn.join(f"/{FILES_LABEL}")),
    ]
