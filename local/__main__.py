"""The commands: `python -m local demo | serve | put | delete | query`."""

import argparse
import importlib.util
import signal
import sys
from typing import Any

from local import LocalError

NEEDED = ("boto3", "click", "duckdb", "ministack", "pulumi", "pulumi_aws", "rich", "yaml")
EXIT_INTERRUPTED = 130


def main() -> int:
    arguments = parse()
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking:
        return complain(
            f"This Python ({sys.executable}) lacks {', '.join(lacking)}. "
            "`make demo` and `make local` install what is needed into .venv and use that."
        )
    # As Ctrl-C: what was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    from streaming_etl.stack.errors import CommandError

    try:
        return run(arguments)
    except (LocalError, CommandError) as error:
        return complain(str(error))
    except KeyboardInterrupt:
        print("\nStopped; nothing is left running.", file=sys.stderr)
        return EXIT_INTERRUPTED


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local", description="The example stack on an embedded AWS."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="run the stack, drive data through it, query it, clean up")
    serve = commands.add_parser("serve", help="keep the stack running until Ctrl-C")
    serve.add_argument("--port", type=int, help="on this port of 127.0.0.1, not on a free one")
    put = commands.add_parser("put", help="write an item to a table of the running stack")
    put.add_argument("pipeline", help="the pipeline's name, such as orders")
    put.add_argument("item", help="the item as JSON")
    delete = commands.add_parser("delete", help="delete an item of a table of the running stack")
    delete.add_argument("pipeline", help="the pipeline's name, such as orders")
    delete.add_argument("id", help="the item's id")
    query = commands.add_parser("query", help="ask Athena of the running stack")
    query.add_argument("question", help="SQL, or a pipeline's name for its current state")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    # Not above: main() first finds out whether all of this is installed.
    from rich.console import Console

    from local.commands import items as by_hand

    console = Console(highlight=False)
    match arguments.command:
        case "put":
            by_hand.put(console, arguments.pipeline, arguments.item)
        case "delete":
            by_hand.delete(console, arguments.pipeline, arguments.id)
        case "query":
            by_hand.ask(console, arguments.question)
        case _:
            return run_stack(console, arguments)
    return 0


def run_stack(console: Any, arguments: argparse.Namespace) -> int:
    # Apart from run(): whoever only asks need not wait until Pulumi is loaded.
    from local.commands import demo, serve
    from streaming_etl import SettingsError
    from streaming_etl.stack.outputs import refused

    try:
        if arguments.command == "demo":
            return 0 if demo.demo(console) else 1
        serve.serve(console, arguments.port)
    except SettingsError as error:
        raise LocalError(refused("Pulumi.dev.yaml is refused", error)) from error
    return 0


def complain(text: str) -> int:
    print(f"✗ {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
