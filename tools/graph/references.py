"""Symbolic references for ARNs, names and ids that AWS assigns."""

import re
from typing import Any

from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph, Node, provider_outputs

# An ARN up to the first character that no name contains, or a word.
TOKEN = re.compile(r"arn:aws:[\w./:-]+|[\w.-]+")
REFERENCE = re.compile(r"\{([\w.-]+?)(?:\.(?:arn|id|streamArn|uuid))?\}")


class References:
    """Replace the recorder's ARNs, names and ids with `{orders-lake-bucket.arn}`.

    `{orders-lake-bucket}` alone is a physical name that Pulumi generates. A name that the program
    sets stays. `{account}` and `{region}` are those of the deployment.
    """

    def __init__(self, graph: Graph) -> None:
        self._known = {ACCOUNT_ID: "{account}", REGION: "{region}"}
        for node in graph.custom:
            for value, reference in _generated(node):
                self._known.setdefault(value, reference)

    def replace(self, text: str) -> str:
        """The text with a reference for every generated value in it."""
        return TOKEN.sub(self._token, text)

    def _token(self, match: re.Match[str]) -> str:
        text, end = match[0], len(match[0])
        # An ARN can continue with an object's path or a function's version.
        while end > 0:
            if reference := self._known.get(text[:end]):
                return reference + text[end:]
            end = max(text.rfind("/", 0, end), text.rfind(":", 0, end))
        if text.startswith("arn:"):
            return re.sub(r"[\w.-]+", lambda word: self._known.get(word[0], word[0]), text)
        return text


def _generated(node: Node) -> list[tuple[str, str]]:
    """Each generated value of a resource, with its reference."""
    inputs = {value for value in node.inputs.values() if isinstance(value, str)}
    outputs = provider_outputs(node.type, node.name, node.inputs)
    pairs = [(f"{node.name}-id", f"{{{node.name}.id}}")]
    for key, value in outputs.items():
        if value not in inputs:
            suffix = "" if value == outputs["name"] else f".{key}"
            pairs.append((value, f"{{{node.name}{suffix}}}"))
    return pairs


def referenced(value: Any) -> set[str]:
    """The names of the resources that plain data refers to."""
    if isinstance(value, dict):
        return set().union(*map(referenced, value.values()))
    if isinstance(value, list):
        return set().union(*map(referenced, value))
    return {*REFERENCE.findall(value)} - {"account", "region"} if isinstance(value, str) else set()
