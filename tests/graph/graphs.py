"""The example stack's graph under its own name, recorded once in a session."""

from functools import cache

from graph.recorder import Graph
from graph.stack import stack_graph


@cache
def example() -> Graph:
    return stack_graph("dev")
