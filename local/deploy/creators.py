"""Create a resource of the Pulumi program on the embedded AWS."""

from typing import Any

from local.deploy import compute_creators, monitoring_creators, storage_creators
from local.deploy.inputs import Creator, Inputs, Outputs
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

CREATORS: dict[str, Creator] = {
    **compute_creators.CREATORS,
    **monitoring_creators.CREATORS,
    **storage_creators.CREATORS,
}
"""By Pulumi type."""


def create(clients: Clients, type_: str, name: str, values: dict[str, Any]) -> tuple[str, Outputs]:
    """Create one resource; return its id and its state.

    Raises CommandError for an unknown type, an unknown input, and an error of the service.
    """
    if type_ not in CREATORS:
        raise CommandError(
            f"The embedded AWS does not support the resource type {type_} ({name}). "
            "Add a creator in local/deploy/*_creators.py.",
            code="unknown-resource-type",
            type=type_,
            name=name,
        )
    inputs = Inputs(type_, name, values)
    try:
        outputs = CREATORS[type_](clients, inputs)
    except CommandError:
        raise
    except Exception as error:
        raise CommandError(
            f"The embedded AWS cannot create {type_} ({name}): {error}\n"
            "Fix the program, or the type's creator in local/deploy/*_creators.py.",
            code="creation-failed",
            type=type_,
            name=name,
            reason=str(error),
        ) from error
    inputs.require_all_used()
    return str(outputs["id"]), {**values, **outputs}
