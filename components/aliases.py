"""Aliases of resources that earlier versions created below other parents.

Pulumi identifies a resource by its name, its type and the types of its parents. Without an alias,
a resource that has another parent would be created again and the former one deleted.
"""

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


def former_resources(pipeline: pulumi.Resource, name: str) -> pulumi.ResourceTransformation:
    """Return a transformation that adds the aliases of a pipeline's resources.

    pipeline: the component, whose children are transformed. name: its name.
    """

    @cache
    def former_parent(component: str) -> pulumi.Output[str]:
        kind = f"streaming-etl:index:{component}"
        return pulumi.create_urn(f"{name}-{component.lower()}", kind, pipeline)

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        if not isinstance(args.resource, pulumi.CustomResource):
            return None
        first_word = args.name.removeprefix(f"{name}-").partition("-")[0]
        component = FORMER_PARENTS.get(first_word)
        if component is None:
            return None
        aliases = [pulumi.Alias(parent=former_parent(component))]
        opts = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(aliases=aliases))
        return pulumi.ResourceTransformationResult(props=args.props, opts=opts)

    return transform
