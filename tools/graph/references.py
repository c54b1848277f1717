"""What AWS would make up, told by the resource that it belongs to."""

import re
from typing import Any

from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph, Node, provider_outputs
from tools.graph.flatten import opened

# A whole ARN up to the first letter that no name has, or a word.
TOKEN = re.compile(r"arn:aws:[\w./:-]+|[\w.-]+")
REFERENCE = re.compile(r"\{([\w.-]+?)(?:\.(?:arn|id|streamArn|uuid))?\}")


class References:
    """Puts `{orders-lake-bucket.arn}` where the recorder's own ARNs, names and ids stand.

    `{orders-lake-bucket}` alone is the name that Pulumi makes up; one that the program gives stays
    as it is. `{account}` and `{region}` are wherever the stack is deployed to.
    """

    def __init__(self, graph: Graph) -> None:
        self._known = {ACCOUNT_ID: "{account}", REGION: "{region}"}
        for node in graph.custom:
            for value, reference in _made_up(node):
                self._known.setdefault(value, reference)

    def told(self, value: Any) -> Any:
        """The value, each text in it opened and with references."""
        value = opened(value)
        if isinstance(value, dict):
            return {key: self.told(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.told(item) for item in value]
        return TOKEN.sub(self._token, value) if isinstance(value, str) else value

    def _token(self, match: re.Match[str]) -> str:
        text, end = match[0], len(match[0])
        # What stands behind an ARN is a path in a bucket, a function's version, ...
        while end > 0:
            if reference := self._known.get(text[:end]):
                return reference + text[end:]
            end = max(text.rfind("/", 0, end), text.rfind(":", 0, end))
        if text.startswith("arn:"):
            return re.sub(r"[\w.-]+", lambda word: self._known.get(word[0], word[0]), text)
        return text


def _made_up(node: Node) -> list[tuple[str, str]]:
    given = {value for value in node.inputs.values() if isinstance(value, str)}
    outputs = provider_outputs(node.type, node.name, node.inputs)
    found = [(f"{node.name}-id", f"{{{node.name}.id}}")]
    for key, value in outputs.items():
        if value not in given:
            output = "" if value == outputs["name"] else f".{key}"
            found.append((value, f"{{{node.name}{output}}}"))
    return found


def referenced(value: Any) -> set[str]:
    """The names of the resources that a told value refers to."""
    if isinstance(value, dict):
        return set().union(*map(referenced, value.values()))
    if isinstance(value, list):
        return set().union(*map(referenced, value))
    return {*REFERENCE.findall(value)} - {"account", "region"} if isinstance(value, str) else set()
