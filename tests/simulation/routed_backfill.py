"""Writer of a backfill for several lake tables.

The command has one delivery stream until the settings have several lake tables.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.routing import Where, routed
from streaming_etl.ops.firehose_writer import RoutedWriter
from tests.simulation.lake import changes_of
from tests.simulation.scenario import Scenario


class Writer(Protocol):
    """Where a backfill writes its snapshots and its marker."""

    def write(self, lines: Sequence[bytes]) -> None: ...


class BackfillWriter:
    """Routes the lines of the scan, which have no old image."""

    def __init__(self, scenario: Scenario, writer: RoutedWriter) -> None:
        self.routes = [(each.name, each.where) for each in scenario.lake_tables]
        self.writer = writer

    def write(self, lines: Sequence[bytes]) -> None:
        """Write snapshots to matching lake tables, and the marker to all."""
        routed_lines, names = [], []
        for line in lines:
            [change] = changes_of(line)
            record: Any = {**change, "eventSourceARN": f"/{change['streamLabel']}"}
            for name, where in self.routes:
                sent = record if where is None else routed(record, Where(where))
                if sent is not None:
                    routed_lines.append(change_line(sent))
                    names.append(name)
        self.writer.write(routed_lines, names)
