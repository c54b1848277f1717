"""One run's own world: its clock, what is due, its chances, the faults and the trace."""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import count
from random import Random
from typing import Any, NamedTuple

START = 1_795_426_200.0
"""When every run begins: 2026-11-23 09:30:00 UTC, in epoch seconds."""

# What may strike, by where it strikes; a seed chooses which, how often and from when to when.
INVOCATION_FAULTS = (
    "is throttled",
    "crashes at its start",
    "is killed before a put",
    "is killed after a put",
    "runs, but its answer is lost",
)
PUT_FAULTS = (
    "put is throttled",
    "put is throttled in part",
    "put times out and is taken",
    "put times out and is not taken",
    "put is refused",
    "put is slow",
)
BACKFILL_FAULTS = (
    "is killed before a put",
    "is killed after a put",
    "is killed after a checkpoint",
    "scan is throttled",
    "scan is refused",
)
FUNCTIONS = ("forwarder", "transform")
FAULTS = (
    *(f"{name} {what}" for name in FUNCTIONS for what in (*INVOCATION_FAULTS, *PUT_FAULTS)),
    "mapping repeats a batch",
    "firehose repeats a record",
    "firehose reorders records",
    "firehose writes an object twice",
    *(f"backfill {what}" for what in (*BACKFILL_FAULTS, *PUT_FAULTS)),
)


class Spell(NamedTuple):
    """While a fault may strike: with this chance each time, from `start` until `end`, and no
    more often than `most`: a schedule ends, whatever a broken handler makes of it."""

    chance: float
    start: float
    end: float
    most: int


class EndlessError(Exception):
    """More happened than can happen in a run that ends."""


class World:
    """Time passes only by `run`, which does what is due, and inside a function by its waiting."""

    def __init__(self, seed: int, spells: Mapping[str, Spell]) -> None:
        self.seed = seed
        self.now = START
        self.faults: Counter[str] = Counter()
        self.events: Counter[str] = Counter()
        self.logs: list[str] = []
        """What each invocation printed."""
        self.complaints: list[str] = []
        """What no function may do, seen while it ran."""
        self.running: Any = None
        """The function that runs, or ran last."""
        self._spells = spells
        self._chances: dict[str, Random] = {}
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()
        self._trace = blake2b(digest_size=16)
        self.keep: list[str] | None = None
        """Set to a list, it keeps the trace's lines for a person to read."""

    def chance(self, name: str) -> Random:
        """The chances of one part: drawing more for one part leaves those of all others alone."""
        if name not in self._chances:
            self._chances[name] = Random(f"{self.seed} {name}")
        return self._chances[name]

    def strikes(self, fault: str) -> bool:
        """Whether the fault strikes now; it is counted and traced if it does."""
        spell = self._spells.get(fault)
        if spell is None or not spell.start <= self.now < spell.end:
            return False
        if self.chance(fault).random() >= spell.chance or self.faults[fault] >= spell.most:
            return False
        self.strike(fault)
        return True

    def strike(self, fault: str) -> None:
        self.faults[fault] += 1
        self.trace("fault", fault)

    def trace(self, *details: object) -> None:
        """Note what happened: two runs of a seed leave the same trace."""
        line = f"{self.now - START:.6f} {' '.join(map(str, details))}"
        self._trace.update(line.encode() + b"\n")
        if self.keep is not None:
            self.keep.append(line)

    @property
    def trace_hash(self) -> str:
        return self._trace.hexdigest()

    def after(self, seconds: float, action: Callable[..., None], *arguments: Any) -> None:
        """Have `action` done that much later; what is due at the same time keeps its order."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action, arguments))

    def run(self) -> None:
        """Do what is due until nothing is."""
        while self._due:
            self.now, _, action, arguments = heapq.heappop(self._due)
            action(*arguments)
