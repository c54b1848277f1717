"""Aliases of resources that had another name or another parent.

Pulumi identifies a resource by its name, its type and the types of its parents. Without an alias,
a resource of a renamed pipeline, or below another parent, would be created again and the former
one deleted.
"""

from collections.abc import Sequence
from functools import cache

import pulumi

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


def former_resources(
    pipeline: pulumi.Resource, name: str, former_names: Sequence[str]
) -> pulumi.ResourceTransformation:
    """Return a transformation that adds aliases to a pipeline and its resources.

    pipeline: the component. name: its name, with which all names of its resources begin.
    former_names: other names that it had.
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
        part = args.name.removeprefix(name)
        names = [f"{former}{part}" for former in former_names if former != name]
        aliases = [pulumi.Alias(name=former) for former in names]
        component = FORMER_PARENTS.get(part.split("-")[1]) if part else None
        if component is not None and isinstance(args.resource, pulumi.CustomResource):
            parent = former_parent(component)
            aliases += [pulumi.Alias(name=each, parent=parent) for each in [args.name, *names]]
        if not aliases:
            return None
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(aliases=aliases))
        return pulumi.ResourceTransformationResult(props=args.props, opts=opts)

    return transform
