"""Lake tables with a merge stage, and what their merges read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Optional
from zoneinfo import ZoneInfo

from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.lake_table_names import lake_table_title
from streaming_etl.components.table.layout import DATA_PREFIX
from streaming_etl.ops.merge.change_log import ChangeLog
from streaming_etl.ops.merge.runs import MergeRuns
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedLakeTable, DeployedPipeline


@dataclass(frozen=True)
class MergedLakeTable:
    """A lake table with a merge stage."""

    key: str
    """Its name in `lake_tables`, or ONLY_LAKE_TABLE."""
    title: str
    args: LakeTableArgs
    failures_retention_days: Optional[int]
    runs: MergeRuns
    log: ChangeLog

    @property
    def can_switch(self) -> bool:
        """Whether the current state could read the merged table instead."""
        query = self.args.query
        return query.current_state and self.args.current_state_source != "merged"

    def today(self, now: datetime) -> date:
        """The day in the partitions' time zone."""
        return now.astimezone(ZoneInfo(self.args.partitions.time_zone)).date()

    def last_day(self, now: datetime) -> date:
        """The last day of a merge.

        It is tomorrow, because a merge may run past midnight.
        """
        return self.today(now) + timedelta(days=1)

    def earliest_begin(self, now: datetime) -> Optional[date]:
        """The first day with which a merge may begin; None for any.

        A merge that begins earlier begins with the first day of the change log: with ingestion-time
        prefixes the removal of an item may be in a day before that of a late row, and its tombstone
        may have expired. See components/table/merge.py.
        """
        merge = self.args.merge
        kept = merge.expiry_days(self.failures_retention_days)
        if kept is None or self.args.partitions.partition_time == "event":
            return None
        spare = kept - merge.least_tombstone_days(self.failures_retention_days)
        window = math.floor(merge.window_hours / 24)
        # Tombstones then outlive all rows of the change log.
        readable = max(window, merge.change_log_retention_days or 0)
        return self.today(now) - timedelta(days=readable + spare)


def merged_lake_tables(
    pipeline: DeployedPipeline,
    clients: Callable[[str], Any],
    keys: Sequence[str] = (),
    *,
    stack: str,
) -> list[MergedLakeTable]:
    """Return lake tables with a merge stage, by default all.

    Raises CommandError if there is none, or for a name in `keys` without one.
    """
    tables = pipeline.select(keys)
    lacking = [key for key, table in tables.items() if not table.merge_state_machine_arn]
    if (keys and lacking) or len(lacking) == len(tables):
        titles = ", ".join(lake_table_title(pipeline.name, key) for key in lacking)
        raise CommandError(
            f"{titles} must have a merge stage. Set `merge: {{enabled: true}}` in the stack "
            f"{stack}, with `query.current_state_source: objects` for a lake table with rows, run "
            "`pulumi up`, then run this command again.",
            code="merge-not-enabled",
            pipeline=pipeline.name,
            lake_tables=lacking,
        )
    return [
        merged_lake_table(pipeline, clients, table)
        for key, table in tables.items()
        if key not in lacking
    ]


def merged_lake_table(
    pipeline: DeployedPipeline, clients: Callable[[str], Any], table: DeployedLakeTable
) -> MergedLakeTable:
    """Return a lake table that has a merge stage."""
    args = pipeline.args.tables[table.key]
    prefix = f"{DATA_PREFIX}{pipeline.database}/{table.table}/"
    return MergedLakeTable(
        key=table.key,
        title=lake_table_title(pipeline.name, table.key),
        args=args,
        failures_retention_days=pipeline.args.lake.failures_retention_days,
        runs=MergeRuns(clients("stepfunctions"), str(table.merge_state_machine_arn)),
        log=ChangeLog(clients("s3"), pipeline.bucket, prefix, args.partitions.keys),
    )
