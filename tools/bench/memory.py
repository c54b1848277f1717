"""Peak memory of both functions, each in a separate process.

`python -m tools.bench.memory WORK [EVENT_FILE]` is the child: it does once what Lambda does for an
invocation and prints its peak in bytes.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

EVENT_BYTES = 6_000_000


def measure(event_bytes: int = EVENT_BYTES) -> Iterator[tuple[str, str, float]]:
    """Work, shape (empty without an event) and peak in MiB."""
    # Imported here because the child's peak must not include them.
    from tools.bench import candidate, stub
    from tools.bench.events import SHAPES, firehose_event, stream_event

    yield "interpreter", "", peak("interpreter")
    with stub.running() as firehose, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        for name, shape in SHAPES.items():
            path.write_text(stream_event(shape, event_bytes, 10_000).text, encoding="utf-8")
            # The runtime parses the event before it calls a function.
            yield "stream event, parsed only", name, peak("parse", path)
            yield "forwarder", name, peak("forwarder", path, firehose.environment())
            # The text of an event is longer than its data: base64 and ids.
            data = event_bytes * 7 // 10
            event = firehose_event(shape, candidate.forwarded_line, data, aggregated=True)
            path.write_text(event.text, encoding="utf-8")
            for kind in candidate.FORMATS:
                yield f"transform {kind}", name, peak(f"transform {kind}", path)


def peak(work: str, path: Path | None = None, environment: dict[str, str] | None = None) -> float:
    """The peak in MiB of a new interpreter that does `work`."""
    command = [sys.executable, "-m", "tools.bench.memory", work, *([str(path)] if path else [])]
    variables = {**os.environ, **(environment or {})}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=variables)
    return int(output.stdout) / 2**20


def run(work: str, path: str) -> None:
    """Parse the event, call the function and serialise its response."""
    # The runtime keeps the text until the response is sent.
    text = Path(path).read_bytes()
    event = json.loads(text)
    if work == "parse":
        return
    from tools.bench import candidate

    handler = candidate.forwarder() if work == "forwarder" else candidate.transform(work.split()[1])
    response = handler(event)
    json.dumps(response, ensure_ascii=False).encode()
    results = {record["result"] for record in response.get("records", ())} - {"Ok"}
    if results or response.get("batchItemFailures"):
        raise SystemExit(f"{work} fails: {results}")


def peak_bytes() -> int:
    """The peak memory of this process."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux a child's ru_maxrss starts at its parent's; this does not.
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


if __name__ == "__main__":
    with open(os.devnull, "w") as sink, contextlib.redirect_stdout(sink):
        if len(sys.argv) > 2:
            run(sys.argv[1], sys.argv[2])
    sys.stdout.write(str(peak_bytes()))
