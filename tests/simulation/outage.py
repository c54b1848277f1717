"""Outages of hours."""

from dataclasses import dataclass
from random import Random

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
