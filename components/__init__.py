"""The resource graph: one StreamingEtlPipeline per DynamoDB table, one file per stage."""

from components.backfill_settings import BackfillArgs
from components.config import args_from_config, pipelines_from_config
from components.monitoring_settings import MonitoringArgs
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
    "BackfillArgs",
    "DeliveryArgs",
    "ForwarderArgs",
    "LakeArgs",
    "MonitoringArgs",
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
