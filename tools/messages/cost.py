"""Messages of `streaming-etl cost`, and of `--set` in all commands."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from streaming_etl import StreamingEtlPipelineArgs, args_from_config
from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.cost.assumptions import Assumptions
from streaming_etl.ops.cost.bill import bill_of
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.render import notes
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.ops.stack_settings import default_settings

ERRORS = {
    "invalid-amount": ["--changes", "ten"],
    "invalid-share": ["--set", "where.kind=[a]", "--share", "pipeline=2"],
    "no-pipelines": ["--stack", "empty"],
    "outputs-without-stack": ["--outputs", "Pulumi.yaml"],
    "region-without-prices": ["--region", "mars-north-1"],
    "set-conflict": ["--set", "forwarder=1", "--set", "forwarder.batch_size=2"],
    "set-not-an-assignment": ["--set", "batch_size"],
    "set-not-yaml": ["--set", "tags={"],
    "share-without-where": ["--share", "pipeline=0.5"],
    "unknown-lake-table": ["--share", "orders=0.5"],
    "unknown-pipeline": ["--changes", "payments=1M"],
}


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    with program():
        errors = {code: error_of(["cost", *arguments]) for code, arguments in ERRORS.items()}
    settings = default_settings({})
    of_table = {"transform_module": "orders.py", "partitions": {}, "where": {"kind": ["order"]}}
    lake_tables = {"orders": of_table, "customers": of_table}
    several = args_from_config("shop", {"table_name": "shop", "lake_tables": lake_tables})
    return {
        **errors,
        "notes": _notes(settings, 1e7),
        "notes-several-lake-tables": _notes(several, 1e7, customers=0),
        "notes-without-traffic": _notes(settings, 0),
    }


def error_of(arguments: list[str]) -> str:
    """Return the message of a command that fails."""
    try:
        commands.main(arguments, standalone_mode=False)
    except click.ClickException as error:
        return error.format_message()
    raise AssertionError(f"{arguments} did not fail")


def _notes(settings: StreamingEtlPipelineArgs, changes: float, **shares: float) -> str:
    assumptions, prices = Assumptions(), read_prices("us-east-1")
    traffic = Traffic(changes=changes, image_bytes=300, shares=shares)
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
