"""The Pulumi component `StreamingEtlPipeline`, and `Change` for transform modules.

Names are resolved on first access, so that a Lambda function that imports this package loads
neither Pulumi nor anything else that the handlers do not need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streaming_etl.components.monitoring.stack_dashboard import StackDashboard
    from streaming_etl.components.pipeline import StreamingEtlPipeline
    from streaming_etl.components.settings.backfill import BackfillArgs
    from streaming_etl.components.settings.functions import FunctionsArgs
    from streaming_etl.components.settings.iam import IamArgs
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.merge import MergeArgs
    from streaming_etl.components.settings.monitoring import MonitoringArgs
    from streaming_etl.components.settings.partitions import PartitionArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
    from streaming_etl.components.settings.stack_config import args_from_config
    from streaming_etl.components.settings.stages import (
        DeliveryArgs,
        ForwarderArgs,
        LakeArgs,
        LakeTableQueryArgs,
        QueryArgs,
        SourceArgs,
        TransformArgs,
    )
    from streaming_etl.components.settings.validation import SettingsError
    from streaming_etl.components.stack_pipelines import pipelines_from_config
    from streaming_etl.handlers.change.change import Change
    from streaming_etl.ops.transform_test.rows import TransformError, rows_of

__all__ = [
    "BackfillArgs",
    "Change",
    "DeliveryArgs",
    "ForwarderArgs",
    "FunctionsArgs",
    "IamArgs",
    "LakeArgs",
    "LakeTableArgs",
    "LakeTableQueryArgs",
    "MergeArgs",
    "MonitoringArgs",
    "PartitionArgs",
    "QueryArgs",
    "SettingsError",
    "SourceArgs",
    "StackDashboard",
    "StreamingEtlPipeline",
    "StreamingEtlPipelineArgs",
    "TransformArgs",
    "TransformError",
    "args_from_config",
    "pipelines_from_config",
    "rows_of",
]

_MODULES = {
    "StackDashboard": "streaming_etl.components.monitoring.stack_dashboard",
    "StreamingEtlPipeline": "streaming_etl.components.pipeline",
    "BackfillArgs": "streaming_etl.components.settings.backfill",
    "IamArgs": "streaming_etl.components.settings.iam",
    "FunctionsArgs": "streaming_etl.components.settings.functions",
    "LakeTableArgs": "streaming_etl.components.settings.lake_table",
    "MergeArgs": "streaming_etl.components.settings.merge",
    "MonitoringArgs": "streaming_etl.components.settings.monitoring",
    "PartitionArgs": "streaming_etl.components.settings.partitions",
    "StreamingEtlPipelineArgs": "streaming_etl.components.settings.pipeline",
    "args_from_config": "streaming_etl.components.settings.stack_config",
    "pipelines_from_config": "streaming_etl.components.stack_pipelines",
    "DeliveryArgs": "streaming_etl.components.settings.stages",
    "ForwarderArgs": "streaming_etl.components.settings.stages",
    "LakeArgs": "streaming_etl.components.settings.stages",
    "LakeTableQueryArgs": "streaming_etl.components.settings.stages",
    "QueryArgs": "streaming_etl.components.settings.stages",
    "SourceArgs": "streaming_etl.components.settings.stages",
    "TransformArgs": "streaming_etl.components.settings.stages",
    "SettingsError": "streaming_etl.components.settings.validation",
    "Change": "streaming_etl.handlers.change.change",
    "TransformError": "streaming_etl.ops.transform_test.rows",
    "rows_of": "streaming_etl.ops.transform_test.rows",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
