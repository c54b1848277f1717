"""`make local`: keep the stack running on the embedded AWS until Ctrl-C."""

import json
import shlex
import time

from local import console
from local.commands.demo import deploy_stack, started
from local.commands.items import python_path
from local.commands.keys import example_key, key_text, key_types
from local.emulator.process import ROOT, Emulator
from local.emulator.state import ensure_none_running, state_file
from local.sample.run import crawl_all
from local.sample.writes import Item, samples
from streaming_etl.stack.clients import DUMMY_KEY
from streaming_etl.stack.config import read_config
from streaming_etl.stack.outputs import DeployedPipeline

CRAWL_SECONDS = 5.0


def serve(port: int | None) -> None:
    """Deploy the stack, print commands to try, and run every crawler repeatedly."""
    ensure_none_running()
    with started(read_config(ROOT).region, port) as emulator:
        stack = deploy_stack(emulator)
        pipelines = stack.pipelines
        with state_file(stack):
            print_commands(emulator, pipelines)
            while True:
                emulator.check()
                for name, added in crawl_all(emulator.clients, pipelines).items():
                    if added:
                        partitions = "1 partition" if added == 1 else f"{added} partitions"
                        console.print_line(f"The crawler added {partitions} to {name}.", "dim")
                time.sleep(CRAWL_SECONDS)


def print_commands(emulator: Emulator, pipelines: list[DeployedPipeline]) -> None:
    """Print commands that work when copied."""
    for pipeline in pipelines:
        types = key_types(emulator.clients("dynamodb"), pipeline.source_table)
        item = example_item(pipeline.name, types)
        table = f'"{pipeline.database}"."{pipeline.table}"'
        console.print_heading(f"Commands for {pipeline.name}")
        commands = {
            "Write an item": ["put", pipeline.name, json.dumps(item, default=float)],
            "Query the current state": ["query", pipeline.name],
            "Query all changes": ["query", f"SELECT * FROM {table}"],
            "Delete the item": ["delete", pipeline.name, key_text(item, types)],
        }
        if pipeline.current_state_query_id is None:
            del commands["Query the current state"]
        for title, arguments in commands.items():
            console.print_line(title)
            console.print_line(f"  {shlex.join([python_path(), '-m', 'local', *arguments])}")
    console.print_heading("Other AWS tools")
    table = pipelines[0].source_table if pipelines else "TABLE"
    console.print_line(
        f"  AWS_ACCESS_KEY_ID={DUMMY_KEY} AWS_SECRET_ACCESS_KEY={DUMMY_KEY} "
        f"aws --endpoint-url {emulator.endpoint} --region {emulator.region} "
        f"dynamodb scan --table-name {table}"
    )
    console.print_line("\nRunning until Ctrl-C, which deletes all data.")


def example_item(pipeline: str, types: dict[str, str]) -> Item:
    """Return an item of the sample, or one with a key only."""
    sample = samples().get(pipeline)
    return (sample.writes[0].item if sample else None) or example_key(types)
