"""The resource graph: one StreamingEtlPipeline per DynamoDB table, one file per stage."""

from components.config import args_from_config, pipelines_from_config
from components.partitions import PartitionArgs
from components.refusals import SettingsError
from components.settings import StreamingEtlPipelineArgs
from components.stage_settings import (
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    QueryArgs,
    SourceArgs,
    TransformArgs,
)
from components.streaming_etl_pipeline import StreamingEtlPipeline

__all__ = [
    "DeliveryArgs",
    "ForwarderArgs",
    "LakeArgs",
    "PartitionArgs",
    "QueryArgs",
    "SettingsError",
    "SourceArgs",
    "StreamingEtlPipeline",
    "StreamingEtlPipelineArgs",
    "TransformArgs",
    "args_from_config",
    "pipelines_from_config",
]
