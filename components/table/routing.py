"""Routes of changes to lake tables, in the forwarder's config."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from streaming_etl.components.settings.stages import ForwarderArgs

LAKE_TABLE = "lake-table"
"""Name of the only route: pipelines with the same settings share one archive."""


def route(
    name: str, args: ForwarderArgs, where: Optional[Mapping[str, Any]] = None
) -> dict[str, Any]:
    """Return the route to one lake table.

    name: identifies the delivery stream in the function's environment.
    where: a list of values, or `{"prefix": ...}`, by attribute; None for all items.
    """
    return {
        "name": name,
        **({"where": where} if where else {}),
        "old_image": args.old_image,
        "max_changes_per_record": args.max_changes_per_record,
        "max_record_kib": args.max_record_kib,
    }


def forwarder_config(
    args: ForwarderArgs, routes: Sequence[Mapping[str, Any]], unmatched: str = "count"
) -> dict[str, Any]:
    """Return the content of forwarder.json, from which the forwarder reads its settings.

    It is in the archive because environment variables have at most 4 KB, and the conditions of
    twenty lake tables are longer.
    unmatched: `count` or `fail`, for changes without a route.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    return {
        "event_names": list(args.event_names),
        "unmatched": unmatched,
        "routes": [dict(each) for each in routes],
    }
