"""What the stages hand to each other: plain data, so that no stage knows another."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from streaming_etl.components.packaging.wheels import Packages
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.stages.document import concat
from streaming_etl.components.stages.iam import Account
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.transform_module import TransformModule


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """What every stage knows of its pipeline."""

    name: str
    args: StreamingEtlPipelineArgs
    module: TransformModule
    table: LakeTable
    packages: Packages
    account: Account
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class LakeBucket:
    """The bucket that the lake lies in."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]
    """What must stand before data arrives: encryption, the closed door."""

    def location(self, *path: pulumi.Input[str]) -> pulumi.Output[str]:
        """`s3://<bucket>/<path>`."""
        return concat("s3://", self.name, "/", *path)

    def objects(self, *path: pulumi.Input[str]) -> pulumi.Output[str]:
        """The ARN of every object below a path."""
        return concat(self.arn, "/", *path, "*")


@dataclass(frozen=True, kw_only=True)
class CatalogEntry:
    """The lake table in Glue."""

    database_name: pulumi.Output[str]
    table_name: pulumi.Output[str]
    data_path: pulumi.Output[str]
    """The table's key prefix in the bucket, with a slash at its end."""
    arns: tuple[pulumi.Output[str], ...]
    """Catalog, database and table: what a Glue permission on the table must name."""


@dataclass(frozen=True, kw_only=True)
class DeliveryStream:
    """The Firehose delivery stream."""

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    ready: tuple[pulumi.Resource, ...]
    """What must stand before the first record is put."""
