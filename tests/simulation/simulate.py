"""Many seeds, on all cores: which fail, what struck, and whether each mutation is found."""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.mutations import MUTATIONS, hunt
from tests.simulation.run import Result, simulate

SEEDS_PER_TASK = 20
SHOWN_FAILURES = 10
REPLAY = ".venv/bin/python -m tests.simulation --seed"


def main() -> None:
    """The command line; exits with 1 when a seed fails or a mutation is not found."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run the real handlers in seeded worlds full of faults, and check each.",
    )
    parser.add_argument("count", nargs="?", type=int, default=2000, help="how many seeds")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone and tell its story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--no-mutations", action="store_true", help="leave the mutations out")
    given = parser.parse_args()
    console = Console()
    if given.seed is not None:
        sys.exit(replay(console, given.seed))
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        good = seeds(console, pool, range(given.first, given.first + given.count))
        if not given.no_mutations:
            good = mutations(console, pool) and good
    sys.exit(0 if good else 1)


def replay(console: Console, seed: int) -> int:
    """One seed with its trace; the same every time."""
    result = simulate(seed, keep_trace=True)
    for line in result.trace:
        console.print(line, markup=False, highlight=False)
    print_failures(console, [result])
    console.print(f"seed {seed}: trace {result.trace_hash}, {len(result.violations)} violations")
    return 1 if result.violations else 0


def run_seeds(some: range) -> tuple[list[Result], Counter[str], Counter[str]]:
    """In a process of its own: the results that fail, and the sums over all."""
    failed, faults, events = [], Counter[str](), Counter[str]()
    for seed in some:
        result = simulate(seed)
        faults += result.faults
        events += result.events
        if result.violations:
            failed.append(result)
    return failed, faults, events


def seeds(console: Console, pool: ProcessPoolExecutor, some: range) -> bool:
    tasks = [some[start : start + SEEDS_PER_TASK] for start in range(0, len(some), SEEDS_PER_TASK)]
    failed: list[Result] = []
    faults, events = Counter[str](), Counter[str]()
    for more, struck, happened in each(console, pool, "seeds", run_seeds, tasks, len):
        failed += more
        faults += struck
        events += happened
    print_counts(console, "Faults injected", faults)
    print_counts(console, "What came of them", events)
    print_failures(console, sorted(failed, key=lambda result: result.seed))
    console.print(f"{len(some)} seeds, {faults.total()} faults, {len(failed)} seeds failed")
    return not failed


def mutations(console: Console, pool: ProcessPoolExecutor) -> bool:
    hunts = list(each(console, pool, "mutations", hunt, list(MUTATIONS)))
    table = Table(title="Handlers broken on purpose", title_justify="left")
    for name in ("broken so that", "found by", "after seeds"):
        table.add_column(name)
    for found in sorted(hunts, key=lambda done: list(MUTATIONS).index(done.name)):
        check = MUTATIONS[found.name].found_by.replace("_", " ")
        table.add_row(
            found.name, check if found.seed >= 0 else "[red]nothing[/red]", str(found.seeds)
        )
    console.print(table)
    return all(found.seed >= 0 for found in hunts)


def each(
    console: Console,
    pool: ProcessPoolExecutor,
    title: str,
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    size: Callable[[Any], int] = lambda _: 1,
) -> Iterator[Any]:
    """The results of `work` over all tasks as they come, under a progress bar."""
    under_way = {pool.submit(work, task): size(task) for task in tasks}
    bar = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        line = bar.add_task(title, total=sum(under_way.values()))
        for done in as_completed(under_way):
            bar.advance(line, under_way[done])
            yield done.result()


def print_counts(console: Console, title: str, counts: Counter[str]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    for name, number in sorted(counts.items()):
        table.add_row(name, str(number))
    console.print(table)


def print_failures(console: Console, failed: list[Result]) -> None:
    for result in failed[:SHOWN_FAILURES]:
        console.print(f"[red]seed {result.seed} fails[/red]; again with: {REPLAY} {result.seed}")
        for check, text in result.violations[:SHOWN_FAILURES]:
            console.print(f"  {check}: {text}", markup=False, highlight=False)
    if len(failed) > SHOWN_FAILURES:
        others = ", ".join(str(result.seed) for result in failed[SHOWN_FAILURES:])
        console.print(f"and the seeds {others}")
