"""A stack's graph as text for who reads `diff`: one fact a line, each line names its resource."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from streaming_etl.stack.outputs import ROOT, read_config
from streaming_etl.stack.program import stack_graph
from streaming_etl.stack.recorder import Graph, Node
from tools.graph.archives import is_archive, own_facts, parts
from tools.graph.flatten import digest, facts, opened, scalar
from tools.graph.ordering import Flow, kind
from tools.graph.references import References, referenced

ALARM = (
    "statistic",
    "namespace",
    "metricName",
    "comparisonOperator",
    "threshold",
    "datapointsToAlarm",
    "evaluationPeriods",
    "period",
)
SIGNS = {"GreaterThanThreshold": ">", "LessThanThreshold": "<"}


def stack_text(stack: str, directory: Path = ROOT) -> str:
    """A stack by its name: a heading, what its config tells the provider, and its graph.

    Raises CommandError when there is no such stack, and what the program itself raises.
    """
    config = read_config(directory, stack)
    own = f"{config.project}:"
    provider = [
        line
        for key, value in sorted(config.values.items())
        if not key.startswith(own)
        for line in facts(f"config.{key}", value)
    ]
    told = text(stack_graph(stack, directory), stack, directory)
    return "\n".join([f"# Stack {stack}\n", *filled(stack, [provider]), told])


def text(graph: Graph, stack: str, root: Path = ROOT) -> str:
    """The whole graph; two that differ in nothing but the machine, the account or the order of
    registration give the same text.

    stack: begins each line. root: the folder that files of archives are named from.
    """
    return "\n".join(filled(stack, Telling(graph, root).blocks()))


def filled(stack: str, blocks: Iterable[list[str]]) -> Iterator[str]:
    """Each block that is not empty, with the stack before every line."""
    return ("".join(f"{stack}/{line}\n" for line in block) for block in blocks if block)


class Telling:
    """What the lines of one resource need to know of the others."""

    def __init__(self, graph: Graph, root: Path) -> None:
        self.graph, self.root = graph, root
        self.flow, self.references = Flow(graph), References(graph)
        self.parts = {
            node.name: parts(node.inputs["code"], root) for node in graph.custom if has_code(node)
        }
        self.shared = {
            part: most_common(found[part] for found in self.parts.values() if part in found)
            for part in sorted(set().union(*self.parts.values()))
        }
        tags: dict[str, list[str]] = defaultdict(list)
        for node in graph.custom:
            if node.inputs.get("tags"):
                tags[self.flow.top(node).name].append(sorted_json(node.inputs["tags"]))
        self.tags = {
            name: most_common(tags[name]) for name in self.flow.pipelines() if name in tags
        }

    def blocks(self) -> Iterator[list[str]]:
        """The lines of each resource, between what is told once and what the stack exports."""
        yield [f"shared.{part}: {told}" for part, told in self.shared.items()]
        for node in self.flow.nodes:
            yield list(self.lines(node))
        exports = self.references.told(self.graph.exports)
        yield [line for key in sorted(exports) for line in facts(f"exports.{key}", exports[key])]

    def lines(self, node: Node) -> Iterator[str]:
        inputs = self.references.told(node.inputs)
        yield self.headline(node)
        # What an input refers to comes first anyway.
        for before in sorted({*node.depends_on} - referenced(inputs)):
            yield f"{node.name}.after: {before}"
        for option, value in sorted(node.options.items()):
            yield from facts(f"{node.name}.{option}", value)
        if not node.custom and node.name in self.tags:
            yield from facts(f"{node.name}.tags", json.loads(self.tags[node.name]))
        if self.is_tagged(node):
            del inputs["tags"]
        if has_code(node):
            yield from self.code(node)
            del inputs["code"]
        if node.type.endswith(":MetricAlarm"):
            yield from alarm_facts(node.name, inputs)
        if node.type.endswith(":Dashboard"):
            yield from dashboard_facts(node.name, inputs)
        for key in sorted(inputs):
            yield from facts(f"{node.name}.{key}", inputs[key])

    def headline(self, node: Node) -> str:
        """The type, where it belongs, and what holds for few or for all."""
        told = [f"{node.name}: {kind(node)}"]
        if self.flow.top(node) is not node:
            told[0] += f" in {node.parent}"
        if self.is_tagged(node):
            told.append("tagged")
        if node.delete_before_replace:
            told.append("deleted before it is replaced")
        if node.provider:
            told.append(f"by {node.provider.split('::')[-2]}")
        return ", ".join(told)

    def is_tagged(self, node: Node) -> bool:
        """Whether it has the tags that are told once for its pipeline."""
        common = self.tags.get(self.flow.top(node).name)
        return common is not None and sorted_json(node.inputs.get("tags")) == common

    def code(self, node: Node) -> Iterator[str]:
        for part, told in self.parts[node.name].items():
            yield f"{node.name}.code.{part}: {'shared' if told == self.shared[part] else told}"
        yield from own_facts(f"{node.name}.code", node.inputs["code"], self.root)


def has_code(node: Node) -> bool:
    return is_archive(node.inputs.get("code"))


def most_common(texts: Iterable[str]) -> str:
    """The text that stands most often, the same one whatever the order."""
    counted = Counter(texts)
    return max(counted, key=lambda text: (counted[text], text))


def sorted_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def alarm_facts(path: str, inputs: dict[str, Any]) -> Iterator[str]:
    """When it rings, on one line; takes what it tells out of `inputs`."""
    if not {*ALARM} <= inputs.keys():
        return
    statistic, namespace, metric, comparison, threshold, failing, periods, seconds = (
        scalar(inputs.pop(key)) for key in ALARM
    )
    of = "".join(
        f" of {name} {scalar(value)}"
        for name, value in sorted((inputs.pop("dimensions", None) or {}).items())
    )
    missing = scalar(inputs.pop("treatMissingData", None))
    yield (
        f"{path}.rings: {statistic} {namespace} {metric}{of}"
        f" {SIGNS.get(comparison, comparison)} {threshold}"
        f" in {failing} of {periods} periods of {seconds} s, missing data {missing}"
    )


def dashboard_facts(path: str, inputs: dict[str, Any]) -> Iterator[str]:
    """A line for each widget; takes what it tells out of `inputs`."""
    body = opened(inputs.get("dashboardBody"))
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        return
    for widget in body.pop("widgets"):
        shown = widget.get("properties", {})
        title = shown.get("title") or str(shown.get("markdown", "")).partition("\n")[0]
        told = digest(sorted_json(widget).encode())
        yield f"{path}.widgets[{title}]: {widget.get('type')}, digest {told}"
    inputs["dashboardBody"] = body
