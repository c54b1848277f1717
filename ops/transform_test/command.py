"""`streaming-etl test-transform`: the rows that sample changes become, without AWS."""

from pathlib import Path
from typing import BinaryIO, Optional

import click

from streaming_etl.ops.stack_settings import parse_overrides
from streaming_etl.ops.transform_test.selection import select_transform
from streaming_etl.stack.console import show_json, show_progress, show_table
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError

SAMPLES = ".changes.json"

EPILOG = """\b
Examples:
  streaming-etl test-transform transforms/orders.py
  streaming-etl test-transform orders --stack prod changes.json --raw
  streaming-etl test-transform transforms/orders.py --set format=json
  streaming-etl test-transform shop.customers --stack prod changes.json
  aws dynamodb scan --table-name orders --max-items 20 | streaming-etl test-transform orders -
"""


@click.command(
    "test-transform", epilog=EPILOG, short_help="Run a transform over sample changes, without AWS."
)
@click.argument("transform")
@click.argument("changes", nargs=-1, type=click.File("rb"))
@click.option(
    "--stack",
    metavar="NAME",
    help="Use the settings of this stack.  [default: dev, if its config uses the module]",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Override a setting, such as format=csv; the value in YAML.",
)
@click.option(
    "--key",
    "key_names",
    multiple=True,
    metavar="NAME",
    help="Key attribute of an existing table; repeat it for the sort key.",
)
@click.option("--raw", is_flag=True, help="Print only the rows, as they are in the lake.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with all values.")
def test_transform(
    transform: str,
    changes: tuple[BinaryIO, ...],
    stack: Optional[str],
    overrides: tuple[str, ...],
    key_names: tuple[str, ...],
    raw: bool,
    as_json: bool,
) -> int:
    """Print the rows that sample changes become in the lake.

    TRANSFORM is the path of a module or the name of a pipeline; with several lake tables, of one of
    them, such as shop.orders. CHANGES are files of sample
    changes, - for the standard input; by default <module>.changes.json next to the module.
    docs/transforms.md lists their forms.

    The module runs in the code of the Lambda function, with the settings of its pipeline, and gets
    the changes that match the lake table's `where`.

    Exit code 3: a change failed; in AWS it would be dead-lettered.
    """
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.ops.transform_test import render
    from streaming_etl.ops.transform_test.runner import TransformRunner
    from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of

    selection = select_transform(transform, stack, parse_overrides(overrides), key_names)
    runner = TransformRunner(selection)
    table, old_image = runner.table, runner.old_image
    show_progress(f"{selection.file} as {table.format}, with {selection.settings_source}.")
    results = [
        runner.run(line)
        for name, body in _files(changes, selection.file)
        for line in samples_of(body, SampleSource(name, selection.key_names, old_image))
    ]
    if as_json:
        show_json(render.document(table, results))
    for number, result in enumerate(results if not as_json else (), start=1):
        if raw:
            for line in result.lines:
                click.echo(line)
            if not result.lines:
                show_progress(render.summary_line(table, number, result))
            continue
        for rendered in render.tables(table, number, result):
            show_table(*rendered)
        if not result.lines:
            click.echo(render.summary_line(table, number, result))
            if text := runner.traceback(result):
                click.echo(text)
        click.echo()
    if not (raw or as_json):
        click.echo(render.summary(table, results))
    return EXIT_PARTIAL if any(result.reason is not None for result in results) else 0


def _files(changes: tuple[BinaryIO, ...], module: Path) -> list[tuple[str, bytes]]:
    if changes:
        return [(getattr(file, "name", "<stdin>"), file.read()) for file in changes]
    file = module.with_suffix(SAMPLES)
    if not file.is_file():
        raise CommandError(
            f"{file} must exist, or CHANGES must name a file of sample changes.",
            code="no-samples",
            file=str(file),
        )
    return [(str(file), file.read_bytes())]
