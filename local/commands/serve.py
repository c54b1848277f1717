"""`make local`: keep the stack running on the embedded AWS until Ctrl-C."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from botocore.exceptions import ClientError

from local import console
from local.commands.demo import deploy_stack, started
from local.commands.items import python_path
from local.commands.keys import example_attributes, example_key, key_text, key_types
from local.emulator.process import ROOT, Emulator
from local.emulator.state import RunningProvider, ensure_none_running, load_running, state_file
from local.engine.embedded import EmbeddedBackend
from local.engine.provider import serving
from local.engine.workspace import require_pulumi
from local.sample.lake import Lake, lakes_of
from local.sample.run import crawl_all
from local.sample.writes import Item, samples, to_dynamodb
from streaming_etl.stack.clients import DUMMY_KEY
from streaming_etl.stack.config import read_config
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack

CRAWL_SECONDS = 5.0


def serve(port: int | None, directory: Path = ROOT, *, engine: bool = False) -> None:
    """Deploy the stack, print commands to try, and run every crawler repeatedly.

    engine: deploy with the Pulumi engine, so that `up` updates the running stack.
    """
    ensure_none_running()
    if engine:
        require_pulumi()
    deployed = deployed_by_engine if engine else deployed_by_mocks
    with (
        started(read_config(directory).region, port) as emulator,
        deployed(emulator, directory.absolute()),
    ):
        print_commands(emulator, load_running().pipelines, engine=engine)
        while True:
            emulator.check()
            # An update deletes a crawler or its table before it reports other outputs.
            try:
                crawl(emulator)
            except ClientError as error:
                if not engine or error.response["Error"]["Code"] != "EntityNotFoundException":
                    raise
            time.sleep(CRAWL_SECONDS)


@contextlib.contextmanager
def deployed_by_mocks(emulator: Emulator, directory: Path) -> Iterator[None]:
    """Deploy the stack without the Pulumi CLI."""
    with state_file(deploy_stack(emulator, directory)):
        yield


@contextlib.contextmanager
def deployed_by_engine(emulator: Emulator, directory: Path) -> Iterator[None]:
    """Deploy the stack with the Pulumi CLI; keep the provider for updates."""
    stack = DeployedStack(read_config(directory).stack, {}, emulator.endpoint)
    with serving(EmbeddedBackend(emulator.clients, directory)) as port:
        provider = RunningProvider(port, directory)
        # A killed process leaves the state of an embedded AWS that no longer exists.
        shutil.rmtree(provider.folder, ignore_errors=True)
        try:
            with state_file(stack, provider):
                run_group([sys.executable, "-m", "local", "up"])
                yield
        finally:
            shutil.rmtree(provider.folder, ignore_errors=True)


def run_group(command: list[str]) -> None:
    """Run a command in a process group that ends with the call.

    An exception would otherwise leave the Pulumi CLI running. Raises click's Exit if the command
    fails, which prints the reason itself.
    """
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code:
        raise click.exceptions.Exit(code)


def crawl(emulator: Emulator) -> None:
    """Run every crawler of the stack, as it is now."""
    for name, added in crawl_all(emulator.clients, load_running().pipelines).items():
        if added:
            partitions = "1 partition" if added == 1 else f"{added} partitions"
            console.print_line(f"The crawler added {partitions} to {name}.", "dim")


def print_commands(
    emulator: Emulator, pipelines: list[DeployedPipeline], *, engine: bool = False
) -> None:
    """Print commands that work when copied."""
    for pipeline in pipelines:
        types = key_types(emulator.clients("dynamodb"), pipeline.source_table)
        for lake in lakes_of(emulator.clients, pipeline):
            item = example_item(lake, types)
            console.print_heading(f"Commands for {lake.name}")
            commands = {
                "Write an item": ["put", pipeline.name, json.dumps(item, default=float)],
                "Query the current state": ["query", lake.name],
                "Query all changes": ["query", f"SELECT * FROM {lake.sql_name}"],
                "Delete the item": ["delete", pipeline.name, key_text(item, types)],
            }
            if not lake.has_current_state:
                del commands["Query the current state"]
            for title, arguments in commands.items():
                console.print_line(title)
                console.print_line(f"  {shlex.join([python_path(), '-m', 'local', *arguments])}")
    if engine:
        console.print_heading("Commands after an edit of transforms or settings")
        for title, command in (("Show what changes", "preview"), ("Update the stack", "up")):
            console.print_line(title)
            console.print_line(f"  {shlex.join([python_path(), '-m', 'local', command])}")
    console.print_heading("Other AWS tools")
    table = pipelines[0].source_table if pipelines else "TABLE"
    console.print_line(
        f"  AWS_ACCESS_KEY_ID={DUMMY_KEY} AWS_SECRET_ACCESS_KEY={DUMMY_KEY} "
        f"aws --endpoint-url {emulator.endpoint} --region {emulator.region} "
        f"dynamodb scan --table-name {table}"
    )
    console.print_line("\nRunning until Ctrl-C, which deletes all data.")


def example_item(lake: Lake, types: dict[str, str]) -> Item:
    """Return an item that matches, of the sample if possible."""
    sample = samples().get(lake.pipeline.name)
    for write in sample.writes if sample else ():
        if write.item and lake.where.matches(to_dynamodb(write.item)):
            return write.item
    return {**example_key(types), **example_attributes(lake.rules)}
