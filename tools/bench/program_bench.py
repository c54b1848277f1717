"""The program's own time and memory for stacks of many tables, each in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

TABLES = (1, 10, 100)
CONTENDERS = ("bare Pulumi", "ours")

AT_MOST_SECONDS = 0.15


class Run(NamedTuple):
    """What a process tells of itself: CPU seconds, peak MiB, resources registered."""

    seconds: float
    mebibytes: float
    resources: int


class ProgramCase(NamedTuple):
    """A stack of so many tables, each contender's run in every round."""

    tables: int
    runs: dict[str, list[Run]]

    def seconds(self, contender: str) -> float:
        """CPU seconds of the whole stack."""
        return median(run.seconds for run in self.runs[contender])

    def mebibytes(self, contender: str) -> float:
        return median(run.mebibytes for run in self.runs[contender])

    @property
    def resources(self) -> int:
        return self.runs["ours"][0].resources

    @property
    def ratio(self) -> float:
        """Ours to bare Pulumi, within each round."""
        pairs = zip(*(self.runs[contender] for contender in reversed(CONTENDERS)), strict=True)
        return median(ours.seconds / bare.seconds for ours, bare in pairs)


def measure(tables: Sequence[int], rounds: int) -> Iterator[ProgramCase]:
    """Each size in turn, in every round both contenders.

    Raises ValueError when a process fails, or both do not register the same resources.
    """
    for count in tables:
        runs: dict[str, list[Run]] = {contender: [] for contender in CONTENDERS}
        for _ in range(rounds):
            for contender in CONTENDERS:
                runs[contender].append(run(contender, count))
        if len({found.resources for each in runs.values() for found in each}) > 1:
            raise ValueError(f"{count} tables: the contenders do not register the same resources")
        yield ProgramCase(count, runs)


def run(contender: str, tables: int) -> Run:
    command = [sys.executable, "-m", "tools.bench.program_child", contender, str(tables)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise ValueError(f"a stack of {tables} tables by {contender} failed: {last}")
    return Run(**json.loads(done.stdout))
