"""Example items of any lake table."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from local.sample.item_json import DynamoItem, writes_of
from local.sample.lake import Lake
from local.sample.writes import Sample, samples
from streaming_etl.components.settings.validation import SettingsError
from streaming_etl.components.table.column_types import ColumnType
from streaming_etl.components.table.declared_columns import AttributeSource
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.ops.transform_test.command import SAMPLES
from streaming_etl.ops.transform_test.sample_records import attributes
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline
from streaming_etl.stack.program import program_environment

KEY_VALUES: Mapping[str, Any] = {"S": "1", "N": 1, "B": b"1"}
SCALARS: Mapping[str, Any] = {
    "string": "text",
    "boolean": True,
    "float": Decimal("1.5"),
    "double": Decimal("1.5"),
    "date": "2026-11-23",
    "timestamp": "2026-11-23T09:30:00",
}
"""Example values by column type; other types are whole numbers."""


def sample_of(pipeline: DeployedPipeline, types: Mapping[str, str]) -> Sample | None:
    """Return the example stack's sample if it fits the pipeline.

    types: of the key attributes.
    """
    sample = samples().get(pipeline.name)
    if sample is None or sample.tables.keys() != pipeline.tables.keys():
        return None
    return sample if sample.writes[0].key.keys() == types.keys() else None


def example_items(lake: Lake, types: Mapping[str, str], directory: Path) -> Iterator[DynamoItem]:
    """Yield items that match the lake table; at least one.

    types: of the key attributes. directory: of the program.
    """
    if sample := sample_of(lake.pipeline, types):
        items = [attributes(write.item) for write in sample.writes if write.item]
    else:
        items = changed_items(directory / lake.transform_module, [*types])
    found = False
    for item in items:
        has_key = all(item.get(name, {}).keys() == {type_} for name, type_ in types.items())
        if has_key and lake.where.matches(item):
            found = True
            yield item
    if not found:
        yield generated_item(lake, types, directory)


def changed_items(module: Path, key_names: Sequence[str]) -> list[DynamoItem]:
    """Return the new items in a module's file of sample changes."""
    file = module.with_suffix(SAMPLES)
    if not file.is_file():
        return []
    try:
        writes = writes_of(file.read_bytes(), str(file), key_names)
    except CommandError:
        # Samples of another table, for example without its key.
        return []
    return [write.item for write in writes if write.item]


def generated_item(lake: Lake, types: Mapping[str, str], directory: Path) -> DynamoItem:
    """Return an item with key, conditions and columns of a lake table."""
    item: dict[str, Any] = {}
    with program_environment(directory):
        try:
            module = read_transform_module(lake.transform_module)
        except SettingsError:
            # A module that was edited after the deployment.
            module = None
        read = attributes_read(module.read) if module and module.code else {}
    columns = {column.name: column.type for column in (module and module.columns) or ()}
    sources = (module and module.sources) or {}
    # A function computes columns from other attributes.
    for name in read or columns:
        source = sources.get(name, AttributeSource((name,)))
        value = example_value(columns[name]) if name in columns else read[name]
        put_value(item, source.path, 1795426200 if source.unit else value)
    keys = {name: KEY_VALUES[type_] for name, type_ in types.items()}
    return attributes({**keys, **item, **keys, **example_attributes(lake.rules)})


def attributes_read(files: Sequence[Path]) -> dict[str, Any]:
    """Return example values of the attributes that a module reads.

    files: valid Python. Names that are not constants are unknown.
    """
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_bytes()))]
    values: dict[str, Any] = {name: "text" for node in nodes for name in name_read(node)}
    for node in nodes:
        match node:
            case ast.BinOp(left=left, right=right) if not is_text(left) and not is_text(right):
                numbers = [left, right]
            case ast.Call(func=ast.Name(id="Decimal" | "float" | "int" | "round"), args=numbers):
                pass
            case ast.Call(func=ast.Attribute(attr="fromisoformat"), args=[time]):
                values |= dict.fromkeys(name_read(time), SCALARS["timestamp"])
                continue
            case ast.For(iter=items) | ast.comprehension(iter=items):
                values |= {name: [] for name in name_read(items)}
                continue
            case _:
                continue
        values |= {name: 1 for number in numbers for name in name_read(number)}
    return values


def name_read(node: ast.AST) -> list[str]:
    """Return the name in `item["name"]` or `item.get("name")`, if any."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str() as name), ctx=ast.Load()):
            return [name]
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str() as name), *_]):
            return [name]
    return []


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def put_value(container: Any, path: Sequence[str | int], value: Any) -> None:
    """Set the value at a path, in new maps and lists."""
    for step, following in zip(path, [*path[1:], None], strict=True):
        below = value if following is None else {} if isinstance(following, str) else []
        if isinstance(step, int):
            container += [below] * (step + 1 - len(container))
        elif following is None or not isinstance(container.get(step), type(below)):
            container[step] = below
        container = container[step]


def example_value(type_: ColumnType) -> Any:
    """Return a value of a column's type."""
    match type_:
        case str():
            return SCALARS.get(type_, 1)
        case {"array": inner}:
            return [example_value(inner)]
        case {"map": [_, inner]}:
            return {"key": example_value(inner)}
        case {"struct": fields}:
            return {name: example_value(inner) for name, inner in fields}
    return 1


def example_attributes(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes that match a `where`."""
    values = {
        name: with_prefix(rule["prefix"]) if isinstance(rule, Mapping) else rule[0]
        for name, rule in rules.items()
    }
    return {
        name: Decimal(str(value)) if isinstance(value, float) else value
        for name, value in values.items()
    }


def with_prefix(prefix: str) -> str:
    """Return a text with this prefix: `PROFILE` of `PROFILE`, `ORDER#1` of `ORDER#`."""
    return prefix if prefix[-1].isalnum() else f"{prefix}1"
