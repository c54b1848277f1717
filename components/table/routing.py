"""Routes of changes to lake tables, in the forwarder's config."""

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stages import ForwarderArgs


def route(
    name: str, args: ForwarderArgs, where: Optional[Mapping[str, Any]] = None
) -> dict[str, Any]:
    """Return the route to one lake table.

    name: identifies the delivery stream in the function's environment.
    where: a list of values, or `{"prefix": ...}`, by attribute; None for all items.
    """
    return {
        "name": name,
        **({"where": _plain(where)} if where else {}),
        "old_image": args.old_image,
        "max_changes_per_record": args.max_changes_per_record,
        "max_record_kib": args.max_record_kib,
    }


def _plain(where: Mapping[str, Any]) -> dict[str, Any]:
    """Return conditions as JSON can hold them, of any mapping and sequence.

    Sorted, because the programs of other languages have no order of attributes.
    """
    return {
        name: dict(rule) if isinstance(rule, Mapping) else list(rule)
        for name, rule in sorted(where.items())
    }


def pipeline_forwarder_config(args: StreamingEtlPipelineArgs) -> dict[str, Any]:
    """Return the content of forwarder.json of a pipeline."""
    routes = [route(key, args.forwarder, table.where) for key, table in args.tables.items()]
    return forwarder_config(args.forwarder, routes)


def forwarder_config(args: ForwarderArgs, routes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the content of forwarder.json, from which the forwarder reads its settings.

    It is in the archive because environment variables have at most 4 KB, and the conditions of
    twenty lake tables are longer. Pipelines with one lake table and the same settings share one
    archive, because its route has a fixed name.
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    return {
        "event_names": list(args.event_names),
        "unmatched": args.unmatched,
        "routes": [dict(each) for each in routes],
    }
