"""FIELD_IDS of a transform module: Iceberg's field ids of the merged table."""

import re
from collections.abc import Iterator, Mapping
from typing import Optional

from streaming_etl.components.settings.validation import Problem
from streaming_etl.components.table.declared_columns import Entries, module_problem

FieldIds = Mapping[str, int]
"""Field ids by path, such as `total`, `lines.element.sku`, `labels.value`."""

FIRST_COLUMN_ID = 100
# The field ids within column 100 are 100_001 to 100_999.
NESTED_IDS = 1000
LAST_COLUMN_ID = FIRST_COLUMN_ID * NESTED_IDS - 1

FIELD_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")


def field_id_problems(
    module: str, entries: Optional[Entries], *, has_columns: bool
) -> Iterator[Problem]:
    """Problems of FIELD_IDS.

    Paths of removed columns and fields are valid: their ids stay reserved.
    module: path of the transform module. entries: None for another expression than a literal dict.
    """
    if not has_columns:
        yield module_problem(module, "field-ids-without-columns")
    if entries is None:
        yield module_problem(module, "field-ids-not-literal")
        return
    ids = {path: number for path, number in entries if isinstance(path, str)}
    paths: list[object] = []
    owners: dict[int, str] = {}
    for path, number in entries:
        if path in paths:
            yield module_problem(module, "field-id-path-twice", entry=path)
        paths.append(path)
        if not isinstance(path, str) or not FIELD_PATH.fullmatch(path):
            yield module_problem(module, "field-id-path", entry=path)
            continue
        limits = _limits(path, ids)
        if limits is None:
            yield module_problem(module, "field-id-without-column", entry=path)
        elif type(number) is not int or not limits[0] <= number <= limits[1]:
            details = {
                "entry": path,
                "least": limits[0],
                "most": limits[1],
                "got": repr(number),
            }
            yield module_problem(module, "field-id-number", **details)
        elif owners.setdefault(number, path) != path:
            details = {"id": number, "paths": (owners[number], path)}
            yield module_problem(module, "field-id-twice", **details)


def _limits(path: str, ids: Mapping[str, object]) -> Optional[tuple[int, int]]:
    """Limits of the id of a path; None without its column."""
    column, _, nested = path.partition(".")
    if not nested:
        return FIRST_COLUMN_ID, LAST_COLUMN_ID
    number = ids.get(column)
    if type(number) is not int:
        return None
    return number * NESTED_IDS + 1, number * NESTED_IDS + NESTED_IDS - 1
