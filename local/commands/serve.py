"""`make local`: keep the stack running on the embedded AWS until Ctrl-C."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from botocore.exceptions import ClientError

from local import console
from local.commands.demo import DEFAULT_STACK, deploy_stack, started
from local.commands.items import local_command, operator_command, replay_command
from local.commands.keys import key_text, key_types
from local.commands.update import save_resources
from local.deploy.existing_tables import Definitions, read_definitions, require_definitions
from local.emulator.process import ROOT, Emulator
from local.emulator.state import RunningProgram, ensure_none_running, load_running, state_file
from local.engine.embedded import EmbeddedBackend
from local.engine.provider import serving
from local.engine.workspace import require_pulumi
from local.sample.examples import example_items
from local.sample.item_json import item_text
from local.sample.lake import lakes_of
from local.sample.run import crawl_all
from streaming_etl.stack.clients import DUMMY_KEY
from streaming_etl.stack.config import read_config
from streaming_etl.stack.outputs import DeployedStack

CRAWL_SECONDS = 5.0


def serve(
    port: int | None,
    directory: Path = ROOT,
    *,
    stack: str = DEFAULT_STACK,
    like: Sequence[Path] = (),
    engine: bool = False,
) -> None:
    """Deploy the stack, print commands to try, and run every crawler repeatedly.

    like: files with the output of DescribeTable for the existing tables.
    engine: deploy with the Pulumi engine, which also replaces resources with data.
    """
    ensure_none_running()
    if engine:
        require_pulumi()
    directory = directory.absolute()
    config, definitions = read_config(directory, stack), read_definitions(like)
    require_definitions(config, definitions)
    deployed = deployed_by_engine if engine else deployed_by_mocks
    with (
        started(config.region, port) as emulator,
        deployed(emulator, directory, stack, definitions),
    ):
        print_commands(emulator, load_running(), directory)
        while True:
            emulator.check()
            # An update deletes a crawler or its table before it reports other outputs.
            try:
                crawl(emulator)
            except ClientError as error:
                if error.response["Error"]["Code"] != "EntityNotFoundException":
                    raise
            time.sleep(CRAWL_SECONDS)


@contextlib.contextmanager
def deployed_by_mocks(
    emulator: Emulator, directory: Path, stack: str, definitions: Definitions
) -> Iterator[None]:
    """Deploy the stack without the Pulumi CLI; keep its resources for updates."""
    deployed, resources = deploy_stack(emulator, directory, stack, definitions)
    with state_file(deployed, RunningProgram(stack, directory)):
        save_resources(resources)
        yield


@contextlib.contextmanager
def deployed_by_engine(
    emulator: Emulator, directory: Path, stack: str, definitions: Definitions
) -> Iterator[None]:
    """Deploy the stack with the Pulumi CLI; keep the provider for updates."""
    empty = DeployedStack(stack, {}, emulator.endpoint)
    with serving(EmbeddedBackend(emulator.clients, directory, definitions, stack=stack)) as port:
        program = RunningProgram(stack, directory, port)
        # A killed process leaves the state of an embedded AWS that no longer exists.
        shutil.rmtree(program.folder, ignore_errors=True)
        try:
            with state_file(empty, program):
                run_group([sys.executable, "-m", "local", "up"])
                yield
        finally:
            shutil.rmtree(program.folder, ignore_errors=True)


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


def print_commands(emulator: Emulator, stack: DeployedStack, directory: Path) -> None:
    """Print commands that work when copied."""
    for pipeline in stack.pipelines:
        types = key_types(emulator.clients("dynamodb"), pipeline.source_table)
        for lake in lakes_of(emulator.clients, pipeline):
            item = next(example_items(lake, types, directory))
            console.print_heading(f"Commands for {lake.name}")
            print_command("Write an item", "put", pipeline.name, item_text(item, types))
            if lake.has_current_state:
                print_command("Query the current state", "query", lake.name)
            print_command("Query all changes", "query", f"SELECT * FROM {lake.sql_name}")
            print_command("Delete the item", "delete", pipeline.name, key_text(item, types))
    console.print_heading("Commands after an edit of transforms or settings")
    print_command("Show what changes", "preview")
    print_command("Update the stack", "up")
    for pipeline in stack.pipelines:
        console.print_line(f"Replay the failed changes of {pipeline.name}")
        console.print_line(f"  {replay_command(stack, pipeline)}")
    console.print_heading("Status of all pipelines, and what needs attention")
    console.print_line(f"  {operator_command(stack, 'status')}")
    console.print_heading("Other AWS tools")
    table = stack.pipelines[0].source_table if stack.pipelines else "TABLE"
    console.print_line(
        f"  AWS_ACCESS_KEY_ID={DUMMY_KEY} AWS_SECRET_ACCESS_KEY={DUMMY_KEY} "
        f"aws --endpoint-url {emulator.endpoint} --region {emulator.region} "
        f"dynamodb scan --table-name {table}"
    )
    console.print_line("\nRunning until Ctrl-C, which deletes all data.")


def print_command(title: str, *arguments: str) -> None:
    """Print a local command below its title."""
    console.print_line(title)
    console.print_line(f"  {local_command()} {shlex.join(arguments)}")
