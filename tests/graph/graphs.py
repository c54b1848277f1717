"""The example stack's graph under its own name, recorded once in a session."""

from functools import cache

from streaming_etl.stack.program import stack_graph
from streaming_etl.stack.recorder import Graph


@cache
def example() -> Graph:
    return stack_graph("dev")
