"""Routing of changes to lake tables, as the model has it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.simulation.lake_tables import Where
from tests.simulation.scenario import Scenario
from tests.simulation.table import Change, Item


def matches(item: Item | None, where: Where | None) -> bool:
    """Return whether a lake table has an item, if there is one."""
    if item is None:
        return False
    return all(has_value(item.get(name), rule) for name, rule in (where or {}).items())


def has_value(value: Any, rule: Any) -> bool:
    match rule:
        case {"prefix": prefix}:
            return isinstance(value, str) and value.startswith(prefix)
        case _:
            return any(kind_of(value) == kind_of(each) and value == each for each in rule)


def kind_of(value: Any) -> str:
    """Return the type in DynamoDB."""
    if isinstance(value, bool):
        return "BOOL"
    return "N" if isinstance(value, (int, float, Decimal)) else type(value).__name__


def routed(change: Change, where: Where | None) -> Change | None:
    """Return a change as the lake table must have it, or None."""
    if change.kind == "BACKFILL":
        return change
    if where is None or where.keys() <= change.keys.keys():
        # The stream may have no old images.
        return change if matches(change.keys, where) else None
    is_in, was_in = matches(change.new, where), matches(change.old, where)
    if is_in:
        return change if was_in or change.old is None else replace(change, kind="INSERT", old=None)
    if was_in:
        return replace(change, kind="REMOVE", new=None)
    return None


def is_unmatched(change: Change, scenario: Scenario) -> bool:
    """Return whether no lake table has the change."""
    return all(routed(change, each.where) is None for each in scenario.lake_tables)
