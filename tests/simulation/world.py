"""World of one run: clock, scheduled actions, random numbers, faults and trace."""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any, NamedTuple

from tests.support.cloudwatch import Metrics

START = 1_795_426_200.0
"""When every run begins: 2026-11-23 09:30:00 UTC, in epoch seconds."""

# Faults by place; a seed chooses which of them occur, how often and when.
INVOCATION_FAULTS = (
    "is throttled",
    "crashes at its start",
    "is killed before a put",
    "is killed after a put",
    "runs, but its response is lost",
)
PUT_FAULTS = (
    "put is throttled",
    "put is throttled in part",
    "put times out and is accepted",
    "put times out and is not accepted",
    "put is rejected",
    "put is slow",
)
BACKFILL_FAULTS = (
    "is killed before a put",
    "is killed after a put",
    "is killed after a checkpoint",
    "scan is throttled",
    "scan is rejected",
)
REPLAY_FAULTS = (
    "is killed before a put",
    "is killed after a put",
    "is killed before a change of the bucket",
)
STREAM_FAULTS = ("one stream is throttled", "one stream rejects calls", "one stream is slow")
"""Of one of several delivery streams, until the operator replays."""
FUNCTIONS = ("forwarder", "transform")
FAULTS = (
    *(f"{name} {what}" for name in FUNCTIONS for what in (*INVOCATION_FAULTS, *PUT_FAULTS)),
    "mapping repeats a batch",
    "firehose repeats a record",
    "firehose reorders records",
    "firehose writes an object twice",
    "firehose cannot convert a record",
    *(f"backfill {what}" for what in (*BACKFILL_FAULTS, *PUT_FAULTS)),
    *(f"replay {what}" for what in (*REPLAY_FAULTS, *PUT_FAULTS)),
)


class Spell(NamedTuple):
    """Schedule of a fault, which ends even if retries do not."""

    chance: float
    """The probability each time."""
    start: float
    end: float
    most: int
    """The maximum number of times."""


class EndlessError(Exception):
    """More actions than a run that ends can have."""


class World:
    """Clock that advances by scheduled actions and by waiting inside a function."""

    def __init__(self, seed: int, spells: Mapping[str, Spell]) -> None:
        self.seed = seed
        self.now = START
        self.faults: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.metrics = Metrics(START)
        self.logs: list[str] = []
        """Output of each invocation."""
        self.has_new_forwarder = False
        """Whether the forwarder of the deployment runs."""
        self.has_extra = False
        """Whether the user's module returns the added column."""
        self.is_fixed = False
        """Whether the user's module is the one without failures."""
        self.violations: list[str] = []
        """Violations observed while a function ran."""
        self.running: Any = None
        """The function that runs or ran last."""
        self._spells = spells
        self._chances: dict[str, Random] = {}
        self._schedule: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._trace = blake2b(digest_size=16)
        self.keep: list[str] | None = None
        """The lines of the trace, if set to a list."""

    def end_faults(self, *faults: str) -> None:
        """Remove the cause of some faults."""
        self._spells = {name: it for name, it in self._spells.items() if name not in faults}

    def chance(self, name: str) -> Random:
        """Return the random numbers of one part, independent of the other parts."""
        if name not in self._chances:
            self._chances[name] = Random(f"{self.seed} {name}")
        return self._chances[name]

    def occurs(self, fault: str) -> bool:
        """Return whether the fault occurs now; count and trace it if so."""
        spell = self._spells.get(fault)
        if spell is None or not spell.start <= self.now < spell.end:
            return False
        if self.chance(fault).random() >= spell.chance or self.faults[fault] >= spell.most:
            return False
        self.faults[fault] += 1
        self.trace("fault", fault)
        return True

    def trace(self, *details: object) -> None:
        """Add a line to the trace, which depends on the seed only."""
        line = f"{self.now - START:.6f} {' '.join(map(str, details))}"
        self._trace.update(line.encode() + b"\n")
        if self.keep is not None:
            self.keep.append(line)

    @property
    def trace_hash(self) -> str:
        return self._trace.hexdigest()

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Schedule an action; actions of the same time keep their order."""
        heapq.heappush(self._schedule, (self.now + seconds, next(self._order), action, arguments))

    def run(self) -> None:
        """Run scheduled actions until there are none."""
        while self._schedule:
            self.now, _, action, arguments = heapq.heappop(self._schedule)
            action(*arguments)
