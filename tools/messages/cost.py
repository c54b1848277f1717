"""Messages of `streaming-etl cost`, and of `--set` in all commands."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.render import notes
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.ops.stack_settings import default_settings

ERRORS = {
    "invalid-amount": ["--changes", "ten"],
    "no-pipelines": ["--stack", "empty"],
    "outputs-without-stack": ["--outputs", "Pulumi.yaml"],
    "region-without-prices": ["--region", "mars-north-1"],
    "set-conflict": ["--set", "forwarder=1", "--set", "forwarder.batch_size=2"],
    "set-not-an-assignment": ["--set", "batch_size"],
    "set-not-yaml": ["--set", "tags={"],
    "unknown-pipeline": ["--changes", "payments=1M"],
}


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    with program():
        errors = {code: error_of(["cost", *arguments]) for code, arguments in ERRORS.items()}
    return {**errors, "notes": _notes(1e7), "notes-without-traffic": _notes(0)}


def error_of(arguments: list[str]) -> str:
    """Return the message of a command that fails."""
    try:
        commands.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        return error.format_message()
    raise AssertionError(f"{arguments} did not fail")


def _notes(changes: float) -> str:
    assumptions, prices = Assumptions(), read_prices("us-east-1")
    traffic = Traffic(changes=changes, image_bytes=300)
    settings = default_settings({})
    return "\n".join(notes([bill_of("orders", traffic, settings, prices, assumptions)], prices))


@contextlib.contextmanager
def program() -> Iterator[Path]:
    """Change to the directory of a program with an empty stack."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "Pulumi.yaml").write_text("name: shop\n")
        Path(directory, "Pulumi.empty.yaml").write_text("config: {tables: {}}\n")
        os.chdir(directory)
        try:
            yield Path(directory)
        finally:
            os.chdir(before)
