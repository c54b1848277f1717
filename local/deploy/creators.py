"""Which creator makes which Pulumi type on the embedded AWS, and what it tells of it."""

from collections.abc import Callable
from typing import Any

from local import LocalError
from local.deploy.inputs import Inputs
from streaming_etl.stack.clients import Clients

Outputs = dict[str, Any]
"""What the provider tells of a resource beside its inputs; `id` is always among it."""

Creator = Callable[[Clients, Inputs], Outputs]

CREATORS: dict[str, Creator] = {}


def creates(type_: str) -> Callable[[Creator], Creator]:
    """Register the creator of one Pulumi type."""

    def register(creator: Creator) -> Creator:
        CREATORS[type_] = creator
        return creator

    return register


def create(clients: Clients, type_: str, name: str, values: dict[str, Any]) -> tuple[str, Outputs]:
    """Create one resource; its id, and its state as the provider gives it."""
    # Here, not above: these modules register their creators with this one.
    from local.deploy import (  # noqa: F401
        backfill_creators,
        compute_creators,
        monitoring_creators,
        storage_creators,
    )

    if type_ not in CREATORS:
        raise LocalError(
            f"The embedded AWS does not know {type_} ({name}). "
            "Write a creator for it in local/resources_*.py, or leave it out of the program."
        )
    inputs = Inputs(type_, name, values)
    try:
        outputs = CREATORS[type_](clients, inputs)
    except LocalError:
        raise
    except Exception as error:
        raise LocalError(
            f"The embedded AWS refuses {type_} ({name}): {error}\n"
            "Mend the program, or the creator of that type in local/resources_*.py."
        ) from error
    inputs.check()
    return str(outputs["id"]), {**values, **outputs}
