"""A few hundred seeds through the simulation; that it replays; and that it finds what is broken."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.mutations import MUTATIONS, hunt
from tests.simulation.run import Result, simulate
from tests.simulation.simulate import REPLAY
from tests.simulation.world import FAULTS

SEEDS = 300
# Among them backfills whose puts are throttled, so that they wait for a random while.
REPLAYED = (*range(7), 15, 26)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [simulate(seed) for seed in range(SEEDS)]


def test_no_seed_finds_a_change_lost_made_up_looping_or_told(results: list[Result]) -> None:
    failed = {f"{REPLAY} {result.seed}": result.violations for result in results}
    assert {replay: found for replay, found in failed.items() if found} == {}


def test_every_kind_of_fault_strikes(results: list[Result]) -> None:
    struck = sum((result.faults for result in results), Counter[str]())
    assert set(FAULTS) - set(struck) == set()
    asked = {kind.partition(" to ")[2] for kind in struck if kind.startswith("change asks")}
    assert asked == {
        *("fail", "kill", "leave out", "mix partitions", "return a text", "return nothing"),
        *("return the item", "return three rows", "take the change apart", "widen"),
        "wrong column",
    }
    changes = {"change cannot be read", "change fits compressed only", "change fits into no record"}
    assert changes < set(struck)


def test_what_the_faults_lead_to_happens(results: list[Result]) -> None:
    happened = sum((result.events for result in results), Counter[str]())
    wanted = {
        *("bisects", "retries", "partial failures", "shard split", "records put back"),
        *("failed batches, RecordAgeExceeded", "failed batches, RetryAttemptsExhausted"),
        *("error records, Lambda.FunctionError", "error records, Lambda.ProcessingFailedStatus"),
        *("transform tried again", "transform batches given up", "rows repeated"),
        "changes that land behind a later change of their item",
        "snapshots that land behind a later change of their item",
        *("backfill run again, KilledError", "backfill run again, CommandError"),
    }
    assert wanted - set(happened) == set()


def test_a_seed_replays_exactly_in_another_process(results: list[Result]) -> None:
    program = (
        "from tests.simulation.run import simulate\n"
        f"print(*(simulate(seed).trace_hash for seed in {REPLAYED}))"
    )
    hashes = [results[seed].trace_hash for seed in REPLAYED]
    assert len(set(hashes)) == len(REPLAYED)
    for hash_seed in "12":
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True
        )
        assert run.stdout.split() == hashes, run.stderr


@pytest.mark.parametrize("name", MUTATIONS)
def test_handlers_broken_on_purpose_are_found(name: str) -> None:
    assert hunt(name).seed >= 0, f"not found by {MUTATIONS[name].found_by}"
