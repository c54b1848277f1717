"""Short stack traces in Pulumi's state."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# The frames of Pulumi's SDK, and the two or three that create the resource.
FRAMES = 9


@contextmanager
def short_stack_traces() -> Iterator[None]:
    """Let Pulumi record few frames for each resource that the block creates.

    Pulumi keeps the program's entire stack for each resource in the stack's state, which a backend
    without a service writes again after each step: two fifths of a pipeline's state (218 instead of
    136 KB). Errors that leave the block have complete tracebacks.
    """
    limit: int | None = getattr(sys, "tracebacklimit", None)
    sys.tracebacklimit = FRAMES
    try:
        yield
    finally:
        if limit is None:
            del sys.tracebacklimit
        else:
            sys.tracebacklimit = limit
