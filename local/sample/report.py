"""Results of the sample, and their deviations from what is expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator.athena import Row
from local.sample.lake import FailedChange


@dataclass(frozen=True)
class Partition:
    """One partition prefix: objects and bytes from S3, rows from Athena."""

    prefix: str
    objects: int
    size: int
    rows: int


@dataclass(frozen=True)
class TableReport:
    """Results for one lake table."""

    name: str
    rules: Mapping[str, Any]
    """Its `where`."""
    bucket: str
    location: str
    compared_columns: tuple[str, ...]
    expected: Mapping[str, str]
    """The event types of its changes by event id, as source table and condition imply them."""
    event_types: Mapping[str, str]
    """Those of the changes that are rows."""
    missing: int
    """Changes that are neither a row nor in an error record."""
    partitions: list[Partition]
    items: int
    """Items of the source table that match."""
    current_state: list[Row] | None
    """None where it is not compared."""
    different_ids: list[str]
    failed_changes: list[FailedChange]
    expected_failures: int
    failure_logs: Mapping[str, str | None]
    """The transform's log line, by event id of the failed change."""

    @property
    def misrouted(self) -> int:
        """The number of changes that are rows and not expected as such."""
        return sum(self.expected.get(id_) != kind for id_, kind in self.event_types.items())

    @property
    def problems(self) -> dict[str, str]:
        """Deviations from the expected result: code to sentence."""
        name, failed = self.name, len(self.failed_changes)
        problems = {}
        if self.missing:
            problems["missing-changes"] = (
                f"{name}: {self.missing} of {len(self.expected)} changes were not delivered."
            )
        if self.misrouted:
            problems["misrouted-changes"] = (
                f"{name}: {self.misrouted} changes belong to other lake tables, or have another "
                "event type."
            )
        if self.different_ids:
            ids = ", ".join(self.different_ids[:5])
            problems["different-items"] = f"{name}: source table and current state differ in {ids}."
        if failed != self.expected_failures:
            problems["failed-changes"] = (
                f"{name}: {failed} changes failed instead of {self.expected_failures}."
            )
        if empty := [partition.prefix for partition in self.partitions if not partition.rows]:
            problems["empty-partitions"] = f"{name}: Athena finds no rows in {', '.join(empty)}."
        if unlogged := [id_ for id_, line in self.failure_logs.items() if line is None]:
            problems["unlogged-failures"] = (
                f"{name}: the transform has no log line for the failed change {unlogged[0]}."
            )
        return problems


@dataclass(frozen=True)
class MovedChange:
    """One row of an item that moves between lake tables."""

    item: str
    change: int
    """Number of the change among those of the item, from 1."""
    lake_table: str
    event_type: str


@dataclass(frozen=True)
class PipelineReport:
    """Results for all lake tables of one pipeline."""

    name: str
    tables: list[TableReport]
    is_routed: bool
    """Whether it has `lake_tables`."""
    changes: int
    unmatched: int
    """Changes that no lake table must have."""
    counted_unmatched: int
    """Those that the forwarder has counted."""
    moved: list[MovedChange]
    """Rows of one item that has changed its kind, the oldest first; empty if none has."""

    @property
    def problems(self) -> dict[tuple[str, str], str]:
        """Deviations from the expected result: name and code to sentence."""
        problems = {
            (table.name, code): sentence
            for table in self.tables
            for code, sentence in table.problems.items()
        }
        if self.counted_unmatched != self.unmatched:
            problems[self.name, "unmatched-changes"] = (
                f"{self.name}: the forwarder counted {self.counted_unmatched} unmatched changes "
                f"instead of {self.unmatched}."
            )
        return problems
