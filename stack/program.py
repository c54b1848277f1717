"""Run a stack's program under mocks and return its resource graph."""

import contextlib
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.config import read_config
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, UNKNOWN, Graph, build

Tables = Mapping[str, dict[str, Any]]


class AssumedTables(dict[str, dict[str, Any]]):
    """Any table, assumed to exist with a stream that pipelines accept.

    Values that only AWS knows, such as its keys, are UNKNOWN.
    """

    def __missing__(self, name: str) -> dict[str, Any]:
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{name}"
        return {
            "name": name,
            "arn": arn,
            "hashKey": UNKNOWN,
            "streamEnabled": True,
            "streamArn": f"{arn}/stream/{UNKNOWN}",
            "streamViewType": "NEW_AND_OLD_IMAGES",
        }


def stack_graph(stack: str, directory: Path = Path(), *, preview: bool = False) -> Graph:
    """Return the resources that `pulumi up` of a stack registers.

    directory: of the Pulumi program. Existing tables are assumed.
    Raises CommandError when there is no such stack, and what the program raises.
    """
    config = read_config(directory, stack)
    return program_graph(
        config.values, directory, stack=stack, preview=preview, tables=AssumedTables()
    )


def program_graph(
    config: Mapping[str, str],
    directory: Path = Path(),
    *,
    stack: Optional[str] = None,
    preview: bool = False,
    tables: Optional[Tables] = None,
    into: Optional[Graph] = None,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
) -> Graph:
    """Return the graph of the program in `directory` with this config.

    config: as Pulumi passes it to the program: flat, maps as JSON.
    account_id, region: those that the program looks up.
    """
    directory = directory.resolve()
    with program_environment(directory):
        return build(
            lambda: runpy.run_path(str(directory / "__main__.py")),
            stack=stack,
            preview=preview,
            tables=tables,
            config=dict(config),
            into=into,
            account_id=account_id,
            region=region,
        )


@contextlib.contextmanager
def program_environment(directory: Path) -> Iterator[None]:
    """Run the block in a program's directory, first on `sys.path`."""
    path = list(sys.path)
    sys.path.insert(0, str(directory))
    try:
        with contextlib.chdir(directory):
            yield
    finally:
        sys.path[:] = path
