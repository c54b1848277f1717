"""`make demo`: run the sample and compare the lake with the tables."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from local import console
from local.commands.items import write_all
from local.commands.keys import key_types
from local.deploy.deploy import Resources, deploy
from local.deploy.existing_tables import (
    Definitions,
    read_definitions,
    require_definitions,
    with_local_streams,
)
from local.deploy.secrets import with_local_secrets
from local.emulator.process import ROOT, Emulator
from local.sample.delivery import Delivery
from local.sample.examples import example_items, sample_of
from local.sample.item_json import Write, writes_of
from local.sample.lake import lakes_of
from local.sample.merging import MergeReport, merge_reports
from local.sample.report import PipelineReport
from local.sample.run import PipelineRun, crawl_all, runs_of, wait_for_delivery
from local.sample.writes import Sample
from streaming_etl.stack.config import read_config, validated
from streaming_etl.stack.console import counted, progress
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack

DEFAULT_STACK = "dev"


def demo(
    directory: Path = ROOT,
    stack: str = DEFAULT_STACK,
    like: Sequence[Path] = (),
    items: Sequence[str] = (),
) -> bool:
    """Run the demo; return whether lake and tables are as expected.

    like: files with the output of DescribeTable for the existing tables.
    items: pairs `pipeline=file` of files to import.
    """
    start = time.monotonic()
    directory = directory.absolute()
    config, definitions = read_config(directory, stack), read_definitions(like)
    require_definitions(config, definitions)
    files = files_of(items)
    console.print_line("From DynamoDB to Athena on this machine, without an AWS account.\n", "bold")
    problems: list[str] = []
    with started(config.region) as emulator:
        deployed, _ = deploy_stack(emulator, directory, stack, definitions)
        sampled = {}
        for pipeline in deployed.pipelines:
            types = key_types(emulator.clients("dynamodb"), pipeline.source_table)
            if pipeline.name not in files and (sample := sample_of(pipeline, types)):
                sampled[pipeline.name] = sample
        others = [one for one in deployed.pipelines if one.name not in sampled]
        if unknown := files.keys() - {one.name for one in others}:
            deployed.pipeline(min(unknown))
        if sampled:
            problems += run_example(emulator, deployed.pipelines, sampled)
        for pipeline in others:
            problems += run_own(emulator, pipeline, directory, files.get(pipeline.name))
    console.print_summary(problems, time.monotonic() - start)
    return not problems


def files_of(items: Sequence[str]) -> dict[str, Path]:
    """Parse pairs `pipeline=file`; raises CommandError."""
    files = {}
    for text in items:
        name, separator, file = text.partition("=")
        if not (separator and Path(file).is_file()):
            raise CommandError(
                f"ITEMS must be pairs of a pipeline and a file (got {text}). Write orders=FILE.",
                code="invalid-items",
                items=text,
            )
        files[name] = Path(file)
    return files


def run_example(
    emulator: Emulator, pipelines: list[DeployedPipeline], known: Mapping[str, Sample]
) -> list[str]:
    """Run the example stack's sample; return the deviations."""
    runs, reports = run_sample(emulator, pipelines, known)
    merges = run_merges(runs)
    console.print_reports(reports)
    console.print_merges(merges)
    if any(table.missing for report in reports for table in report.tables):
        console.print_log(emulator.log_tail())
    problems = [problem for report in reports for problem in report.problems.values()]
    return problems + [problem for one in merges for problem in one.problems.values()]


def run_own(
    emulator: Emulator, pipeline: DeployedPipeline, directory: Path, file: Path | None
) -> list[str]:
    """Write items of any table, and print its rows.

    file: the items; by default the sample changes of the transform modules, or generated ones.
    Returns the problems.
    """
    clients = emulator.clients
    types = key_types(clients("dynamodb"), pipeline.source_table)
    if file:
        writes = writes_of(file.read_bytes(), str(file), [*types])
    else:
        writes = [
            Write({name: item[name] for name in types}, item)
            for lake in lakes_of(clients, pipeline)
            for item in example_items(lake, types, directory)
        ]
    delivery = Delivery(clients, pipeline)
    with console.step("Writing to DynamoDB", "Wrote", spinner=False) as step:
        write_all(clients, pipeline, writes)
        delivery.read()
        step.result = f"{counted(delivery.changes, 'change')} of {pipeline.source_table}"

    def check() -> None:
        emulator.check()
        # Before its crawl, a table without COLUMNS does not exist.
        crawl_all(clients, [pipeline])

    with (
        console.step("Delivering", "Delivered", spinner=False) as step,
        progress("Delivering", delivery.left, unit="changes") as advance,
    ):
        delivery.wait(advance, check)
        rows = sum(table.rows for table in delivery.tables)
        step.result = f"{counted(rows, 'row')} through Lambda and Firehose to S3"
    console.print_delivery(delivery)
    for table in delivery.tables:
        if table.rows:
            console.print_heading(f"{table.lake.name}: rows")
            console.print_query_result(table.lake.first_rows(console.SHOWN_ITEMS))
    return [
        f"{table.lake.name}: {counted(left, 'change')} did not arrive."
        for table in delivery.tables
        if (left := len(table.missing) - table.filtered) > 0
    ]


@contextlib.contextmanager
def started(region: str, port: int | None = None) -> Iterator[Emulator]:
    """Start the embedded AWS for the duration of the block."""
    with contextlib.ExitStack() as stack:
        with console.step("Starting the embedded AWS", "Started") as step:
            emulator = stack.enter_context(Emulator(region, port))
            version = metadata.version("ministack")
            step.result = f"embedded AWS (ministack {version}) on {emulator.endpoint}"
        yield emulator


def deploy_stack(
    emulator: Emulator,
    directory: Path = ROOT,
    stack: str = DEFAULT_STACK,
    definitions: Definitions | None = None,
) -> tuple[DeployedStack, Resources]:
    """Run the stack's program on the embedded AWS."""
    config = with_local_streams(read_config(directory, stack), emulator.clients)
    config = with_local_secrets(config, emulator.clients)
    created: Counter[str] = Counter()
    with console.step("Deploying the stack", "Deployed") as step:
        deployment = validated(
            f"Pulumi.{config.stack}.yaml",
            lambda: deploy(
                directory,
                config,
                emulator.clients,
                lambda type_, _: created.update([type_]),
                definitions=definitions,
            ),
        )
        deployed = DeployedStack(config.stack, deployment.outputs, emulator.endpoint)
        names = ", ".join(pipeline.name for pipeline in deployed.pipelines)
        step.result = f"stack {deployed.name}: {created.total()} resources for {names}"
    return deployed, deployment.resources


def run_sample(
    emulator: Emulator, pipelines: list[DeployedPipeline], known: Mapping[str, Sample]
) -> tuple[list[PipelineRun], list[PipelineReport]]:
    """Write the sample, wait for its delivery, crawl, and report.

    known: the samples by pipeline.
    """
    clients = emulator.clients
    runs = runs_of(clients, pipelines, known)
    with console.step("Writing to DynamoDB", "Wrote") as step:
        step.result = write_samples(runs)
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


def write_samples(runs: list[PipelineRun]) -> str:
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
