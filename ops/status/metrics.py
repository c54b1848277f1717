"""Metrics of the last day, read with few calls of CloudWatch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Optional

from streaming_etl.components.monitoring.alarms import (
    METRIC_SOURCES,
    PERIOD_SECONDS,
    MetricSource,
)

# One call returns at most 100,800 data points, of which a metric has 288 in a day.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
MAX_QUERIES = 300
HOURS = 24
# Lambda and Firehose report a metric within a few minutes after its period.
CURRENT = timedelta(minutes=20)


@dataclass(frozen=True, order=True)
class Metric:
    """A metric and its statistic; value: of its source's dimension."""

    source: MetricSource
    name: str
    value: str
    statistic: str = "Sum"


@dataclass(frozen=True)
class Series:
    """Data points of a metric, the oldest first."""

    points: list[tuple[datetime, float]] = field(default_factory=list)

    def current(self, now: datetime) -> Optional[float]:
        """Return the latest value; None without a recent one, as without traffic."""
        time, value = self.points[-1] if self.points else (None, None)
        return value if time is not None and now - time <= CURRENT else None

    def total(self, since: datetime) -> Optional[int]:
        """Return the sum since a time; None without data."""
        if not self.points:
            return None
        return round(sum(value for time, value in self.points if time >= since))

    def last_positive(self, now: datetime) -> Optional[datetime]:
        """Return the end of the latest period above 0, at most now."""
        period = timedelta(seconds=PERIOD_SECONDS)
        ends = (min(time + period, now) for time, value in reversed(self.points) if value > 0)
        return next(ends, None)

    def hourly(self, now: datetime) -> list[float]:
        """Return the sums of the last 24 hours, the oldest first."""
        sums = [0.0] * HOURS
        for time, value in self.points:
            hours_ago = int((now - time) / timedelta(hours=1))
            if 0 <= hours_ago < HOURS:
                sums[HOURS - 1 - hours_ago] += value
        return sums


def read_metrics(cloudwatch: Any, metrics: Iterable[Metric], now: datetime) -> dict[Metric, Series]:
    """Return the data points of the last 24 hours by metric."""
    ordered = sorted(set(metrics))
    series: dict[Metric, Series] = {metric: Series() for metric in ordered}
    pages = cloudwatch.get_paginator("get_metric_data")
    for part in _parts(ordered, MAX_QUERIES):
        by_id = {f"m{index}": metric for index, metric in enumerate(part)}
        for page in pages.paginate(
            MetricDataQueries=[_query(id_, metric) for id_, metric in by_id.items()],
            StartTime=now - timedelta(hours=HOURS),
            EndTime=now,
            ScanBy="TimestampAscending",
        ):
            for result in page["MetricDataResults"]:
                points = zip(result["Timestamps"], result["Values"], strict=True)
                series[by_id[result["Id"]]].points.extend(points)
    return series


def _query(id_: str, metric: Metric) -> dict[str, Any]:
    namespace, dimension = METRIC_SOURCES[metric.source]
    dimensions = [{"Name": dimension, "Value": metric.value}]
    named = {"Namespace": namespace, "MetricName": metric.name, "Dimensions": dimensions}
    stat = {"Metric": named, "Period": PERIOD_SECONDS, "Stat": metric.statistic}
    return {"Id": id_, "MetricStat": stat}


def _parts(metrics: Sequence[Metric], size: int) -> Iterator[Sequence[Metric]]:
    for start in range(0, len(metrics), size):
        yield metrics[start : start + size]
