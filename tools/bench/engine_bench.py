"""Time and state of large stacks with the real Pulumi CLI.

The provider runs in another process and creates nothing, so the times are those of the program,
the engine and its state in a local folder.
"""

import contextlib
import gc
import json
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools.project import ROOT

TABLES = (1, 10, 40)


class Result(NamedTuple):
    """One stack of pipelines with default settings.

    Seconds of each command; bytes of the state as compact JSON, and without the stack traces that
    the SDK adds to each resource.
    """

    tables: int
    resources: int
    preview: float
    up: float
    unchanged: float
    state: int
    state_without_traces: int


def measure(tables: int) -> Result:
    """Preview, create and preview again a stack of this many tables."""
    from local.engine.workspace import EngineStack, Outcome
    from streaming_etl.stack.program import program_environment

    def program() -> None:
        with program_environment(ROOT):
            runpy.run_path(str(ROOT / "__main__.py"))

    def timed(command: Any) -> tuple[float, Outcome]:
        begin = time.monotonic()
        outcome: Outcome = command()
        if not outcome.succeeded:
            raise ValueError(f"the engine fails: {outcome.errors}")
        return time.monotonic() - begin, outcome

    # As in the stack's program.
    gc.disable()
    with tempfile.TemporaryDirectory() as folder, provider() as port:
        config = {
            "aws:region": "ap-northeast-1",
            "streaming-etl:tables": json.dumps(configs(tables)),
        }
        stack = EngineStack(program, folder=Path(folder), directory=ROOT, port=port, config=config)
        preview, _ = timed(stack.preview)
        up, outcome = timed(stack.up)
        unchanged, again = timed(stack.preview)
        if again.changed:
            raise ValueError(f"the second preview has changes: {again.changed}")
        state = stack.state()
    complete = compact(state)
    for resource in state["resources"]:
        resource.pop("stackTrace", None)
    return Result(
        tables,
        len(outcome.steps),
        preview,
        up,
        unchanged,
        len(complete),
        len(compact(state)),
    )


def configs(tables: int) -> dict[str, Any]:
    """Return pipelines with default settings."""
    return {
        f"table-{number}": {
            "table_name": f"table-{number}",
            "transform_module": "transforms/orders.py",
            "partitions": {"granularity": "day"},
        }
        for number in range(tables)
    }


def compact(state: Any) -> str:
    return json.dumps(state, separators=(",", ":"))


@contextlib.contextmanager
def provider() -> Iterator[int]:
    """Start the provider in another process; yield its port."""
    command = [sys.executable, "-m", "tools.bench.engine_bench", "provider"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def run(tables: int) -> Result:
    """Measure in a new process, because the program disables garbage collection."""
    command = [sys.executable, "-m", "tools.bench.engine_bench", str(tables)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    return Result(**json.loads(output))


def main(argument: str) -> None:
    """Serve as the provider, or print the `Result` of a stack."""
    if argument == "provider":
        from local.engine.backend import RecordingBackend
        from local.engine.provider import serving

        with serving(RecordingBackend()) as port:
            print(port, flush=True)
            while True:
                time.sleep(3600)
    print(json.dumps(measure(int(argument))._asdict()))


if __name__ == "__main__":
    main(sys.argv[1])
