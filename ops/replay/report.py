"""What a replay found and did: counts and places, nothing of a change."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Problem:
    """Something that stays where it is."""

    key: str
    place: Optional[int]
    """Which entry of the object, from 1; None for the whole of it."""
    reason: str


@dataclass
class Report:
    """Counts of one run. A dry run counts what it would do."""

    pipeline: str
    dry_run: bool
    objects: int = 0
    size: int = 0
    objects_done: int = 0
    changes: int = 0
    """Put back, whichever way."""
    from_stream: int = 0
    """Of those: rows whose change came from the stream."""
    from_table: int = 0
    """Of those: rows whose item came from the table, as it is now."""
    removed_since: int = 0
    """Rows of items that are gone, whose REMOVE the lake is told by a later change."""
    by_error: Counter[str] = field(default_factory=Counter)
    """Entries by their code, those that were not asked for too."""
    by_day: Counter[str] = field(default_factory=Counter)
    """Objects by the UTC day on which they were written."""
    problems: list[Problem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The result for scripts."""
        return {
            "pipeline": self.pipeline,
            "dry_run": self.dry_run,
            "objects": {
                "found": self.objects,
                "bytes": self.size,
                "done": self.objects_done,
                "by_day": dict(sorted(self.by_day.items())),
            },
            "entries_by_error": dict(sorted(self.by_error.items())),
            "changes": {
                "put_back": self.changes,
                "of_these_from_stream": self.from_stream,
                "of_these_from_table": self.from_table,
                "removed_since": self.removed_since,
            },
            "left": [vars(problem) for problem in self.problems],
        }
