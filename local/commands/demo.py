"""`make demo`: run the sample and compare the lake with the tables."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from local import console
from local.deploy.deploy import deploy
from local.emulator.process import ROOT, Emulator
from local.sample import run
from local.sample.lake import Lake
from local.sample.writes import Sample, samples
from streaming_etl import SettingsError
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import read_config
from streaming_etl.stack.console import progress
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack


def demo() -> bool:
    """Run the demo; return whether lake and tables are as expected."""
    start = time.monotonic()
    console.print_line("From DynamoDB to Athena on this machine, without an AWS account.\n", "bold")
    with started(read_config(ROOT).region) as emulator:
        stack = deploy_stack(emulator)
        reports = run_sample(emulator, stack.pipelines)
        console.print_reports(reports)
        if any(report.missing for report in reports):
            console.print_log(emulator.log_tail())
    problems = [problem for report in reports for problem in report.problems.values()]
    console.print_summary(problems, time.monotonic() - start)
    return not problems


@contextlib.contextmanager
def started(region: str, port: int | None = None) -> Iterator[Emulator]:
    """Start the embedded AWS for the duration of the block."""
    with contextlib.ExitStack() as stack:
        with console.step("Starting the embedded AWS", "Started") as step:
            emulator = stack.enter_context(Emulator(region, port))
            version = metadata.version("ministack")
            step.result = f"embedded AWS (ministack {version}) on {emulator.endpoint}"
        yield emulator


def deploy_stack(emulator: Emulator, directory: Path = ROOT) -> DeployedStack:
    """Run the stack's program on the embedded AWS."""
    config = read_config(directory)
    created: Counter[str] = Counter()
    with console.step("Deploying the stack", "Deployed") as step:
        try:
            exports = deploy(
                directory, config, emulator.clients, lambda type_, _: created.update([type_])
            )
        except SettingsError as error:
            raise CommandError(
                f"Pulumi.{config.stack}.yaml is invalid: {error}",
                code="invalid-settings",
                problems=error.problems,
            ) from None
        stack = DeployedStack(config.stack, exports, emulator.endpoint)
        names = " and ".join(pipeline.name for pipeline in stack.pipelines)
        step.result = f"stack {stack.name}: {created.total()} resources for {names}"
    return stack


def run_sample(emulator: Emulator, pipelines: list[DeployedPipeline]) -> list[run.TableReport]:
    """Write the sample, wait for its delivery, crawl, and report."""
    clients, known = emulator.clients, samples()
    lakes = [Lake(clients, pipeline) for pipeline in pipelines if pipeline.name in known]
    if not lakes:
        raise CommandError(
            f"The demo requires a table of its sample in the stack: {' or '.join(known)}. "
            "Use `make local` to write your own items.",
            code="no-sample",
            known=list(known),
        )
    names = [lake.pipeline.name for lake in lakes]
    with console.step("Writing to DynamoDB", "Wrote") as step:
        step.result = write_all(
            clients, [(lake.pipeline, known[lake.pipeline.name]) for lake in lakes]
        )
    changes = {lake.pipeline.name: run.change_ids(clients, lake.pipeline) for lake in lakes}
    total = sum(map(len, changes.values()))
    with (
        console.step("Delivering", "Delivered", spinner=False) as step,
        progress("Delivering", total, unit="changes") as advance,
    ):
        missing = run.wait_for_delivery(lakes, changes, advance, emulator.check)
        delivered = total - sum(map(len, missing.values()))
        step.result = f"{delivered} of {total} changes through Lambda and Firehose to S3"
    with console.step("Crawling", "Crawled") as step:
        step.result = crawl_result(names, run.crawl_all(clients, pipelines))
    with console.step("Querying Athena", "Queried") as step:
        reports = [
            run.report(clients, lake, known[name], changes[name], missing[name])
            for name, lake in zip(names, lakes, strict=True)
        ]
        step.result = "Athena, DynamoDB, S3 and logs"
    return reports


def write_all(clients: Clients, pairs: list[tuple[DeployedPipeline, Sample]]) -> str:
    """Write to all tables in parallel; return the result of the step."""
    with ThreadPoolExecutor() as pool:
        counts = pool.map(lambda pair: run.write(clients, pair[0], pair[1].writes), pairs)
        kinds = sum(counts, Counter[str]())
    parts = ", ".join(f"{count} {kind}s" for kind, count in kinds.items())
    return f"{kinds.total()} changes to DynamoDB: {parts}"


def crawl_result(names: list[str], added: dict[str, int]) -> str:
    """Return the result of the step."""
    parts = [
        f"{count} new partition{'' if count == 1 else 's'} of {name}"
        for name, count in added.items()
    ]
    parts += [f"{name} uses partition projection" for name in names if name not in added]
    return "; ".join(parts)
