"""The graph of a stack: the program itself, run with what `Pulumi.<stack>.yaml` holds."""

import contextlib
import gc
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from streaming_etl.stack.outputs import ROOT, read_config
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, UNKNOWN, Graph, build

Tables = Mapping[str, dict[str, Any]]


class TakenForGranted(dict[str, dict[str, Any]]):
    """A table that is there, with a stream that can feed a lake, for every name: AWS is not asked.

    What only AWS could tell, its keys among it, is UNKNOWN.
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


def stack_graph(stack: str, directory: Path = ROOT, *, preview: bool = False) -> Graph:
    """What `pulumi up` of a stack would register, under the names that it would have there.

    Tables that exist already are taken for granted. Raises CommandError when there is no such stack,
    and what the program itself raises.
    """
    config = read_config(directory, stack)
    return program_graph(
        config.values, directory, stack=stack, preview=preview, tables=TakenForGranted()
    )


def program_graph(
    config: Mapping[str, str],
    directory: Path = ROOT,
    *,
    stack: Optional[str] = None,
    preview: bool = False,
    tables: Optional[Tables] = None,
    into: Optional[Graph] = None,
) -> Graph:
    """The same with a config as Pulumi hands it to the program: flat, maps as JSON."""
    with surroundings(directory):
        return build(
            lambda: runpy.run_path(str(directory / "__main__.py")),
            stack=stack,
            preview=preview,
            tables=tables,
            config=dict(config),
            into=into,
        )


@contextlib.contextmanager
def surroundings(directory: Path) -> Iterator[None]:
    """Where Pulumi runs a program: in its directory, which is also the first on the path.

    A program may do without garbage collection, which ends with it; this process goes on.
    """
    path, collecting = list(sys.path), gc.isenabled()
    sys.path.insert(0, str(directory))
    try:
        with contextlib.chdir(directory):
            yield
    finally:
        sys.path[:] = path
        if collecting:
            gc.enable()
