"""Where a resource stands: its pipeline, its stage, and the order in which a stack is told."""

from collections.abc import Iterator
from functools import cached_property

from streaming_etl.stack.recorder import Graph, Node

STAGES = ("Source", "Forwarder", "Backfill", "Delivery", "Lake", "Catalog", "Query", "Monitoring")
"""As the changes flow; a stage that is not here comes first."""


def kind(node: Node) -> str:
    """A resource's type in short: `s3.Bucket`, and `Lake` for a stage."""
    package, module, name = node.type.split(":")
    if package == "aws":
        return f"{module.partition('/')[0]}.{name}"
    return name if package == "streaming-etl" else node.type


class Flow:
    """The resources of a graph in order; they were registered from threads, in any order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._by_parent = {(node.type, node.name): node for node in graph.nodes}

    def chain(self, node: Node) -> list[Node]:
        """From the pipeline, through its stage, down to the resource itself."""
        chain = [node]
        while parent := self._by_parent.get((chain[0].parent_type, chain[0].parent)):
            chain.insert(0, parent)
        return chain

    def top(self, node: Node) -> Node:
        """The pipeline of a resource; itself when it has none."""
        return self.chain(node)[0]

    @cached_property
    def nodes(self) -> list[Node]:
        return sorted(self._graph.nodes, key=lambda node: tuple(map(_rank, self.chain(node))))

    def pipelines(self) -> list[str]:
        return [node.name for node in self.nodes if kind(node) == "StreamingEtlPipeline"]

    def of_pipeline(self, name: str) -> Iterator[Node]:
        """Every custom resource of a pipeline."""
        for node in self.nodes:
            if node.custom and self.top(node).name == name:
                yield node


def _rank(node: Node) -> tuple[int, str, str]:
    stage = kind(node)
    return (STAGES.index(stage) + 1 if stage in STAGES else 0, node.name, node.type)
