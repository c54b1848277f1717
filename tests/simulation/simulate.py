"""Command that runs many seeds and all mutations on all cores."""

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

from tests.simulation.mutations import MUTATIONS, detect
from tests.simulation.run import Result, simulate

SEEDS_PER_TASK = 20
SHOWN_FAILURES = 10
REPLAY = ".venv/bin/python -m tests.simulation --seed"


def main() -> None:
    """Run the command; exit with 1 if any run is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Run the real handlers in simulated worlds with faults, and check each run.",
    )
    parser.add_argument("count", nargs="?", type=int, default=2000, help="number of seeds")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run only this seed and print its trace")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="number of processes")
    parser.add_argument("--no-mutations", action="store_true", help="skip the mutations")
    options = parser.parse_args()
    console = Console()
    if options.seed is not None:
        sys.exit(replay(console, options.seed))
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        good = seeds(console, pool, range(options.first, options.first + options.count))
        if not options.no_mutations:
            good = mutations(console, pool) and good
    sys.exit(0 if good else 1)


def replay(console: Console, seed: int) -> int:
    """Run one seed and print its trace."""
    result = simulate(seed, keep_trace=True)
    for line in result.trace:
        console.print(line, markup=False, highlight=False)
    if result.violations:
        print_failures(console, [result])
    console.print(f"seed {seed}: trace {result.trace_hash}, {len(result.violations)} violations")
    return 1 if result.violations else 0


def run_seeds(some: range) -> tuple[list[Result], Counter[str], Counter[str]]:
    """Return the failed results and the sums of all."""
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
    for more, more_faults, more_events in each(console, pool, "seeds", run_seeds, tasks, len):
        failed += more
        faults += more_faults
        events += more_events
    print_counts(console, "Faults", faults)
    print_counts(console, "Events", events)
    print_failures(console, sorted(failed, key=lambda result: result.seed))
    console.print(f"{len(some)} seeds, {faults.total()} faults, {len(failed)} seeds failed")
    return not failed


def mutations(console: Console, pool: ProcessPoolExecutor) -> bool:
    detections = list(each(console, pool, "mutations", detect, list(MUTATIONS)))
    table = Table(title="Mutations", title_justify="left")
    for name in ("mutation", "detected by", "after seeds"):
        table.add_column(name)
    for detection in sorted(detections, key=lambda done: list(MUTATIONS).index(done.name)):
        check = MUTATIONS[detection.name].detected_by.replace("_", " ")
        table.add_row(
            detection.name,
            check if detection.seed >= 0 else "[red]nothing[/red]",
            str(detection.seeds),
        )
    console.print(table)
    return all(detection.seed >= 0 for detection in detections)


def each(
    console: Console,
    pool: ProcessPoolExecutor,
    title: str,
    work: Callable[[Any], Any],
    tasks: Iterable[Any],
    size: Callable[[Any], int] = lambda _: 1,
) -> Iterator[Any]:
    """Yield the results of all tasks, with a progress bar."""
    running = {pool.submit(work, task): size(task) for task in tasks}
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
        line = bar.add_task(title, total=sum(running.values()))
        for done in as_completed(running):
            bar.advance(line, running[done])
            yield done.result()


def print_counts(console: Console, title: str, counts: Counter[str]) -> None:
    table = Table(title=title, title_justify="left", show_header=False)
    for name, number in sorted(counts.items()):
        table.add_row(name, str(number))
    console.print(table)


def print_failures(console: Console, failed: list[Result]) -> None:
    for result in failed[:SHOWN_FAILURES]:
        console.print(f"[red]seed {result.seed} fails[/red]; replay with: {REPLAY} {result.seed}")
        for check, text in result.violations[:SHOWN_FAILURES]:
            console.print(f"  {check}: {text}", markup=False, highlight=False)
    if len(failed) > SHOWN_FAILURES:
        others = ", ".join(str(result.seed) for result in failed[SHOWN_FAILURES:])
        console.print(f"and the seeds {others}")
