"""`python -m local demo | serve | preview | up | put | delete | import | query`."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional, TypeVar

import click

from streaming_etl.stack.errors import EXIT_CODES, EXIT_FAILURE, EXIT_INTERRUPTED

# Each command imports its modules itself: those of Pulumi take a second.


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
def commands() -> None:
    """Run the dev stack on an embedded AWS."""


Command = TypeVar("Command", bound=Callable[..., Any])


def program_options(command: Command) -> Command:
    """Add the options of the deployed program to a click command."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    for option in (
        click.option(
            "--like",
            multiple=True,
            # The command reports the problems of all files.
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Output of `aws dynamodb describe-table` for an existing table of the stack; "
            "repeat the option for several.",
        ),
        click.option(
            "--directory",
            type=folder,
            help="Directory of the Pulumi program; this repository by default.",
        ),
        click.option(
            "--stack", default="dev", show_default=True, metavar="NAME", help="Pulumi stack."
        ),
    ):
        command = option(command)
    return command


@commands.command()
@program_options
@click.option(
    "--items",
    multiple=True,
    metavar="PIPELINE=FILE",
    help="File that `import` reads, as the sample of a pipeline; repeat the option for several.",
)
def demo(
    stack: str, directory: Optional[Path], like: tuple[Path, ...], items: tuple[str, ...]
) -> int:
    """Deploy the stack, write a sample, compare lake and tables, clean up."""
    from local.commands.demo import demo
    from local.emulator.process import ROOT

    return 0 if demo(directory or ROOT, stack, like, items) else EXIT_FAILURE


@commands.command()
@program_options
@click.option("--port", type=int, help="Port on 127.0.0.1; any free port by default.")
@click.option(
    "--engine",
    type=click.Choice(["mocks", "pulumi"]),
    default="mocks",
    help="Deploy with Pulumi's mocks (default), or with the Pulumi CLI.",
)
def serve(
    port: Optional[int],
    engine: str,
    stack: str,
    directory: Optional[Path],
    like: tuple[Path, ...],
) -> None:
    """Keep the stack running until Ctrl-C."""
    from local.commands.serve import serve
    from local.emulator.process import ROOT

    serve(port, directory or ROOT, stack=stack, like=like, engine=engine == "pulumi")


@commands.command()
def preview() -> None:
    """Show what `up` would change in the running stack."""
    from local.commands.update import preview

    preview()


@commands.command()
def up() -> None:
    """Update the running stack after an edit."""
    from local.commands.update import up

    up()


@commands.command()
@click.argument("pipeline")
@click.argument("item")
def put(pipeline: str, item: str) -> int:
    """Write ITEM to PIPELINE's source table, and wait for its rows.

    ITEM is plain JSON, or DynamoDB JSON for sets and binary. Exit code 3: the change failed.
    """
    from local.commands.items import put_item

    return put_item(pipeline, item)


@commands.command()
@click.argument("pipeline")
@click.argument("key")
def delete(pipeline: str, key: str) -> int:
    """Delete the item with this KEY from the source table of PIPELINE.

    KEY is the value of the hash key, or a JSON object with all key attributes.
    """
    from local.commands.items import delete_item

    return delete_item(pipeline, key)


@commands.command("import")
@click.argument("pipeline")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def import_(pipeline: str, files: tuple[Path, ...]) -> int:
    """Write the items in FILES to the source table of PIPELINE.

    FILES are output of `aws dynamodb` scan, query, get-item or batch-get-item, objects of an
    export to S3, stream records, or sample changes. Exit code 3: a change failed.
    """
    from local.commands.items import import_files

    return import_files(pipeline, files)


@commands.command()
@click.argument("query")
def query(query: str) -> None:
    """Run QUERY: SQL, or a name for its current state.

    A name is that of a pipeline with one lake table, or of a lake table, such as shop.orders.
    """
    from local.commands.items import run_query

    run_query(query)


def main() -> int:
    """Run a command and return its exit code."""
    # SIGTERM ends everything that was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        result = commands.main(prog_name="python -m local", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped; every process has ended.", err=True)
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    sys.exit(main())
