"""Which changes a pipeline takes: kinds and Lambda's event filters, each with its refusal."""

import json
from collections.abc import Sequence

from streaming_etl.components.settings.validation import refuse, require_choice, require_list

EVENT_NAMES = ("INSERT", "MODIFY", "REMOVE")


def check_event_names(event_names: Sequence[str]) -> None:
    """Refuse an empty list of kinds, an unknown kind and a repeated one."""
    require_list("event_names", event_names, "the kinds of changes to take")
    for name in event_names:
        require_choice("event_names", name, EVENT_NAMES, "the kinds of changes in a stream")
    if not event_names or len(set(event_names)) != len(event_names):
        raise refuse(
            "event_names", list(event_names), "must name each kind to take once, at least one."
        )


def check_filter_patterns(patterns: Sequence[str]) -> None:
    """Refuse more than Lambda's five patterns, and text that is no JSON object."""
    require_list("filter_patterns", patterns, "at most five JSON texts")
    if len(patterns) > 5:
        raise refuse(
            "filter_patterns", len(patterns), "are too many: Lambda takes 5; merge some of them."
        )
    for pattern in patterns:
        try:
            valid = isinstance(json.loads(pattern), dict)
        except (TypeError, ValueError):
            valid = False
        if not valid:
            raise refuse(
                "filter_patterns",
                pattern,
                'is no JSON object; write it as text, such as {"dynamodb": {...}}.',
            )
