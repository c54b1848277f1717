"""CPU time of several contenders on the same events, measured in turn, and what to say of it."""

import contextlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tools.bench.candidate import Handler
from tools.bench.events import Event

Contenders = Callable[[], dict[str, Handler]]
"""Makes the handlers that are compared, by name; a function of a module, so that it travels."""

Samples = dict[str, list[float]]
"""CPU seconds of each contender over one event, in the order of the rounds."""

# Enough to load what a first call loads, and to learn what ours learns of a user's transform.
WARM_UP_RECORDS = 5


class Case(NamedTuple):
    """An event with the samples taken over it so far."""

    event: Event
    samples: Samples


class Spread(NamedTuple):
    """A median with the quartiles around it."""

    low: float
    median: float
    high: float


def measure(
    contenders: Contenders, cases: Sequence[Case], rounds: int, turns: int
) -> Iterator[int]:
    """Add to the cases' samples; yields the number of each round at its end.

    A round takes every case, so that what disturbs the machine for a while disturbs a round or two
    of all cases and no median. It runs in a new process: at which addresses a process happens to
    load its libraries makes one contender up to 30 % slower for as long as that process lives.
    """
    events = [event for event, _ in cases]
    context = multiprocessing.get_context("spawn")
    for number in range(rounds):
        with ProcessPoolExecutor(1, mp_context=context) as process:
            taken = process.submit(one_round, contenders, events, number * turns, turns).result()
        for case, samples in zip(cases, taken, strict=True):
            for name, seconds in samples.items():
                case.samples.setdefault(name, []).extend(seconds)
        yield number + 1


def one_round(
    contenders: Contenders, events: Sequence[Event], first: int, turns: int
) -> list[Samples]:
    """Give every contender every event, `turns` times, each turn beginning with another one.

    Every call gets an event of its own, parsed outside of the measurement as Lambda's runtime does.
    """
    found = []
    for event in events:
        handlers = contenders()
        warm_up(handlers, event)
        names = list(handlers)
        samples: Samples = {name: [] for name in names}
        for turn in range(first, first + turns):
            start = turn % len(names)
            for name in names[start:] + names[:start]:
                received = event.parsed()
                with silence():
                    begin = time.process_time()
                    answer = handlers[name](received)
                    samples[name].append(time.process_time() - begin)
                del answer, received
        found.append(samples)
    return found


def warm_up(handlers: dict[str, Handler], event: Event) -> None:
    for handler in handlers.values():
        received = event.parsed()
        for records in received.values():
            if isinstance(records, list):
                del records[WARM_UP_RECORDS:]
        with silence():
            handler(received)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Handlers log to standard output: every contender's lines go the same way."""
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        yield


def spread(values: list[float]) -> Spread:
    """The median and the quartiles of some values."""
    if len(values) == 1:
        return Spread(*values * 3)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, statistics.median(values), high)


def ratio(case: Case, name: str, base: str) -> Spread:
    """One contender's time as a share of another's, taken within each turn."""
    pairs = zip(case.samples[name], case.samples[base], strict=True)
    return spread([mine / other for mine, other in pairs])


def microseconds(case: Case, name: str) -> float:
    """The median CPU time for one change."""
    return statistics.median(case.samples[name]) / case.event.changes * 1e6
