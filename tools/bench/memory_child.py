"""Does once what Lambda does for an invocation, and prints the peak of its memory in bytes.

`python -m tools.bench.memory_child interpreter | parse | forwarder | "transform csv" [EVENT_FILE]`
"""

import contextlib
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    work, *files = sys.argv[1:]
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        if work != "interpreter":
            run(work, files)
    print(peak_bytes())


def run(work: str, files: list[str]) -> None:
    handler = loaded(work)
    for file in files:
        # The runtime keeps the event's text until the response is on its way.
        text = Path(file).read_bytes()
        response = handler(json.loads(text))
        sent = json.dumps(response, ensure_ascii=False).encode()
        require_all_well(response)
        del text, sent


def loaded(work: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The handler that does `work`, with what a cold start imports for it and no more."""
    if work == "parse":
        return lambda _: {}
    from tools.bench import candidate as ours

    return ours.forwarder() if work == "forwarder" else ours.transform(work.split()[1])


def require_all_well(response: dict[str, Any]) -> None:
    results = {record["result"] for record in response.get("records", ())} - {"Ok"}
    if results or response.get("batchItemFailures"):
        raise SystemExit(f"not every change went through: {results}")


def peak_bytes() -> int:
    """The most that this process ever held in memory."""
    status = Path("/proc/self/status")
    if status.exists():
        # A child's ru_maxrss begins at its parent's on Linux; this does not.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
