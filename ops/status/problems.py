"""What needs attention, with the command to run next."""

from dataclasses import dataclass
from typing import Any, Optional

from streaming_etl.stack.console import printable

PROBLEMS = {
    "alarm": "The alarm {alarm} is in ALARM since {since}.",
    "alarm-missing": "CloudWatch has no alarm {alarm}: somebody deleted it.",
    "not-polling": "Lambda does not read the stream: the event source mapping is {state}.",
    "iterator-age": "The forwarder is {seconds:,.0f} s behind, more than {threshold:,} s.",
    "data-freshness": "Firehose is {seconds:,.0f} s behind, more than {threshold:,} s.",
    "failed-batches": "{count} with failed batches, the oldest of {oldest}.",
    "error-records": "{count} with error records, the oldest of {oldest}.",
    "merge-failed": "The last merge failed at {time}.",
    "crawler-failed": "The last crawl failed at {time}.",
    "not-readable": "AWS rejected {operation} with {error}.",
}
"""Texts by code."""


@dataclass(frozen=True, kw_only=True)
class StatusProblem:
    """A state that needs attention."""

    code: str
    """A key of PROBLEMS."""
    lake_table: Optional[str] = None
    """The lake table of a pipeline with `lake_tables`."""
    text: str
    see: Optional[str] = None
    """The page with what to do, with its section."""
    command: Optional[str] = None
    """The command to run next."""

    @property
    def as_json(self) -> dict[str, Optional[str]]:
        return {
            "code": self.code,
            "lake_table": self.lake_table,
            "text": self.text,
            "see": self.see,
            "command": self.command,
        }


def problem(
    code: str,
    *,
    lake_table: Optional[str] = None,
    see: Optional[str] = None,
    command: Optional[str] = None,
    **values: Any,
) -> StatusProblem:
    """Return a problem with the text of its code."""
    text = printable(PROBLEMS[code].format(**values))
    return StatusProblem(code=code, lake_table=lake_table, text=text, see=see, command=command)
