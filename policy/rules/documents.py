"""Statements of policy documents."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from .resources import Resource, as_list, as_mapping

Statement = Mapping[str, Any]


def statements(document: Any) -> list[Statement]:
    """Statements of a policy document; none of anything else."""
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    items = as_list(as_mapping(document).get("Statement"))
    return [item for item in items if isinstance(item, Mapping)]


def allow_statements(resource: Resource) -> Iterator[tuple[str, Statement]]:
    """Property and statement of everything that a resource's documents allow."""
    documents = {key: resource.get(key) for key in ("policy", "assumeRolePolicy")}
    for index, inline in enumerate(as_list(resource.get("inlinePolicies"))):
        documents[f"inlinePolicies[{index}].policy"] = as_mapping(inline).get("policy")
    if resource.type.startswith("aws:"):
        for path, document in documents.items():
            for statement in statements(document):
                if statement.get("Effect") == "Allow":
                    yield path, statement


def conditions(statement: Statement) -> Iterator[tuple[str, str, Any]]:
    """Operator, key and value of each condition, in lower case."""
    for operator, test in as_mapping(statement.get("Condition")).items():
        for key, value in as_mapping(test).items():
            yield operator.lower(), key.lower(), value
