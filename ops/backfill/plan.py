"""What a scan is going to cost and how long it takes; and which budgets are refused."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Optional

import click

from streaming_etl.ops.backfill.checkpoint import Checkpoint
from streaming_etl.ops.backfill.scan import BYTES_PER_UNIT
from streaming_etl.ops.backfill.table import SourceTable
from streaming_etl.ops.firehose_writer import DEFAULT_KIB_PER_SECOND
from streaming_etl.stack.errors import CommandError

DEFAULT_SEGMENTS = 4
# DynamoDB takes up to 1,000,000; here each is a thread with a connection of its own.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html
MOST_SEGMENTS = 32

DEFAULT_READ_UNITS = 100.0
"""For a table on demand."""
PROVISIONED_SHARE = 0.5
"""Of what is provisioned, unless told otherwise: the rest is the table's own readers'."""

LEAST_PER_SECOND, MOST_PER_SECOND = 1.0, 1_000_000.0
"""Of read units and of KiB."""

# What an item of usual attributes grows by as DynamoDB JSON, and what a change tells beside it.
JSON_GROWTH = 1.4
CHANGE_BYTES = 300


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for; None takes the default."""

    segments: Optional[int] = None
    read_units: Optional[float] = None
    kib_per_second: Optional[float] = None
    checkpoint: Optional[Path] = None
    restart: bool = False
    dry_run: bool = False
    json: bool = False


@dataclass(frozen=True)
class Plan:
    """What a run is going to do, as far as DynamoDB's own counts tell: they are hours old."""

    pipeline: str
    table: str
    items: int
    bytes: int
    items_done: int
    """What earlier runs have passed already."""
    read_units: float
    """Still to be read."""
    read_units_per_second: float
    kib_per_second: float
    segments: int
    seconds: int

    @property
    def items_left(self) -> int:
        return max(0, self.items - self.items_done)

    def lines(self) -> list[str]:
        """The plan for a person."""
        mib = self.bytes / 2**20
        segments = "1 segment" if self.segments == 1 else f"{self.segments} segments"
        lines = [
            f"{self.table} has about {self.items:,} items, {mib:,.1f} MiB, as DynamoDB last "
            "counted them; it does so about every six hours.",
            f"Reading takes about {self.read_units:,.0f} read units, in {segments}, "
            f"at no more than {self.read_units_per_second:,.0f} units and "
            f"{self.kib_per_second:,.0f} KiB to Firehose a second: about {span(self.seconds)}.",
        ]
        if self.items_done:
            lines.append(f"Going on behind {self.items_done:,} items that are done already.")
        return lines


def span(seconds: int) -> str:
    """A time as a person tells it: seconds, minutes or hours and minutes."""
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{ceil(seconds / 60)} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def check_options(options: Options) -> None:
    """Refuse a number that makes no sense for any table: wrong usage."""
    segments = options.segments
    if segments is not None and not 1 <= segments <= MOST_SEGMENTS:
        raise click.UsageError(
            f"--segments={segments} is out of range: each is a thread of this machine with a "
            f"connection of its own; use 1 to {MOST_SEGMENTS}. For a table that this is too slow "
            "for, see the section on large tables in docs/backfill.md."
        )
    for name, value in (
        ("--read-units", options.read_units),
        ("--kib-per-second", options.kib_per_second),
    ):
        if value is not None and not LEAST_PER_SECOND <= value <= MOST_PER_SECOND:
            raise click.UsageError(
                f"{name}={value:g} is out of range: it is an amount per second that one machine "
                f"can reach; use {LEAST_PER_SECOND:g} to {MOST_PER_SECOND:,.0f}."
            )


def plan_of(name: str, table: SourceTable, checkpoint: Checkpoint, options: Options) -> Plan:
    """The plan of a run; raises CommandError for a budget that the table cannot give."""
    units_per_second = read_budget(table, options.read_units)
    kib_per_second = options.kib_per_second or DEFAULT_KIB_PER_SECOND
    done = checkpoint.items
    left = 1.0 if not table.items else max(0.0, 1 - done / table.items)
    units = left * table.size / BYTES_PER_UNIT
    kib = left * (table.size * JSON_GROWTH + table.items * CHANGE_BYTES) / 1024
    return Plan(
        pipeline=name,
        table=table.name,
        items=table.items,
        bytes=table.size,
        items_done=done,
        read_units=round(units, 1),
        read_units_per_second=units_per_second,
        kib_per_second=kib_per_second,
        segments=len(checkpoint.segments),
        seconds=ceil(max(units / units_per_second, kib / kib_per_second)),
    )


def read_budget(table: SourceTable, asked: Optional[float]) -> float:
    """The read units per second; raises CommandError for more than the table gives."""
    most = table.read_units
    if asked is None:
        if most is None:
            return DEFAULT_READ_UNITS
        return max(LEAST_PER_SECOND, most * PROVISIONED_SHARE)
    if most is not None and asked > most:
        what = "its provisioned read capacity" if table.provisioned else "its on-demand maximum"
        raise CommandError(
            f"--read-units={asked:g} is more than {table.name} gives: {what} is {most:g} a second, "
            f"and its own readers need some of it; use {most:g} or less, or raise it first."
        )
    return asked
