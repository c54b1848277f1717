"""`streaming-etl transform-test`: sample changes through a transform, and the rows they become."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Optional

import click

from streaming_etl.ops.stack_settings import parse_overrides
from streaming_etl.ops.transform_test.selection import asked_for
from streaming_etl.stack.console import say, show_json, show_table
from streaming_etl.stack.errors import EXIT_PARTIAL, CommandError

if TYPE_CHECKING:
    from streaming_etl.ops.transform_test.runner import Trial, Tried

SAMPLES = ".changes.json"

EPILOG = """\b
Examples:
  streaming-etl transform-test transforms/orders.py
  streaming-etl transform-test orders --stack prod changes.json --raw
  streaming-etl transform-test transforms/orders.py --set format=json
  aws dynamodb scan --table-name orders --max-items 20 | streaming-etl transform-test orders -
"""


@click.command(
    "transform-test", epilog=EPILOG, short_help="Run a transform over sample changes, without AWS."
)
@click.argument("transform")
@click.argument("changes", nargs=-1, type=click.File("rb"))
@click.option(
    "--stack",
    metavar="NAME",
    help="Take the settings from Pulumi.NAME.yaml.  [default: dev, where it has the module]",
)
@click.option(
    "--set",
    "free",
    multiple=True,
    metavar="SETTING=VALUE",
    help="Another setting than the pipeline's, such as format=csv; the value in YAML.",
)
@click.option(
    "--key",
    "key_names",
    multiple=True,
    metavar="NAME",
    help="The key attribute of an existing table, which the settings do not tell; once more for its"
    " sort key.",
)
@click.option("--raw", is_flag=True, help="Only the rows, as they lie in the lake.")
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON document.")
def transform_test(
    transform: str,
    changes: tuple[BinaryIO, ...],
    stack: Optional[str],
    free: tuple[str, ...],
    key_names: tuple[str, ...],
    raw: bool,
    as_json: bool,
) -> int:
    """Run a transform over sample changes and print the rows that the lake would hold.

    TRANSFORM is the path of a module or the name of a pipeline; the settings are those of the
    pipeline. CHANGES are files of sample changes, - for the standard input; without any,
    <module>.changes.json beside the module. docs/transforms.md tells what they may hold.

    The module is read as the deployment reads it and run by the Lambda's own code.

    Exit code 3: a change was refused; in the lake it would be set aside.
    """
    # Not above: it loads Pulumi, for which `--help` need not wait.
    from streaming_etl.ops.transform_test.render import document
    from streaming_etl.ops.transform_test.runner import Trial
    from streaming_etl.ops.transform_test.samples import Source, samples_of

    asked = asked_for(transform, stack, parse_overrides(free), key_names)
    trial = Trial(asked)
    say(f"{asked.file} as {trial.table.format}, with the settings of {asked.told}.")
    tried = [
        trial.run(line)
        for name, body in _bodies(changes, asked.file)
        for line in samples_of(body, Source(name, asked.key_names, asked.args.forwarder.old_image))
    ]
    if as_json:
        show_json(document(trial.table, tried))
    elif raw:
        _show_raw(trial, tried)
    else:
        _show(trial, tried)
    return EXIT_PARTIAL if any(each.reason is not None for each in tried) else 0


def _bodies(changes: tuple[BinaryIO, ...], module: Path) -> list[tuple[str, bytes]]:
    if changes:
        return [(getattr(file, "name", "<stdin>"), file.read()) for file in changes]
    file = module.with_suffix(SAMPLES)
    if not file.is_file():
        raise CommandError(
            f"There are no sample changes: name a file of them, or write {file}, as "
            f"transforms/orders{SAMPLES} is."
        )
    return [(str(file), file.read_bytes())]


def _show_raw(trial: "Trial", all_tried: "list[Tried]") -> None:
    from streaming_etl.ops.transform_test.render import heading, outcome

    for number, tried in enumerate(all_tried, start=1):
        for line in tried.lines:
            click.echo(line)
        if not tried.lines:
            say(f"{heading(number, tried)}: {outcome(trial.table, tried)}")


def _show(trial: "Trial", all_tried: "list[Tried]") -> None:
    from streaming_etl.ops.transform_test.render import heading, outcome, reason, summary, tables

    for number, tried in enumerate(all_tried, start=1):
        if tried.lines:
            for table in tables(trial.table, number, tried):
                show_table(*table)
        else:
            click.echo(f"{heading(number, tried)}: {outcome(trial.table, tried)}")
            if text := reason(tried, trial.file):
                click.echo(text)
        click.echo()
    click.echo(summary(trial.table, all_tried))
