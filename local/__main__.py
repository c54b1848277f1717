"""`python -m local demo | serve | put | delete | query`."""

import argparse
import importlib.util
import signal
import sys

PACKAGES = ("boto3", "click", "duckdb", "ministack", "pulumi", "pulumi_aws", "rich", "yaml")


def main() -> int:
    """Run one command; return its exit code."""
    arguments = parse()
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return print_error(
            f"This Python ({sys.executable}) lacks {', '.join(missing)}. "
            "`make demo` and `make local` install the packages into .venv and use it."
        )
    # SIGTERM ends everything that was started, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    from streaming_etl.stack.errors import EXIT_INTERRUPTED, CommandError

    try:
        return run(arguments)
    except CommandError as error:
        return print_error(error.message)
    except KeyboardInterrupt:
        print("\nStopped; every process has ended.", file=sys.stderr)
        return EXIT_INTERRUPTED


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local", description="Run the dev stack on an embedded AWS."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help="deploy the stack, write a sample, query the lake, clean up")
    serve = commands.add_parser("serve", help="keep the stack running until Ctrl-C")
    serve.add_argument("--port", type=int, help="port on 127.0.0.1 (default: any free port)")
    put = commands.add_parser("put", help="write an item to a table of the running stack")
    put.add_argument("pipeline", help="name of the pipeline, such as orders")
    put.add_argument("item", help="the item as JSON")
    delete = commands.add_parser("delete", help="delete an item from a table of the running stack")
    delete.add_argument("pipeline", help="name of the pipeline, such as orders")
    delete.add_argument("id", help="id of the item")
    query = commands.add_parser("query", help="query the lake of the running stack")
    query.add_argument("query", help="SQL, or a pipeline's name for its current state")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    # These imports need PACKAGES, and those of Pulumi take a second.
    from local.commands import items

    match arguments.command:
        case "put":
            items.put_item(arguments.pipeline, arguments.item)
        case "delete":
            items.delete_item(arguments.pipeline, arguments.id)
        case "query":
            items.run_query(arguments.query)
        case _:
            return run_stack(arguments)
    return 0


def run_stack(arguments: argparse.Namespace) -> int:
    from local.commands import demo, serve
    from streaming_etl import SettingsError

    try:
        if arguments.command == "demo":
            return 0 if demo.demo() else 1
        serve.serve(arguments.port)
    except SettingsError as error:
        return print_error(f"Pulumi.dev.yaml is invalid: {error}")
    return 0


def print_error(text: str) -> int:
    print(f"✗ {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
