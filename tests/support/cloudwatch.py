"""CloudWatch: data points of metrics, and the evaluation of alarms on them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from streaming_etl.components.monitoring.alarms import PERIOD_SECONDS, Alarm, MetricSource

STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": fmean,
}
# CloudWatch retrieves more data points than it evaluates: 5 where it evaluates 3.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
FURTHER_PERIODS = 2


class Metrics:
    """Data points by metric and period."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.values: dict[tuple[MetricSource, str], dict[int, list[float]]] = defaultdict(
            lambda: defaultdict(list)
        )

    def period(self, time: float) -> int:
        return int((time - self.start) // PERIOD_SECONDS)

    def put(self, source: MetricSource, metric: str, time: float, value: float = 1) -> None:
        """Add a value; the metric of an event rule is its name."""
        self.values[source, metric][self.period(time)].append(value)

    def total(self, source: MetricSource, metric: str) -> float:
        """Return the sum of all values."""
        return sum(map(sum, self.values[source, metric].values()))

    def data_points(self, alarm: Alarm, periods: Iterable[int]) -> list[float | None]:
        """Return the statistic of each period; None for missing data."""
        metric = alarm.name if alarm.metric_source == "event_rule" else alarm.metric
        by_period = self.values[alarm.metric_source, metric]
        statistic, missing = STATISTICS[alarm.statistic], 0.0 if alarm.missing_is_zero else None
        parts = alarm.period_seconds // PERIOD_SECONDS
        points = []
        for period in periods:
            values = [
                value
                for part in range(period * parts, (period + 1) * parts)
                for value in by_period.get(part, ())
            ]
            points.append(statistic(values) if values else missing)
        return points

    def firing(self, alarms: Iterable[Alarm], until: float) -> dict[str, float]:
        """Return when each alarm that fires is first in ALARM."""
        times = {}
        for alarm in alarms:
            most = alarm.evaluation_periods + FURTHER_PERIODS
            # Nothing is known of the time before the start.
            first = most - 1 if alarm.treat_missing_as_breaching else 0
            if alarm.missing_is_zero and alarm.warm_up_minutes is not None:
                first = alarm.warm_up_minutes * 60 // alarm.period_seconds - 1
            for period in range(first, int((until - self.start) // alarm.period_seconds)):
                points = self.data_points(alarm, range(max(0, period + 1 - most), period + 1))
                if is_in_alarm(alarm, points):
                    times[alarm.name] = self.start + (period + 1) * alarm.period_seconds
                    break
        return times


def is_in_alarm(alarm: Alarm, points: Sequence[float | None]) -> bool:
    """Return whether data points, the newest last, put the alarm into ALARM.

    Missing data is filled in only where there are too few data points.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    """
    known = [is_breaching(alarm, point) for point in points if point is not None]
    filled = [alarm.treat_missing_as_breaching] * max(0, alarm.evaluation_periods - len(known))
    evaluated = (known + filled)[-alarm.evaluation_periods :]
    return sum(evaluated) >= alarm.datapoints_to_alarm


def is_breaching(alarm: Alarm, value: float) -> bool:
    if alarm.comparison == "LessThanThreshold":
        return value < alarm.threshold
    return value > alarm.threshold
