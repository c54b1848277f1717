"""Deployment during a run: functions and Glue table change at different times."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from streaming_etl import ForwarderArgs
from streaming_etl.components.table.column_types import Column
from streaming_etl.components.table.lake_table import LakeTable

# Added at the end of COLUMNS.
EXTRA = Column("extra", "bigint")
# The longest time from the first to the last resource.
DURATION_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """What was deployed before, and when each part is replaced."""

    forwarder: ForwarderArgs
    table: LakeTable
    has_label: bool
    """Whether lines have the stream's label; those of the previous version have none."""
    forwarder_at: float
    transform_at: float
    table_at: float
    """When the Glue table has the new column."""

    @property
    def labels_at(self) -> float:
        """Return when no container has the previous version."""
        return self.forwarder_at + DURATION_SECONDS


def deploy_of(
    chance: Random, start: float, seconds: float, forwarder: ForwarderArgs, table: LakeTable
) -> Deploy | None:
    """Return the earlier settings of a scenario with a deployment."""
    if chance.random() > 0.25:
        return None
    limits: dict[str, Any] = {}
    if forwarder.max_changes_per_record > 1:
        limits = {
            "max_changes_per_record": chance.choice((2, 500)),
            "max_record_kib": chance.choice((1, 150)),
        }
    begins = start + chance.random() * seconds
    forwarder_at, *others = (begins + chance.random() * DURATION_SECONDS for _ in range(3))
    # The transform function depends on the Glue table.
    table_at, transform_at = sorted(others)
    return Deploy(
        forwarder=replace(
            forwarder, old_image=chance.choice(("always", "on_remove", "never")), **limits
        ),
        table=table,
        has_label=chance.random() < 0.5,
        forwarder_at=forwarder_at,
        transform_at=transform_at,
        table_at=table_at,
    )
