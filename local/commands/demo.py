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
from local.sample.merging import MergeReport, merge_reports
from local.sample.report import PipelineReport
from local.sample.run import PipelineRun, crawl_all, runs_of, wait_for_delivery
from local.sample.writes import samples
from streaming_etl import SettingsError
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
        runs, reports = run_sample(emulator, stack.pipelines)
        merges = run_merges(runs)
        console.print_reports(reports)
        console.print_merges(merges)
        if any(table.missing for report in reports for table in report.tables):
            console.print_log(emulator.log_tail())
    problems = [problem for report in reports for problem in report.problems.values()]
    problems += [problem for one in merges for problem in one.problems.values()]
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
        names = ", ".join(pipeline.name for pipeline in stack.pipelines)
        step.result = f"stack {stack.name}: {created.total()} resources for {names}"
    return stack


def run_sample(
    emulator: Emulator, pipelines: list[DeployedPipeline]
) -> tuple[list[PipelineRun], list[PipelineReport]]:
    """Write the sample, wait for its delivery, crawl, and report."""
    clients, known = emulator.clients, samples()
    runs = runs_of(clients, pipelines, known)
    if not runs:
        raise CommandError(
            f"The demo requires a table of its sample in the stack: one of {', '.join(known)}. "
            "Use `make local` to write your own items.",
            code="no-sample",
            known=list(known),
        )
    with console.step("Writing to DynamoDB", "Wrote") as step:
        step.result = write_all(runs)
    for one in runs:
        one.read_stream()
    with (
        console.step("Delivering", "Delivered", spinner=False) as step,
        progress("Delivering", sum(one.left for one in runs), unit="changes") as advance,
    ):
        wait_for_delivery(runs, advance, emulator.check)
        step.result = delivery_result(runs)
    with console.step("Crawling", "Crawled") as step:
        names = [lake.name for one in runs for lake in one.lakes]
        step.result = crawl_result(names, crawl_all(clients, pipelines))
    with console.step("Querying Athena", "Queried") as step:
        reports = [one.report() for one in runs]
        step.result = "Athena, DynamoDB, S3 and logs"
    return runs, reports


def run_merges(runs: list[PipelineRun]) -> list[MergeReport]:
    """Run the merge stages, then delete the change logs that are merged."""
    if not any(lake.table.merge_state_machine_arn for one in runs for lake in one.lakes):
        return []
    with console.step("Merging", "Merged") as step:
        reports = list(merge_reports(runs))
        step.result = ", ".join(
            f"{one.states[1].log_rows} rows of {one.name} into {one.states[1].merged_rows}"
            for one in reports
        )
    return reports


def write_all(runs: list[PipelineRun]) -> str:
    """Write to all tables in parallel; return the result of the step."""
    with ThreadPoolExecutor() as pool:
        kinds = sum(pool.map(PipelineRun.write, runs), Counter[str]())
    parts = ", ".join(f"{count} {kind}s" for kind, count in kinds.items())
    return f"{kinds.total()} changes to DynamoDB: {parts}"


def delivery_result(runs: list[PipelineRun]) -> str:
    """Return the result of the step."""
    matched, unmatched = sum(one.matched for one in runs), sum(one.unmatched for one in runs)
    delivered = matched - sum(one.undelivered for one in runs)
    text = f"{delivered} of {matched} changes through Lambda and Firehose to S3"
    return f"{text}; {unmatched} without a lake table" if unmatched else text


def crawl_result(names: list[str], added: dict[str, int]) -> str:
    """Return the result of the step."""
    parts = [
        f"{count} new partition{'' if count == 1 else 's'} of {name}"
        for name, count in added.items()
    ]
    if projected := [name for name in names if name not in added]:
        verb = "uses" if len(projected) == 1 else "use"
        parts.append(f"{', '.join(projected)} {verb} partition projection")
    return "; ".join(parts)
