"""The whole stack on this machine: start, deploy, write, wait, crawl, ask, compare, clean up."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

from rich.console import Console

from local import LocalError
from local import console as screen
from local.deploy.deploy import deploy
from local.emulator.process import ROOT, Emulator
from local.sample import run as drive
from local.sample.lake import Lake
from local.sample.writes import Sample, samples
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import Pipeline, pipelines_of, read_config

Driven = list[tuple[Pipeline, Sample]]


def demo(console: Console) -> bool:
    """Run the demo; whether everything was as it should be."""
    begun = time.monotonic()
    console.print("[bold]From DynamoDB to Athena on this machine[/]: no AWS account, no Docker.\n")
    with started(console, read_config(ROOT).region) as emulator:
        pipelines = deploy_stack(console, emulator)
        reports = drive_sample(console, emulator, pipelines)
        screen.print_reports(console, reports)
        if any(report.missing for report in reports):
            screen.print_log(console, emulator.log_tail())
    problems = [problem for report in reports for problem in report.problems]
    screen.print_end(console, problems, time.monotonic() - begun)
    return not problems


@contextlib.contextmanager
def started(console: Console, region: str, port: int | None = None) -> Iterator[Emulator]:
    """The embedded AWS, with a line on the screen when it is up."""
    with contextlib.ExitStack() as stack:
        with screen.step(console, "Starting the embedded AWS", "Started") as step:
            emulator = stack.enter_context(Emulator(region, port))
            version = metadata.version("ministack")
            step.result = f"the embedded AWS (ministack {version}) on {emulator.endpoint}"
        yield emulator


def deploy_stack(console: Console, emulator: Emulator) -> list[Pipeline]:
    """Run the stack's program on the embedded AWS."""
    config = read_config(ROOT)
    made: Counter[str] = Counter()
    with screen.step(console, "Deploying the stack", "Deployed") as step:
        exports = deploy(ROOT, config, emulator.clients, lambda type_, _: made.update([type_]))
        pipelines = pipelines_of(exports)
        names = " and ".join(pipeline.name for pipeline in pipelines)
        step.result = f"the {config.stack} stack: {made.total()} resources for {names}"
    return pipelines


def drive_sample(
    console: Console, emulator: Emulator, pipelines: list[Pipeline]
) -> list[drive.TableReport]:
    """Write the sample, wait for it, crawl, and report on each table."""
    clients, known = emulator.clients, samples()
    driven = [(one, known[one.name]) for one in pipelines if one.name in known]
    if not driven:
        raise LocalError(
            f"The stack has none of the tables that the sample is for: {', '.join(known)}. "
            "Use `make local` and write items of your own."
        )
    lakes = [Lake(clients, pipeline) for pipeline, _ in driven]
    with screen.step(console, "Writing to DynamoDB", "Wrote") as step:
        step.result = write_all(clients, driven)
    with screen.step(console, "Delivering", "Delivered", spinner=False) as step:
        arrivals = wait(console, emulator, lakes)
        step.result = delivery_words(arrivals)
    with screen.step(console, "Crawling", "Crawled") as step:
        step.result = crawl_words(pipelines, drive.crawl_all(clients, pipelines))
    with screen.step(console, "Asking Athena", "Asked") as step:
        reports = [
            drive.report(clients, lake, sample, arrivals[pipeline.name])
            for lake, (pipeline, sample) in zip(lakes, driven, strict=True)
        ]
        step.result = "Athena, DynamoDB, S3 and the logs what became of it"
    return reports


def write_all(clients: Clients, driven: Driven) -> str:
    """Write to the tables side by side, as a web service does."""
    with ThreadPoolExecutor() as pool:
        counts = pool.map(lambda one: drive.write(clients, one[0], one[1].writes), driven)
        kinds = sum(counts, Counter[str]())
    parts = ", ".join(f"{count} {kind}s" for kind, count in kinds.items())
    return f"{kinds.total()} changes to DynamoDB: {parts}"


def wait(console: Console, emulator: Emulator, lakes: list[Lake]) -> dict[str, drive.Arrival]:
    """Watch the changes arrive."""
    with screen.progress(console) as bars:
        tasks = {lake.pipeline.name: bars.add_task(lake.pipeline.name) for lake in lakes}

        def advance(name: str, done: int, total: int) -> None:
            bars.update(tasks[name], completed=done, total=total)

        return drive.wait_until_arrived(emulator.clients, lakes, advance, emulator.check)


def delivery_words(arrivals: dict[str, drive.Arrival]) -> str:
    changes = sum(arrival.changes for arrival in arrivals.values())
    missing = sum(len(arrival.missing) for arrival in arrivals.values())
    return f"{changes - missing} of {changes} changes through Lambda and Firehose to S3"


def crawl_words(pipelines: list[Pipeline], added: dict[str, int]) -> str:
    words = [
        f"{count} new partition{'' if count == 1 else 's'} of {name}"
        for name, count in added.items()
    ]
    projected = [pipeline.name for pipeline in pipelines if pipeline.name not in added]
    if projected:
        words.append(f"{' and '.join(projected)} needs none")
    return "; ".join(words)
