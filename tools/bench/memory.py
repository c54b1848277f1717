"""Peak memory of both handlers over events at Lambda's limit, each in a process of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tools.bench.candidate import FORMATS
from tools.bench.events import SHAPES, Shape, firehose_event, stream_event
from tools.bench.transform_bench import READINGS

EVENT_BYTES = 6_000_000

AT_MOST_MIB = 128


class MemoryCase(NamedTuple):
    """The peak of one process: `work` says what it did, `shape` is None where there is no event."""

    work: str
    shape: str | None
    mebibytes: float


def memory_cases(shapes: Sequence[Shape], event_bytes: int = EVENT_BYTES) -> Iterator[MemoryCase]:
    """The interpreter alone, each handler loaded, each handler over each event.

    The stub's environment must be set.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event.json"
        yield MemoryCase("interpreter", None, peak("interpreter"))
        yield MemoryCase("transform loaded", None, peak("transform csv"))
        # Its client is made by its first event.
        path.write_text(stream_event(SHAPES[0], event_bytes, 1).text, encoding="utf-8")
        yield MemoryCase("forwarder loaded", None, peak("forwarder", path))
        for shape in shapes:
            path.write_text(stream_event(shape, event_bytes, 10_000).text, encoding="utf-8")
            # What the runtime takes before any handler of the forwarder's event is called.
            yield MemoryCase("stream event, parsed only", shape.name, peak("parse", path))
            yield MemoryCase("forwarder", shape.name, peak("forwarder", path))
            for reading in READINGS:
                for packed in (False, True):
                    text = transform_event(shape, reading, event_bytes, packed=packed)
                    path.write_text(text, encoding="utf-8")
                    for kind in FORMATS:
                        work = f"{kind}, {'packed' if packed else 'one change a record'}"
                        mebibytes = peak(f"transform {kind}", path)
                        yield MemoryCase(f"{work}, {reading}", shape.name, mebibytes)


def case_count(shapes: Sequence[Shape]) -> int:
    """How many cases there will be."""
    return 3 + len(shapes) * (2 + len(READINGS) * 2 * len(FORMATS))


def peak(work: str, *paths: Path) -> float:
    """The peak in MiB of a new interpreter that does `work` over the events at `paths`."""
    command = [sys.executable, "-m", "tools.bench.memory_child", work, *map(str, paths)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2]
        raise ValueError(f"{work} failed: {last}")
    return int(done.stdout) / 2**20


def transform_event(shape: Shape, reading: str, text_bytes: int, *, packed: bool) -> str:
    """A transform's event whose text, base64 and ids included, is about so long."""
    line = READINGS[reading]
    sample_bytes = text_bytes // 4
    sample = firehose_event(shape, line, sample_bytes, packed=packed).text
    record_bytes = sample_bytes * text_bytes // len(sample)
    return firehose_event(shape, line, record_bytes, packed=packed).text
