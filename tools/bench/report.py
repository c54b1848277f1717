"""What was measured, as tables."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tools.bench import forwarder_bench, memory, transform_bench
from tools.bench.candidate import FORMATS
from tools.bench.forwarder_bench import ONE_EACH, OURS, ForwarderCase
from tools.bench.memory import MemoryCase
from tools.bench.program_bench import AT_MOST_SECONDS, CONTENDERS, ProgramCase
from tools.bench.timing import Spread, microseconds, ratio
from tools.bench.transform_bench import HEADLINE, READINGS, TransformCase

REACHED, MISSED = "yes", "no"

FORMAT_NAMES = {"csv": "CSV", "json": "JSON lines"}
RECORD_NAMES = {False: "one change", True: "packed"}


class Table(NamedTuple):
    """A title, the columns' heads and the rows' cells."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def transform_tables(cases: Sequence[TransformCase]) -> list[Table]:
    """For each reading of the events, a row for each format, packing and shape."""
    head = ["rows", "a record", "shape", "floor", "simple", "ours", "of simple", "of floor"]
    head += ["quartiles", "at most", "reached"]
    tables = []
    for reading in READINGS:
        ours = [case for case in cases if case.reading == reading]
        rows = [_transform_row(case, kind) for kind in FORMATS for case in ours]
        # What must be reached is said of the headline's events only.
        width = len(head) if reading == HEADLINE else len(head) - 2
        if rows:
            title = f"Transform, changes {reading}: CPU µs a change"
            tables.append(Table(title, head[:width], [row[:width] for row in rows]))
    return tables


def _transform_row(found: TransformCase, kind: str) -> list[str]:
    ours, simple = f"ours {kind}", f"straightforward {kind}"
    at_most = transform_bench.AT_MOST[kind, found.packed][found.shape]
    case = found.case
    return [
        FORMAT_NAMES[kind],
        RECORD_NAMES[found.packed],
        found.shape,
        *(f"{microseconds(case, name):.1f}" for name in ("floor", simple, ours)),
        f"{ratio(case, ours, simple).median:.2f}",
        *_judged(ratio(case, ours, "floor"), at_most),
    ]


def forwarder_tables(cases: Iterable[ForwarderCase]) -> list[Table]:
    """CPU time and Firehose's bill, a row for each shape."""
    times, bills = [], []
    for shape, case, tallies in cases:
        each, ours = tallies[ONE_EACH], tallies[OURS]
        changes = case.event.changes
        times.append(
            [
                shape,
                str(changes),
                *(f"{microseconds(case, name):.1f}" for name in (ONE_EACH, OURS)),
                *_judged(ratio(case, OURS, ONE_EACH), forwarder_bench.AT_MOST[shape]),
            ]
        )
        bills.append(
            [
                shape,
                *(str(tally.records) for tally in (each, ours)),
                *(f"{tally.billed_bytes / changes:,.0f}" for tally in (each, ours)),
                f"{ours.billed_bytes / each.billed_bytes:.2f}",
            ]
        )
    return [
        Table(
            "Forwarder with boto3: CPU µs a change",
            ["shape", "changes", ONE_EACH, OURS, "of that", "quartiles", "at most", "reached"],
            times,
        ),
        Table(
            "What Firehose bills: records of an event, bytes a change",
            ["shape", f"records, {ONE_EACH}", OURS, f"bytes, {ONE_EACH}", OURS, "of that"],
            bills,
        ),
    ]


def memory_tables(cases: Iterable[MemoryCase]) -> list[Table]:
    """The peak of each kind of work, a column for each shape."""
    found = list(cases)
    shapes = list(dict.fromkeys(case.shape for case in found if case.shape))
    peaks = {(case.work, case.shape): case.mebibytes for case in found}
    rows = []
    for work in dict.fromkeys(case.work for case in found):
        if (work, None) in peaks:
            rows.append([work, f"{peaks[work, None]:.0f}", *[""] * len(shapes), "", ""])
            continue
        each = [peaks[work, shape] for shape in shapes]
        reached = REACHED if max(each) < memory.AT_MOST_MIB else MISSED
        rows.append([work, "", *(f"{peak:.0f}" for peak in each), str(memory.AT_MOST_MIB), reached])
    head = ["work", "no event", *shapes, "below", "reached"]
    return [Table("Peak memory over an event of 6 MB: MiB", head, rows)] if found else []


def program_tables(cases: Iterable[ProgramCase]) -> list[Table]:
    """Stacks of more and more tables: what one of them takes must not grow with their number."""
    rows = []
    for case in cases:
        each = case.seconds("ours") / case.tables
        rows.append(
            [
                str(case.tables),
                f"{case.resources:,}",
                *(f"{case.seconds(contender):.2f}" for contender in CONTENDERS),
                f"{case.ratio:.2f}",
                f"{each:.3f}",
                f"{AT_MOST_SECONDS:.2f}",
                REACHED if each <= AT_MOST_SECONDS else MISSED,
                *(f"{case.mebibytes(contender):,.0f}" for contender in CONTENDERS),
            ]
        )
    head = ["tables", "resources", *CONTENDERS, "of bare", "a table", "at most", "reached"]
    head += [f"{contender}, MiB" for contender in CONTENDERS]
    return [Table("The program under Pulumi's mocks: CPU seconds, peak memory", head, rows)]


def _judged(found: Spread, at_most: float) -> list[str]:
    """A ratio, its quartiles, what it may be and whether it is."""
    return [
        f"{found.median:.2f}",
        f"{found.low:.2f} to {found.high:.2f}",
        f"{at_most:.2f}",
        REACHED if found.median <= at_most else MISSED,
    ]
