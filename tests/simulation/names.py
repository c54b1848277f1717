"""Names of attributes and maps, which may differ in case only."""

from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from tests.simulation.user_module import SECRET

# Names of a map. Some are equal but for case; others are reserved for columns only.
MAP_NAMES = ("b", "B", "é", "É", "ORDER", "order", "_op", "store", "a b", "x.y", "")
# Names of further attributes, some of which the table has already.
COLUMN_NAMES = ("fine", "Fine", "NUMBER", "Note", "_Op", "_key", "Store", "YEAR", "DT", "a b", "")


def any_map(chance: Random, depth: int = 0) -> dict[str, Any]:
    """Return a map of any values, mostly with legal names."""
    wrong = chance.random() < 0.1
    # Without duplicates but for case, unless the map is wrong.
    names = chance.sample(MAP_NAMES if wrong else ("b", "É", "ORDER", "_op", "store"), 3)
    return {name: any_value(chance, depth) for name in names[: chance.choice((0, 1, 2, 3))]}


def any_value(chance: Random, depth: int) -> Any:
    kind = chance.random()
    if depth < 3 and kind < 0.4:
        return any_map(chance, depth + 1)
    if depth < 3 and kind < 0.5:
        return [any_value(chance, depth + 1) for _ in range(chance.randint(0, 2))]
    return chance.choice((None, SECRET, "", 12, True))


def map_of_texts(chance: Random) -> dict[str, str]:
    """Return a map for a column of type map<string,string>, with any names."""
    names = chance.sample(MAP_NAMES, chance.randint(0, 4))
    return {name: f"{SECRET} {number}" for number, name in enumerate(names)}


def servable(row: Mapping[str, Any], reserved: Collection[str]) -> dict[str, Any] | None:
    """Return the row as a crawler's table holds it.

    None if the row would make the table unreadable. The crawler lower-cases all names and declares
    an empty map as a struct without fields, which makes every query fail.
    """
    kept = without_empty_maps(row)
    if not {name.lower() for name in kept}.isdisjoint(reserved) or not has_readable_names(kept):
        return None
    return kept


def without_empty_maps(value: Any) -> Any:
    """Return the value without empty maps, and without NULLs in maps."""
    if isinstance(value, list):
        kept = map(without_empty_maps, value)
        return [None if inner == {} else inner for inner in kept]
    if not is_map(value):
        return value
    pairs = ((name, without_empty_maps(inner)) for name, inner in value.items())
    return {name: inner for name, inner in pairs if inner is not None and inner != {}}


def has_readable_names(value: Any) -> bool:
    """Return whether names are legal, and distinct in lower case."""
    if isinstance(value, list):
        return all(map(has_readable_names, value))
    if not is_map(value):
        return True
    distinct = len({name.lower() for name in value}) == len(value)
    legal = all(name and all(sign.isalnum() or sign == "_" for sign in name) for name in value)
    return distinct and legal and all(map(has_readable_names, value.values()))


def lower_names(value: Any) -> Any:
    """Return the value with lower-case names; the last of equal names wins."""
    return {name.lower(): lower_names(it) for name, it in value.items()} if is_map(value) else value


def is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
