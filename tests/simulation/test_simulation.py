"""Simulation of 300 seeds, its coverage, its replay, and all mutations."""

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.mutations import MUTATIONS, detect
from tests.simulation.run import Result, simulate
from tests.simulation.simulate import REPLAY
from tests.simulation.world import FAULTS, STREAM_FAULTS

SEEDS = 300
# Some have backfills with throttled puts, whose pauses are random.
REPLAYED = (*range(7), 15, 26)


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [simulate(seed) for seed in range(SEEDS)]


def test_no_check_fails_for_any_seed(results: list[Result]) -> None:
    violations = {f"{REPLAY} {result.seed}": result.violations for result in results}
    assert {replay: some for replay, some in violations.items() if some} == {}


def test_every_fault_and_every_script_occurs(results: list[Result]) -> None:
    faults = sum((result.faults for result in results), Counter[str]())
    assert {*FAULTS, *STREAM_FAULTS} - set(faults) == set()
    scripts = {kind.partition(": ")[2] for kind in faults if kind.startswith("change script")}
    assert scripts == {
        "exit",
        "fail",
        "filter",
        "kill",
        "mix partitions",
        "modify the change",
        "return a text",
        "return nothing",
        "return the item",
        "return three rows",
        "wait",
        "widen",
        "wrong column",
    }
    changes = {
        "change cannot be read",
        "change fits only compressed",
        "change has names that Athena cannot read",
        "change is too large",
    }
    assert changes < set(faults)


def test_every_consequence_of_the_faults_occurs(results: list[Result]) -> None:
    events = sum((result.events for result in results), Counter[str]())
    expected = {
        "backfill restarted, CommandError",
        "backfill restarted, KilledError",
        "bisects",
        "changes filtered by the mapping",
        "changes in several lake tables",
        "changes that enter a lake table",
        "changes that leave a lake table",
        "changes that move between lake tables",
        "changes unmatched, count",
        "changes unmatched, fail",
        "changes recovered from the stream",
        "changes recovered from the table",
        "changes replayed",
        "changes trimmed",
        "changes that arrive after a later change of their item",
        "deployments",
        "error records, DataFormatConversion.InvalidSchema",
        "error records, Lambda.FunctionError",
        "error records, Lambda.ProcessingFailedStatus",
        "failed batches, RecordAgeExceeded",
        "failed batches, RetryAttemptsExhausted",
        "merge: checks of the merged table",
        "merge: checks of the view",
        "merge: failed runs",
        "merge: late objects",
        "merge: merged ranges",
        "merge: merges of one snapshot",
        "merge: missed runs",
        "merge: repeated runs",
        "merge: rows of a later version",
        "merge: rows written again",
        "merge: runs",
        "merge: runs at once",
        "not replayed, change-too-large",
        "not replayed, unknown-lines",
        "not replayed, unmatched",
        "partial failures",
        "records requeued",
        "replay restarted, CommandError",
        "replay restarted, KilledError",
        "retries",
        "rows repeated",
        "runs with a stream that fails until the replay",
        "runs with conditions, lake tables: 1",
        "runs with conditions, lake tables: 2",
        "runs with conditions, lake tables: 3",
        "runs with conditions, no old images",
        "shard split",
        "snapshots that arrive after a later change of their item",
        "streams created again",
        "tables restored",
        "transform retries",
        "transform retries exhausted",
        "writes without a stream",
    }
    assert expected - set(events) == set()


def test_a_seed_has_the_same_trace_in_another_process(results: list[Result]) -> None:
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
def test_every_mutation_of_the_handlers_is_detected(name: str) -> None:
    assert detect(name).seed >= 0, f"not detected by {MUTATIONS[name].detected_by}"
