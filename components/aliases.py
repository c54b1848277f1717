"""Aliases of resources that had another name or another parent.

Pulumi identifies a resource by its name, its type and the types of its parents. Without an alias,
a resource of a renamed pipeline, or below another parent, would be created again and the former
one deleted.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

import pulumi

from streaming_etl.components.table.layout import resource_prefix

FORMER_PARENTS = {
    "backfill": "Backfill",
    "catalog": "Catalog",
    "delivery": "Delivery",
    "forwarder": "Forwarder",
    "lake": "Lake",
    "monitoring": "Monitoring",
    "query": "Query",
    "source": "Source",
    "transform": "Delivery",
    "watch": "Monitoring",
}
"""Former parent by the first word of a resource's name after the pipeline's name.

Until version 0.1 a pipeline had these components. Resources that are new since then need no alias.
"""

LAKE_TABLE_PART = re.compile(
    "lake-table"
    "|catalog-(crawler|crawler-policy|crawler-role|objects|table)"
    "|delivery-(log-stream|logs|policy|role|stream)"
    "|monitoring-.+"
    "|query-(current-state|latest-changes|rows-per-partition|view)"
    "|transform-(function|logs|policy|role)"
)
"""What follows a lake table's name in the names of its resources.

An alarm's name may also be that of a resource of the lake table `<name>-monitoring`.
"""


def former_resources(
    pipeline: pulumi.Resource,
    name: str,
    former_names: Sequence[str],
    former_lake_tables: Mapping[str, Sequence[str]],
) -> pulumi.ResourceTransformation:
    """Return a transformation that adds aliases to a pipeline and its resources.

    pipeline: the component. name: its name, with which all names of its resources begin.
    former_names: other names that it had. former_lake_tables: other names of each lake table.
    """

    @cache
    def former_parent(component: str) -> pulumi.Output[str]:
        kind = f"streaming-etl:index:{component}"
        return pulumi.create_urn(f"{name}-{component.lower()}", kind, pipeline)

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if args.name != name and not args.name.startswith(f"{name}-"):
            # A resource that the program adds to the pipeline.
            return None
        is_component = not isinstance(args.resource, pulumi.CustomResource)
        part = args.name.removeprefix(name)
        aliases = []
        for other_part in (part, *former_parts(part, former_lake_tables)):
            names = names_of_part(other_part, name, former_names)
            aliases += [pulumi.Alias(name=each) for each in names if each != args.name]
            component = FORMER_PARENTS.get(other_part.split("-")[1]) if other_part else None
            if component is not None and not is_component:
                parent = former_parent(component)
                aliases += [pulumi.Alias(name=each, parent=parent) for each in names]
        if not aliases:
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(aliases=aliases))
        return pulumi.ResourceTransformationResult(props=args.props, opts=opts)

    return transform


def names_of_part(part: str, name: str, former_names: Sequence[str]) -> list[str]:
    """Return the names of a resource, also below former pipeline names."""
    return [f"{each}{part}" for each in dict.fromkeys([name, *former_names])]


def all_names(
    resource: str,
    name: str,
    former_names: Sequence[str],
    former_lake_tables: Mapping[str, Sequence[str]],
) -> list[str]:
    """Return the name of a pipeline's resource, and those that it had."""
    part = resource.removeprefix(name)
    parts = (part, *former_parts(part, former_lake_tables))
    return [each for other in parts for each in names_of_part(other, name, former_names)]


def former_parts(part: str, former_lake_tables: Mapping[str, Sequence[str]]) -> list[str]:
    """Return what followed the pipeline's name in a resource's name before renames.

    part: what follows it now, such as `-orders-delivery-stream`.
    """
    rests = {
        key: part.removeprefix(f"-{key}-")
        for key in former_lake_tables
        if part.startswith(f"-{key}-")
    }
    # `orders-catalog` is another lake table than `orders`, which has a `catalog-table`.
    keys = [key for key, rest in rests.items() if LAKE_TABLE_PART.fullmatch(rest)]
    if not keys:
        return []
    key = max(keys, key=len)
    formers = former_lake_tables[key]
    return [f"{resource_prefix('', former)}-{rests[key]}" for former in formers]
