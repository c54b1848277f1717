"""Keeps the stack running on the embedded AWS, crawls it, and tells how to use it."""

import json
import shlex
import time

from rich.console import Console
from rich.markup import escape

from local import console as screen
from local.commands.demo import deploy_stack, started
from local.commands.items import python
from local.emulator.process import ROOT, Emulator
from local.emulator.state import refuse_second, remembered
from local.sample import run as drive
from local.sample.writes import Item, samples
from streaming_etl.stack.clients import DUMMY_KEY
from streaming_etl.stack.outputs import Pipeline, read_config

CRAWL_SECONDS = 5.0


def serve(console: Console, port: int | None) -> None:
    """Run until Ctrl-C."""
    refuse_second()
    with started(console, read_config(ROOT).region, port) as emulator:
        pipelines = deploy_stack(console, emulator)
        with remembered(emulator, pipelines):
            print_commands(console, emulator, pipelines)
            while True:
                emulator.check()
                crawl_once(console, emulator, pipelines)
                time.sleep(CRAWL_SECONDS)


def crawl_once(console: Console, emulator: Emulator, pipelines: list[Pipeline]) -> None:
    for name, added in drive.crawl_all(emulator.clients, pipelines).items():
        if added:
            folders = "1 new folder" if added == 1 else f"{added} new folders"
            console.print(f"The crawler found {folders} of {name}.", style="dim")


def print_commands(console: Console, emulator: Emulator, pipelines: list[Pipeline]) -> None:
    """Commands to copy, each of which works as it stands."""
    for pipeline in pipelines:
        item = json.dumps(example_item(pipeline.name), default=float)
        table = f'"{pipeline.database}"."{pipeline.table}"'
        screen.heading(console, f"Try it: {pipeline.name}")
        commands = {
            "Write an item, again to change it": ["put", pipeline.name, item],
            "Ask for the items as they are now": ["query", pipeline.name],
            "Ask in SQL": ["query", f"SELECT * FROM {table}"],
            "Delete the item": ["delete", pipeline.name, example_item(pipeline.name)["id"]],
        }
        for title, arguments in commands.items():
            console.print(f"[bold]{title}[/]")
            line = shlex.join([python(), "-m", "local", *arguments])
            console.print(f"  {escape(line)}", soft_wrap=True, highlight=False)
    screen.heading(console, "Any other tool of AWS")
    console.print(
        f"  AWS_ACCESS_KEY_ID={DUMMY_KEY} AWS_SECRET_ACCESS_KEY={DUMMY_KEY} "
        f"aws --endpoint-url {emulator.endpoint} --region {emulator.region} "
        f"dynamodb scan --table-name {pipelines[0].source_table if pipelines else 'TABLE'}",
        soft_wrap=True,
        highlight=False,
    )
    console.print("\nUp until Ctrl-C; what is in it is gone then.")


def example_item(pipeline: str) -> Item:
    sample = samples().get(pipeline)
    return (sample.writes[0].item if sample else None) or {"id": "1"}
