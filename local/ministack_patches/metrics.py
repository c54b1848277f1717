"""Data points of the metrics that `streaming-etl status` reads.

ministack publishes none of Firehose and of event source mappings. No alarm is evaluated on them:
ministack takes missing data for an OK and knows neither formulas nor data points to alarm.
"""

import time
from collections.abc import Mapping

from ministack.services import cloudwatch

from local.ministack_patches.compat import require_private_api

PRIVATE_API = {cloudwatch: "_store_datum"}


def install() -> None:
    """Check ministack's store of data points."""
    require_private_api(PRIVATE_API)


def publish(namespace: str, dimension: str, value: str, metrics: Mapping[str, float]) -> None:
    """Store a value of each metric of the current account and region."""
    now = time.time()
    for name, number in metrics.items():
        dimensions = {dimension: value}
        cloudwatch._store_datum(namespace, name, dimensions, now, "None", number, None, None, None)
