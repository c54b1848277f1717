"""`python -m local demo | serve | preview | up | put | delete | query`."""

import signal
import sys
from pathlib import Path
from typing import Optional

import click

from streaming_etl.stack.errors import EXIT_FAILURE, EXIT_INTERRUPTED

# Each command imports its modules itself: those of Pulumi take a second.


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def commands() -> None:
    """Run the dev stack on an embedded AWS."""


@commands.command()
def demo() -> int:
    """Deploy the stack, write a sample, compare lake and tables, clean up."""
    from local.commands.demo import demo

    return 0 if demo() else EXIT_FAILURE


@commands.command()
@click.option("--port", type=int, help="Port on 127.0.0.1; any free port by default.")
@click.option(
    "--engine",
    type=click.Choice(["mocks", "pulumi"]),
    default="mocks",
    help="Deploy with Pulumi's mocks (default), or with the Pulumi CLI, so that `up` updates the "
    "stack.",
)
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Directory of the Pulumi program; this repository by default.",
)
def serve(port: Optional[int], engine: str, directory: Optional[Path]) -> None:
    """Keep the stack running until Ctrl-C."""
    from local.commands.serve import serve
    from local.emulator.process import ROOT

    serve(port, directory or ROOT, engine=engine == "pulumi")


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
def put(pipeline: str, item: str) -> None:
    """Write ITEM, a JSON object, to the source table of PIPELINE."""
    from local.commands.items import put_item

    put_item(pipeline, item)


@commands.command()
@click.argument("pipeline")
@click.argument("key")
def delete(pipeline: str, key: str) -> None:
    """Delete the item with this KEY from the source table of PIPELINE.

    KEY is the value of the hash key, or a JSON object with all key attributes.
    """
    from local.commands.items import delete_item

    delete_item(pipeline, key)


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
