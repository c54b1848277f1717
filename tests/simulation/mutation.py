"""Break of a guarantee, and the first seed that detects it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.simulation.run import simulate
from tests.simulation.scenario import Scenario, scenario_of

MAX_SEEDS = 2000


class Mutation(NamedTuple):
    """Patch that breaks a guarantee."""

    patch: Any
    detected_by: str
    """The check that must fail."""
    applies_to: Callable[[Scenario], Any]
    """Whether a scenario can detect it; others are not run."""


class Detection(NamedTuple):
    """Seed that detected a mutation (-1: none), and the runs."""

    name: str
    seed: int
    seeds: int


MUTATIONS: dict[str, Mutation] = {}


def detected_by(check: str) -> Callable[..., None]:
    """Return a function that adds mutations for a check."""

    def add(name: str, change: Any, applies_to: Callable[[Scenario], Any] = lambda _: True) -> None:
        MUTATIONS[name] = Mutation(change, check, applies_to)

    return add


def detect(name: str, most: int = MAX_SEEDS) -> Detection:
    """Run seeds with a mutation until its check fails."""
    mutation, runs = MUTATIONS[name], 0
    for seed in range(most):
        if mutation.applies_to(scenario_of(seed)):
            runs += 1
            with mutation.patch:
                violations = simulate(seed).violations
            if mutation.detected_by in dict(violations):
                return Detection(name, seed, runs)
    return Detection(name, -1, runs)
