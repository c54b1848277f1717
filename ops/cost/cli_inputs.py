"""What an operator asks: traffic per table, and settings of a stack or of the command line."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import click
import yaml

from streaming_etl.ops.cost.number_format import read_amount
from streaming_etl.ops.cost.plan import Traffic
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import StackConfig, read_config, refused

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

ONE_PIPELINE = "pipeline"
"""The name of the only one, where no stack names any."""

MAX_CHANGES = 1e12
# An item has at most 400 KB; DynamoDB JSON tells a type with every value.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
MAX_IMAGE_BYTES = 1e6

Settings = dict[str, Any]


def overrides(named: Mapping[str, Any], free: Sequence[str]) -> Settings:
    """Settings as a stack's YAML spells them, nested, from `group.name` and its value.

    named: values of the command's own options, None where not given. free: `group.name=value`
    with a value in YAML.
    """
    found: Settings = {}
    for path, value in named.items():
        if value is not None:
            _put(found, path, value)
    for text in free:
        path, equals, value = text.partition("=")
        if not path or not equals:
            raise click.BadParameter(
                f"{text!r} is no setting: name=value is allowed, as README.md names them; write"
                " for example forwarder.batching_window_seconds=60.",
                param_hint="--set",
            )
        try:
            _put(found, path, yaml.safe_load(value))
        except yaml.YAMLError:
            raise click.BadParameter(
                f"{text!r} has a value that is no YAML: write it as the stack's config does.",
                param_hint="--set",
            ) from None
    return found


def _put(found: Settings, path: str, value: Any) -> None:
    *groups, name = path.split(".")
    for group in groups:
        inner = found.setdefault(group, {})
        if not isinstance(inner, dict):
            raise click.BadParameter(
                f"{path!r} lies in {group}, which is set to {inner!r} before: a group is no single"
                " value; leave one of the two out.",
                param_hint="--set",
            )
        found = inner
    found[name] = value


def stack_settings(
    directory: Path, stack: str, changed: Settings, only: Optional[str] = None
) -> tuple[StackConfig, "dict[str, StreamingEtlPipelineArgs]"]:
    """The stack's config and the settings of its pipelines, with `changed` put into each.

    only: the pipeline that `changed` is for, where it is not for all.
    """
    config = read_config(directory, stack)
    tables = config.given("tables")
    if isinstance(tables, dict):
        tables = {
            table: _merged(settings, changed) if only in (None, table) else settings
            for table, settings in tables.items()
        }
    # A date of YAML is a text here: the settings refuse it in their words.
    values = {**config.values, f"{config.project}:tables": json.dumps(tables, default=str)}
    config = dataclasses.replace(config, values=values)
    pipelines = config.pipelines
    if not pipelines:
        raise CommandError(f"Pulumi.{stack}.yaml has no tables: name at least one below `tables`.")
    return config, pipelines


def one_pipeline(changed: Settings) -> "dict[str, StreamingEtlPipelineArgs]":
    """The settings of a pipeline of which only `changed` is not the default."""
    # Not above: it loads Pulumi, for which `--help` need not wait.
    from streaming_etl.components.settings.stack_config import args_from_config
    from streaming_etl.components.settings.validation import SettingsError

    required = {"table_name": "table", "transform_module": "transform.py", "partitions": {}}
    try:
        given = args_from_config("settings", _merged(required, changed))
    except SettingsError as error:
        raise CommandError(refused("These settings are refused", error)) from None
    return {ONE_PIPELINE: given}


def _merged(given: Any, changed: Settings) -> Any:
    """`given` with what `changed` names replaced, group by group; what is no map stays as it is."""
    if not isinstance(given, Mapping):
        return given
    merged = dict(given)
    for name, value in changed.items():
        group = isinstance(value, dict) and isinstance(given.get(name, {}), Mapping)
        merged[name] = _merged(given.get(name, {}), value) if group else value
    return merged


def traffic_of(
    names: Sequence[str], changes: Sequence[str], image_bytes: Sequence[str]
) -> dict[str, Traffic]:
    """The traffic of each pipeline from `10M` for all and `orders=10M` for one."""
    by_name = _amounts("--changes", changes, names, 0, MAX_CHANGES)
    sizes = _amounts("--image-bytes", image_bytes, names, 1, MAX_IMAGE_BYTES)
    return {name: Traffic(changes=by_name[name], image_bytes=sizes[name]) for name in names}


def _amounts(
    option: str, given: Iterable[str], names: Sequence[str], low: float, high: float
) -> dict[str, float]:
    for_all, for_one = DEFAULTS[option], {}
    for text in given:
        name, equals, number = text.rpartition("=")
        amount = _amount(option, number, low, high)
        if not equals:
            for_all = amount
        elif name in names:
            for_one[name] = amount
        else:
            raise click.BadParameter(
                f"{text!r} names no pipeline: {', '.join(names)} is allowed here; name one of"
                " these, or give the number alone for all.",
                param_hint=option,
            )
    return {name: for_one.get(name, for_all) for name in names}


DEFAULTS = {"--changes": 10e6, "--image-bytes": 300.0}


def _amount(option: str, text: str, low: float, high: float) -> float:
    try:
        amount = read_amount(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
    if not low <= amount <= high:
        raise click.BadParameter(
            f"{text!r} is out of range: {low:,.0f} to {high:,.0f} is allowed; use a number within.",
            param_hint=option,
        )
    return amount
