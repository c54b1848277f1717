"""S3 LIST requests of one query over all rows."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Optional

from streaming_etl.ops.cost.assumptions import HOURS, Assumptions

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.partitions import PartitionArgs
    from streaming_etl.components.settings.stages import LakeArgs

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
KEYS_PER_LIST = 1_000
MONTH_DAYS = HOURS / 24
PROJECTED_VALUES = {"month": 12, "day": 31, "hour": 24}
PERIODS_PER_YEAR = {"year": 1, "month": 12, "day": 365, "hour": 8_760}


def listings_of(
    objects: float,
    lake: "LakeArgs",
    args: "LakeTableArgs",
    assumptions: Assumptions,
    today: Optional[date] = None,
) -> Mapping[str, int]:
    """Count the requests by value of `query.current_state_source`.

    objects: written per month. today: in UTC, by default now.
    """
    stored_months = stored_months_of(lake, assumptions)
    stored_objects = objects * stored_months
    # A LIST without a result is billed, too.
    pages = max(1, math.ceil(stored_objects / KEYS_PER_LIST))
    if args.catalog == "projection":
        prefixes = projected_prefixes(args.partitions, today or datetime.now(UTC).date())
    else:
        # The crawler adds only prefixes that contain objects.
        prefixes = stored_prefixes(args.partitions, stored_months, assumptions)
        prefixes = min(prefixes, math.ceil(stored_objects))
    # A prefix needs at least one request, however few objects it contains.
    return {
        "objects": pages,
        "partitions": max(prefixes, pages),
        "merged": window_prefixes(args, assumptions),
    }


def stored_months_of(lake: "LakeArgs", assumptions: Assumptions) -> float:
    """Return the months of rows that the lake has."""
    if (days := lake.data_retention_days) is None:
        return assumptions.stored_months
    return min(assumptions.stored_months, days / MONTH_DAYS)


def window_prefixes(args: "LakeTableArgs", assumptions: Assumptions) -> int:
    """Count the prefixes of the window that the current state reads."""
    days = math.ceil(args.merge.window_hours / 24) + 1
    periods = math.ceil(days / 365 * PERIODS_PER_YEAR[args.partitions.granularity])
    return math.ceil(periods * dynamic_prefixes(args.partitions, assumptions))


def projected_prefixes(partitions: "PartitionArgs", today: date) -> int:
    """Count the prefixes in the ranges of partition projection, also empty ones.

    A query contains one value of each injected key.
    """
    # The ranges end at NOW+1DAY, in UTC.
    last = today + timedelta(days=1)
    first = date(partitions.projection_start_year, 1, 1)
    values = PROJECTED_VALUES | {
        "year": max(0, last.year - first.year + 1),
        "dt": max(0, (last - first).days + 1),
    }
    return math.prod(
        [
            *(len(listed) or 1 for listed in partitions.dynamic_partition_keys.values()),
            *(values[key] for key in partitions.time_keys),
        ]
    )


def stored_prefixes(partitions: "PartitionArgs", months: float, assumptions: Assumptions) -> int:
    """Count the prefixes to which even traffic writes in some months."""
    periods = months / 12 * PERIODS_PER_YEAR[partitions.granularity]
    return math.ceil(periods * dynamic_prefixes(partitions, assumptions))


def dynamic_prefixes(partitions: "PartitionArgs", assumptions: Assumptions) -> float:
    """Count by dynamic partition keys; periods of time follow each other."""
    values = partitions.dynamic_partition_keys.values()
    return math.prod(len(listed) or assumptions.injected_key_values for listed in values)
