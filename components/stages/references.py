"""Data that stages pass to each other instead of importing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.packaging.dependencies import Dependencies
from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.names import PULUMI_SUFFIX
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.protection import Protection, resolve_protection
from streaming_etl.components.stages.iam import Account, ResourceArn, Statement, allow_key
from streaming_etl.components.stages.roles import Role, Roles
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.layout import database_name, resource_prefix
from streaming_etl.components.table.merge import merged_state_sql
from streaming_etl.components.table.queries import current_state_sql
from streaming_etl.components.table.routing import pipeline_forwarder_config
from streaming_etl.components.table.transform_module import TransformModule
from streaming_etl.components.table.window import RecentWindow

PULUMI_CHARACTERS = "?" * (PULUMI_SUFFIX - 1)
"""Pattern of the random characters at the end of a generated name."""


@dataclass(frozen=True, kw_only=True)
class PipelineContext:
    """Settings and names that every stage uses."""

    name: str
    args: StreamingEtlPipelineArgs
    forwarder_packages: Dependencies
    account: Account
    tags: Mapping[str, pulumi.Input[str]]
    roles: Roles
    names_of: Callable[[str], Sequence[str]]
    """All names that a resource has or had, by its name. Its physical name begins with one."""

    def named_arn(
        self, arn: pulumi.Output[str], name: str, service: str, kind: str = ""
    ) -> ResourceArn:
        """Return the ARN of the resource `name`, whose physical name Pulumi generates.

        kind: what precedes the name in the ARN, such as `function:`.
        """
        named = [f"{kind}{each}-{PULUMI_CHARACTERS}" for each in self.names_of(name)]
        return ResourceArn(arn, tuple(self.account.arn(service, each) for each in named))

    @property
    def physical_name(self) -> str:
        """The name that names in AWS derive from, where people type them."""
        return self.args.physical_name(self.name)

    @property
    def database_name(self) -> pulumi.Input[str]:
        """Name of the Glue database, for paths and texts.

        Plain text unless the program passes an Output, so that what contains the name does not
        depend on the database: Pulumi's state lists each dependency of a property twice.
        """
        return database_name(self.name, self.args)

    def allow_lake_key(self, *actions: str) -> list[Statement]:
        """Allow the key of the bucket's objects through S3 only."""
        via_s3 = pulumi.Output.concat("s3.", self.account.region, ".amazonaws.com")
        condition = {"StringEquals": {"kms:ViaService": via_s3}}
        former = self.args.former_kms_key_arns
        return allow_key(self.args.lake_key_arn, actions, condition, former)

    def allow_environment_key(self) -> list[Statement]:
        """Allow to decrypt a function's environment.

        Lambda's own grant is lost with a replaced role.
        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars-encryption.html
        """
        functions = self.account.arn("lambda", "function:*")
        condition = {"StringLike": {"kms:EncryptionContext:aws:lambda:FunctionArn": functions}}
        return allow_key(self.args.kms_key_arn, ["kms:Decrypt"], condition)

    def allow_state_machine_key(self, *arns: ResourceArn) -> list[Statement]:
        """Allow to encrypt and decrypt executions of these state machines.

        https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
        """
        condition = {"StringLike": {"kms:EncryptionContext:aws:states:stateMachineArn": list(arns)}}
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        return allow_key(self.args.kms_key_arn, actions, condition)

    def allow_managed_results_key(self, workgroup: pulumi.Input[str]) -> list[Statement]:
        """Allow to encrypt and decrypt managed results of a workgroup.

        https://docs.aws.amazon.com/athena/latest/ug/managed-results.html
        """
        condition = {"StringEquals": {"kms:EncryptionContext:aws:athena:arn": workgroup}}
        actions = ["kms:Decrypt", "kms:GenerateDataKey"]
        return allow_key(self.args.kms_key_arn, actions, condition)

    def allow_schedule_key(self) -> list[Statement]:
        """Allow to decrypt the input of a schedule.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
        """
        schedules = self.account.arn("scheduler", "schedule/default/*")
        condition = {"StringLike": {"kms:EncryptionContext:aws:scheduler:schedule:arn": schedules}}
        return allow_key(self.args.kms_key_arn, ["kms:Decrypt"], condition)

    @property
    def forwarder_config(self) -> dict[str, Any]:
        """Content of the forwarder's forwarder.json."""
        return pipeline_forwarder_config(self.args)

    @property
    def log_group_class(self) -> Optional[str]:
        """Class of log groups without metrics; None is CloudWatch's default."""
        is_standard = self.args.functions.log_group_class == "standard"
        return None if is_standard else "INFREQUENT_ACCESS"

    @property
    def protection(self) -> Protection:
        """How the resources with data are protected."""
        return resolve_protection(self.args)


@dataclass(frozen=True, kw_only=True)
class LakeTableContext:
    """Settings and names of one lake table."""

    pipeline: PipelineContext
    key: str
    """Name in `lake_tables`, or ONLY_LAKE_TABLE."""
    args: LakeTableArgs
    module: TransformModule
    table: LakeTable
    packages: Dependencies
    """Those of the transform."""

    @property
    def name(self) -> str:
        """Begin of the resources' names."""
        return resource_prefix(self.pipeline.name, self.key)

    def state_sql(self, database: str) -> str:
        """SELECT the current state, from what the settings name as its source."""
        if self.table.current_state_source != "merged":
            return current_state_sql(database, self.table)
        window = RecentWindow(
            hours=self.args.merge.window_hours, time_zone=self.args.partitions.time_zone
        )
        return merged_state_sql(database, self.table, window)

    @property
    def physical_name(self) -> str:
        """Begin of names in AWS that people read."""
        return resource_prefix(self.pipeline.physical_name, self.key)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A Lambda function, its role and its log group."""

    resource: aws.lambda_.Function
    arn: ResourceArn
    role: Role
    log_group: aws.cloudwatch.LogGroup
    log_group_arn: ResourceArn
    has_variables: bool
    """Whether it has environment variables, which a customer key encrypts."""


@dataclass(frozen=True, kw_only=True)
class LakeBucket:
    """The lake's bucket."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    named_arn: ResourceArn
    """The ARN for policies."""
    depends_on: tuple[pulumi.Resource, ...]
    """Resources that must exist before data is written: encryption, restrictions and events."""

    def location(self, *path: pulumi.Input[str]) -> pulumi.Output[str]:
        """Return `s3://<bucket>/<path>`."""
        return pulumi.Output.concat("s3://", self.name, "/", *path)

    def objects(self, *path: pulumi.Input[str]) -> ResourceArn:
        """Return the ARN pattern of all objects below a path."""
        return self.named_arn.join("/", *path, "*")


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """The lake table in Glue."""

    database_name: pulumi.Output[str]
    """Output of the database: what needs the database waits for it."""
    table_name: pulumi.Output[str]
    data_path: pulumi.Output[str]
    """Key prefix of the table's objects; ends with a slash."""
    depends_on: tuple[pulumi.Resource, ...]
    """Glue tables with declared columns: update them before what writes or selects columns."""
    arns: tuple[pulumi.Output[str], ...]
    """ARNs of catalog, database and table, which Glue permissions on a table must name."""


@dataclass(frozen=True, kw_only=True)
class DeliveryStream:
    """The Firehose delivery stream."""

    name: pulumi.Output[str]
    arn: ResourceArn
    depends_on: tuple[pulumi.Resource, ...]
    """Resources that must exist before the first record is sent."""
