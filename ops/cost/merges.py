"""Monthly usage of merges, and bytes of current-state queries."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from streaming_etl.ops.cost.assumptions import HOURS, Assumptions
from streaming_etl.ops.cost.listings import stored_months_of, window_prefixes

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.stages import LakeArgs

# Athena bills at least this for a query.
# https://aws.amazon.com/athena/pricing/
LEAST_QUERY_BYTES = 10 * 1024.0**2
# States of a scheduled execution, a test counts them in the definition. Each entered state is
# billed, also of a Map's iteration.
# https://aws.amazon.com/step-functions/pricing/
STATES, COMPACTION_STATES = 11, 2
# MERGE and DELETE, and with compaction OPTIMIZE and VACUUM.
QUERIES, COMPACTION_QUERIES = 2, 2
# A query reads full periods, so that on average half of one is added.
HALF_PERIOD_HOURS = {"year": 8_760 / 2, "month": HOURS / 2, "day": 12.0, "hour": 12.0}


@dataclass(frozen=True, kw_only=True)
class MergeUsage:
    """Scheduled runs of one merge stage; no runs of commands."""

    runs: float
    transitions: float
    """State transitions of the runs."""
    scanned_bytes: float
    """Bytes of the runs' queries as Athena bills them, at most: a MERGE and an OPTIMIZE are assumed
    to read the files of all items."""
    requests: float
    """PUT and LIST requests of the runs."""
    merged_bytes: float
    """Size of the merged table without its older snapshots."""


def merge_usage(
    stored_bytes: float,
    merged_bytes: float,
    lake: "LakeArgs",
    args: "LakeTableArgs",
    assumptions: Assumptions,
) -> Optional[MergeUsage]:
    """Compute the usage of a lake table; None without merge.

    stored_bytes: of one month's rows. merged_bytes: size of the merged table.
    """
    merge = args.merge
    if not merge.enabled:
        return None
    runs = HOURS * 60 / merge.interval_minutes
    compactions = runs / merge.optimize_every
    # The window before the last success, and a day more.
    hours = merge.window_hours + 24 + merge.interval_minutes / 60
    window = log_bytes(stored_bytes, hours, lake, args, assumptions)
    scanned = runs * (
        billed(window + merged_bytes * assumptions.merge_share)
        + billed(merged_bytes * assumptions.expiry_share)
    ) + compactions * (billed(merged_bytes) + billed(0))
    commits = runs * QUERIES + compactions * COMPACTION_QUERIES
    return MergeUsage(
        runs=runs,
        transitions=runs * STATES + compactions * COMPACTION_STATES,
        scanned_bytes=scanned,
        requests=commits * assumptions.commit_objects + runs * window_prefixes(args, assumptions),
        merged_bytes=merged_bytes,
    )


def query_bytes(
    stored_bytes: float,
    merged_bytes: float,
    lake: "LakeArgs",
    args: "LakeTableArgs",
    assumptions: Assumptions,
) -> Mapping[str, float]:
    """Return what a query of the current state reads by `query.current_state_source`.

    As Athena bills it, with all columns.
    """
    entire = billed(stored_bytes * stored_months_of(lake, assumptions))
    # The days of the window begin at midnight; an hour more for a change of the clocks.
    hours = math.ceil((args.merge.window_hours + 1) / 24) * 24
    window = log_bytes(stored_bytes, hours, lake, args, assumptions)
    return {"objects": entire, "partitions": entire, "merged": billed(merged_bytes + window)}


def log_bytes(
    stored_bytes: float,
    hours: float,
    lake: "LakeArgs",
    args: "LakeTableArgs",
    assumptions: Assumptions,
) -> float:
    """Return the bytes of the latest full periods of the change log."""
    hours += HALF_PERIOD_HOURS[args.partitions.granularity]
    return stored_bytes * min(hours / HOURS, stored_months_of(lake, assumptions))


def billed(size: float) -> float:
    return max(size, LEAST_QUERY_BYTES)
