"""Generator of the table of failure modes in docs/runbook.md."""

from streaming_etl import (
    BackfillArgs,
    LakeTableArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.monitoring.alarms import Alarm, alarms
from streaming_etl.components.monitoring.failure_modes import FAILURE_MODES
from tools.docs.settings_tables import table
from tools.project import ROOT

PAGE = ROOT / "docs" / "runbook.md"


def every_alarm() -> list[Alarm]:
    """Return the alarms of a pipeline with every part, each once.

    A lake table with a crawler has no merge stage.
    """
    module = "transforms/orders.py"
    crawled = LakeTableArgs(
        transform_module=module,
        format="parquet",
        catalog="crawler",
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
    )
    merged = LakeTableArgs(
        transform_module=module, partitions=PartitionArgs(), merge=MergeArgs(enabled=True)
    )
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        lake_tables={"crawled": crawled, "merged": merged},
        backfill=BackfillArgs(enabled=True),
        monitoring=MonitoringArgs(alarms="all", max_lag_seconds=300),
    )
    by_name: dict[str, Alarm] = {}
    for alarm in alarms(args):
        by_name.setdefault(alarm.name, alarm)
    return list(by_name.values())


def failure_modes() -> str:
    descriptions = {alarm.name: alarm.description for alarm in every_alarm()}
    rows = [
        [f"[{mode}](#{mode})", descriptions[mode], " or ".join(f"`{name}`" for name in names)]
        for mode, names in FAILURE_MODES.items()
    ]
    return table(["failure mode", "failure", "essential alarm"], rows)


BLOCKS = {"failure modes": failure_modes}
