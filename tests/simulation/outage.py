"""Outages of hours, and the component's alarms in them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from streaming_etl.components.monitoring import alarms as component
from streaming_etl.components.monitoring.alarms import PERIOD_SECONDS, Alarm
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
RETENTION_SECONDS = 24 * 3600
HOURS = (3, 13, 25, 40)


@dataclass(frozen=True)
class Outage:
    """Time in which the forwarder gets no changes."""

    is_disabled: bool
    """Whether the mapping is disabled; otherwise the forwarder is always throttled."""
    start: float
    end: float

    def disables(self, now: float) -> bool:
        return self.is_disabled and self.start <= now < self.end

    def throttles(self, now: float) -> bool:
        return not self.is_disabled and self.start <= now < self.end


NO_OUTAGE = Outage(True, 0, 0)


def outage_of(chance: Random, start: float, seconds: float) -> Outage:
    if chance.random() > 0.12:
        return NO_OUTAGE
    begins = start + chance.random() * seconds
    return Outage(chance.random() < 0.5, begins, begins + chance.choice(HOURS) * 3600)


@dataclass
class Metrics:
    """Metrics of mapping and forwarder, by period."""

    start: float
    outage: Outage
    throttles: Counter[int] = field(default_factory=Counter)
    ages: dict[int, float] = field(default_factory=dict)
    """Greatest iterator age in milliseconds."""

    def period(self, now: float) -> int:
        return int((now - self.start) // PERIOD_SECONDS)

    def note_age(self, now: float, seconds: float) -> None:
        period = self.period(now)
        self.ages[period] = max(self.ages.get(period, 0), seconds * 1000)

    def value(self, alarm: Alarm, period: int) -> float | None:
        """Return the metric of an alarm; None if AWS reports nothing."""
        middle = self.start + (period + 0.5) * PERIOD_SECONDS
        match alarm.metric:
            case "PolledEventCount":
                return None if self.outage.disables(middle) else 1
            case "Throttles":
                return self.throttles.get(period)
            case "IteratorAge":
                return self.ages.get(period)
        return None

    def first_alarm(self, args: StreamingEtlPipelineArgs, until: float) -> float | None:
        """Return the first time at which an alarm fires."""
        times = [
            time
            for alarm in component.alarms(args)
            if alarm.metric in ("PolledEventCount", "Throttles", "IteratorAge")
            and alarm.metric_source in ("mapping", "forwarder")
            for time in self.firing(alarm, until)
        ]
        return min(times, default=None)

    def firing(self, alarm: Alarm, until: float) -> Iterator[float]:
        """Yield the first time at which one alarm fires, if any."""
        breaching: list[bool] = []
        for period in range(self.period(until)):
            breaching.append(is_breaching(alarm, self.value(alarm, period)))
            if sum(breaching[-alarm.evaluation_periods :]) >= alarm.datapoints_to_alarm:
                yield self.start + (period + 1) * PERIOD_SECONDS
                return


def is_breaching(alarm: Alarm, value: float | None) -> bool:
    if value is None:
        return alarm.treat_missing_as_breaching
    if alarm.comparison == "LessThanThreshold":
        return value < alarm.threshold
    return value > alarm.threshold
