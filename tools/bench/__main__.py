"""`python -m tools.bench`: measure functions, current state and program in one run."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from statistics import median

import pyperf

from tools.bench import engine_bench, handlers_bench, memory, merge_bench, program_bench
from tools.bench.events import SHAPES
from tools.bench.handlers_bench import INPUT_FORMS, Case, event_of
from tools.bench.stub import Received
from tools.docs.marked_blocks import replace_blocks
from tools.project import ROOT

PAGE = ROOT / "docs" / "performance.md"
PARTS = ("handlers", "columns", "memory", "merge", "program")
ENGINE = "engine"
"""A part that needs the Pulumi CLI on the PATH; measured on request only."""
FORMATS = {"csv": "CSV", "json": "JSON lines"}

PASSES = 5
MERGE_SIZES = (merge_bench.ITEMS, merge_bench.HISTORIES, PASSES)

Times = dict[Case, list[float]]
"""CPU seconds per change of each benchmark, one median per pass."""


def main() -> None:
    """Measure the requested parts, and print or write their tables."""
    arguments = parse()
    blocks = {}
    for part in arguments.parts or PARTS:
        tables = {
            "handlers": handlers,
            "columns": columns,
            "memory": memory_tables,
            "merge": merge,
            "program": program,
            ENGINE: engine,
        }[part]
        blocks[part] = f"{machine()}\n\n" + "\n\n".join(tables(arguments.quick))
        sys.stdout.write(f"{blocks[part]}\n\n")
    if arguments.write:
        page = PAGE.read_text()
        PAGE.write_text(replace_blocks(page, {name: text.__str__ for name, text in blocks.items()}))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}, {ENGINE}")
    parser.add_argument("--quick", action="store_true", help="fewer values: try the benchmark")
    parser.add_argument("--write", action="store_true", help="write the tables into the page")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - {*PARTS, ENGINE}:
        parser.error(f"unknown part {', '.join(unknown)}; use {', '.join(PARTS)} or {ENGINE}")
    if arguments.write and arguments.quick:
        parser.error("--write does not accept --quick, whose values vary")
    return arguments


def machine() -> str:
    """Processor, Python, packages and day."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("msgspec", "orjson", "boto3"))
    return (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()},"
        f" {packages}; {date.today().isoformat()}."
    )


def processor() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def handlers(quick: bool) -> list[str]:
    """Tables of transform and forwarder."""
    bills = {}
    for case in handlers_bench.cases():
        if case.function == "forwarder":
            bills[case] = handlers_bench.count_received(case)
    times = measured(["transform", "forwarder"], quick)
    return [transform_table(times), forwarder_table(times), bill_table(bills)]


def columns(quick: bool) -> list[str]:
    """Table of five columns with and without a function."""
    return [columns_table(measured(["columns"], quick))]


def measured(functions: Sequence[str], quick: bool) -> Times:
    """Compare the rows of all implementations, and run the benchmarks."""
    for case in handlers_bench.cases():
        if case.implementation == "floor" and case.function in functions:
            handlers_bench.check(case, 50_000)
    return run_all(functions, 1, ["--values=1"]) if quick else run_all(functions, PASSES, [])


def run_all(functions: Sequence[str], passes: int, options: Sequence[str]) -> Times:
    """Run the functions' benchmarks once per pass, each in a new process.

    An interruption of the machine affects one pass of all benchmarks, and no median of the ratios.
    """
    command = [sys.executable, "-m", "tools.bench.handlers_bench", "--quiet", *options]
    environment = os.environ | {"BENCH_FUNCTIONS": ",".join(functions)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        for number in range(passes):
            print(f"pass {number + 1} of {passes}", file=sys.stderr)
            subprocess.run(
                [*command, "--append", str(path)],
                check=True,
                stdout=subprocess.DEVNULL,
                env=environment,
            )
        suite = pyperf.BenchmarkSuite.load(str(path))
    times = {}
    for benchmark in suite:
        case = Case(*benchmark.get_name().split("|"))
        changes = event_of(case).changes
        times[case] = [median(run.values) / changes for run in benchmark.get_runs()]
    return times


def transform_table(times: Times) -> str:
    """Both formats against floor and baseline."""
    rows = []
    for form in INPUT_FORMS:
        for kind, name in FORMATS.items():
            for records in ("single", "aggregated"):
                for shape in SHAPES:
                    floor, simple, measured = (
                        times[Case("transform", shape, form, records, implementation)]
                        for implementation in ("floor", f"baseline {kind}", f"candidate {kind}")
                    )
                    figures = [*micros(floor, simple, measured), *ratios(measured, simple, floor)]
                    rows.append([form, name, records, shape, *figures])
    head = ["input", "rows", "records", "item", "floor", "baseline", "transform"]
    head += ["of baseline", "of floor"]
    return table("Transform: CPU µs per change", head, rows)


def columns_table(times: Times) -> str:
    """Five columns as ratios to both floors."""
    rows = []
    for form in INPUT_FORMS:
        for records in ("single", "aggregated"):
            for kind, name in FORMATS.items():
                for shape in SHAPES:
                    floor, keeping, *others = (
                        times[Case("columns", shape, form, records, implementation)]
                        for implementation in (
                            "floor",
                            "keeping floor",
                            f"baseline {kind}",
                            f"powertools {kind}",
                            f"function {kind}",
                            f"columns {kind}",
                        )
                    )
                    figures = [ratio for each in others for ratio in ratios(each, floor)]
                    figures += [ratio for each in others[-2:] for ratio in ratios(each, keeping)]
                    rows.append([form, records, name, shape, *micros(floor), *figures])
    head = ["input", "records", "rows", "item", "floor, µs", "baseline", "Powertools"]
    head += ["`transform`", "columns only"]
    head += ["`transform` of keeping floor", "columns only of keeping floor"]
    return table("Five columns and all metadata: CPU time as a ratio to the floor", head, rows)


def forwarder_table(times: Times) -> str:
    """The forwarder against one record per change."""
    rows = []
    for shape in SHAPES:
        simple, measured = (
            times[Case("forwarder", shape, "stream", "", name)]
            for name in ("baseline", "candidate")
        )
        rows.append([shape, *micros(simple, measured), *ratios(measured, simple)])
    head = ["item", "baseline", "forwarder", "of baseline"]
    return table("Forwarder with boto3: CPU µs per change", head, rows)


def bill_table(bills: dict[Case, Received]) -> str:
    """Records and billed bytes of both forwarders."""
    rows = []
    for shape in SHAPES:
        simple, measured = (
            bills[Case("forwarder", shape, "stream", "", name)]
            for name in ("baseline", "candidate")
        )
        sizes = [f"{it.billed_bytes / it.changes:,.0f}" for it in (simple, measured)]
        ratio = f"{measured.billed_bytes / simple.billed_bytes:.2f}"
        rows.append([shape, str(simple.records), str(measured.records), *sizes, ratio])
    head = ["item", "records, baseline", "records, forwarder", "bytes, baseline"]
    head += ["bytes, forwarder", "of baseline"]
    return table("What Firehose bills: records per event, bytes per change", head, rows)


def micros(*benchmarks: list[float]) -> list[str]:
    return [f"{median(seconds) * 1e6:.1f}" for seconds in benchmarks]


def ratios(values: list[float], *bases: list[float]) -> list[str]:
    """The median over the passes of the ratio to each base."""
    return [
        f"{median(value / other for value, other in zip(values, base, strict=True)):.2f}"
        for base in bases
    ]


def memory_tables(quick: bool) -> list[str]:
    """Peak memory by work and item."""
    peaks = {
        (work, shape): mebibytes
        for work, shape, mebibytes in memory.measure(600_000 if quick else memory.EVENT_BYTES)
    }
    rows = []
    for work in dict.fromkeys(work for work, _ in peaks):
        cells = [peaks.get((work, shape)) or peaks.get((work, "")) for shape in SHAPES]
        rows.append([work, *(f"{cell:.0f}" for cell in cells if cell)])
    return [table("Peak memory over an event of 6 MB: MiB", ["process", *SHAPES], rows)]


def merge(quick: bool) -> list[str]:
    """The current state from log and merged table, by history."""
    items, histories, passes = (1_000, merge_bench.HISTORIES[:2], 1) if quick else MERGE_SIZES
    results = merge_bench.measure(items, histories, passes)
    return [merge_table(results)]


def merge_table(results: Sequence[merge_bench.Result]) -> str:
    """Bytes and CPU time by history, with ratios to the first."""
    names = {
        merge_bench.LOG: "view over the log",
        merge_bench.MERGED: "merged table and window",
        merge_bench.MERGE: "one merge",
    }
    rows = []
    for measure, name in names.items():
        for result in results:
            of_bytes, of_seconds = result.ratios(measure, results[0])
            figures = [f"{result.bytes[measure] / 1e6:.2f}", f"{of_bytes:.2f}"]
            figures += [f"{median(result.seconds[measure]):.3f}", f"{of_seconds:.2f}"]
            rows.append([name, f"{result.size.history}x", f"{result.size.changes:,}", *figures])
    head = ["query", "history", "changes", "MB read", "of 1x", "CPU s", "of 1x"]
    items = f"{results[0].size.items:,} items"
    return table(f"Current state of {items}, DuckDB {version('duckdb')}, one thread", head, rows)


def program(quick: bool) -> list[str]:
    """The program against bare Pulumi, by number of tables."""
    sizes, rounds = (program_bench.TABLES[:2], 1) if quick else (program_bench.TABLES, 3)
    rows = []
    for result in program_bench.measure(sizes, rounds):
        bare, measured = (result.seconds(name) for name in program_bench.IMPLEMENTATIONS)
        resources = result.runs["program"][0].resources
        rows.append(
            [
                str(result.tables),
                f"{resources:,}",
                *(f"{value:.2f}" for value in (bare, measured, measured / bare)),
                f"{measured / result.tables:.3f}",
                *(f"{result.mebibytes(name):,.0f}" for name in program_bench.IMPLEMENTATIONS),
            ]
        )
    head = ["tables", "resources", "bare Pulumi", "program", "of bare Pulumi", "per table"]
    head += ["bare Pulumi, MiB", "program, MiB"]
    return [table("The program under Pulumi's mocks: CPU seconds, peak memory", head, rows)]


def engine(quick: bool) -> list[str]:
    """Stacks with default settings, deployed by the Pulumi CLI."""
    rows = []
    for tables in engine_bench.TABLES[:1] if quick else engine_bench.TABLES:
        result = engine_bench.run(tables)
        rows.append(
            [
                str(tables),
                f"{result.resources:,}",
                *(f"{value:.0f}" for value in (result.preview, result.up, result.unchanged)),
                *(f"{size / 1e6:.2f}" for size in (result.state, result.state_without_traces)),
            ]
        )
    head = ["tables", "resources", "preview, s", "up, s", "preview of the unchanged stack, s"]
    head += ["state, MB", "without stack traces, MB"]
    return [table("The real Pulumi CLI with a provider that creates nothing", head, rows)]


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A titled Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(cells)} |" for cells in lines)])


if __name__ == "__main__":
    main()
