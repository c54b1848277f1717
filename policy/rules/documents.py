"""Policy documents: their statements, and what these allow."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .resources import Resource, listed, mapped

Statement = Mapping[str, Any]
Config = Mapping[str, Any]


def statements(document: Any) -> list[Statement]:
    """A policy document's statements; none of what is unknown or no such document."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    if not isinstance(document, Mapping):
        return []
    return [item for item in listed(document.get("Statement")) if isinstance(item, Mapping)]


def allowed(resource: Resource) -> Iterator[tuple[str, Statement]]:
    """What the documents in a resource allow, each with the property that it stands in."""
    documents = {key: resource.get(key) for key in ("policy", "assumeRolePolicy")}
    for index, inline in enumerate(listed(resource.get("inlinePolicies"))):
        documents[f"inlinePolicies[{index}].policy"] = mapped(inline).get("policy")
    if resource.type.startswith("aws:"):
        for path, document in documents.items():
            for statement in statements(document):
                if statement.get("Effect") == "Allow":
                    yield path, statement


def conditions(statement: Statement) -> Iterator[tuple[str, str, Any]]:
    """A statement's conditions, all of which must hold: operator, key and value.

    IAM reads operators and keys in any case; here they are small.
    """
    for operator, test in mapped(statement.get("Condition")).items():
        for key, value in mapped(test).items():
            yield operator.lower(), key.lower(), value
