"""`rows_of` and `TransformError`, for tests of a transform."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.ops.transform_test.sample_records import CHANGED_AT, stream_record

if TYPE_CHECKING:
    from streaming_etl.ops.transform_test.runner import TransformRunner
    from streaming_etl.ops.transform_test.selection import TransformSelection


class TransformError(Exception):
    """A change that the transform cannot handle.

    In AWS it would be dead-lettered. The cause is what `transform` raised.
    """

    reason: str
    """The reason as the transform function logs it, such as `KeyError at orders.py:8`."""
    unknown_columns: tuple[str, ...]
    """Names in the rows that are not in COLUMNS, which the transform function does not log."""

    def __init__(
        self, reason: str, unknown_columns: tuple[str, ...] = (), message: str = ""
    ) -> None:
        super().__init__(message or reason)
        self.reason, self.unknown_columns = reason, unknown_columns


def rows_of(
    transform: Union[str, Path],
    new: Optional[Mapping[str, Any]] = None,
    old: Optional[Mapping[str, Any]] = None,
    *,
    kind: Optional[Literal["INSERT", "MODIFY", "REMOVE", "SNAPSHOT"]] = None,
    keys: Optional[Mapping[str, Any]] = None,
    changed_at: datetime = CHANGED_AT,
    is_ttl_delete: bool = False,
    metadata: bool = False,
    stack: Optional[str] = None,
    settings: Optional[Mapping[str, Any]] = None,
    key_names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Return the rows of a change as Athena does, without AWS.

    transform: path of a module, which has the settings of the lake table that uses it, or name of
    a pipeline or, with several, of its lake table (`shop.orders`); of the config of `stack`, by
    default dev. A module that no lake table uses has the default settings and JSON rows.
    new, old: the item after and before the change, in plain values or in DynamoDB JSON.
    kind: by default INSERT with `new` alone, MODIFY with both, REMOVE with `old` alone.
    keys: by default the table's key attributes in the item; `id` unless the settings differ.
    settings: override those of the lake table, as in the config, such as
    `{"partitions": {"dynamic_partition_keys": {"store": []}}}`.
    key_names: key attributes of an existing table, which the settings do not name.
    metadata: include the metadata columns.

    Settings apply as in AWS: `old_image` determines whether `change.old` is present, a change that
    `event_names` filters or `where` does not match has no rows, and an item that begins or ceases
    to match `where` is an INSERT or a REMOVE. Dynamic partition keys are columns with text.
    Raises TransformError for a failed change, InvalidChangeError (a ValueError) for an invalid
    change, and CommandError for a module or settings that cannot be deployed.
    """
    from streaming_etl.handlers.wire.change_line import change_line
    from streaming_etl.ops.transform_test.row_parser import parse_row

    selection = _selection(
        str(transform), stack, json.dumps(settings or {}), (*key_names,), Path.cwd()
    )
    runner = _runner(selection)
    record = stream_record(
        1,
        selection.key_names,
        new=new,
        old=old,
        kind=kind,
        keys=keys,
        changed_at=changed_at,
        is_ttl_delete=is_ttl_delete,
    )
    result = runner.run(change_line(record, runner.old_image))
    if result.reason is not None:
        raise TransformError(
            result.reason, result.unknown_columns, result.message
        ) from result.error
    partition_keys = {
        key: result.partition.get(key)
        for key in runner.lake_table.partitions.dynamic_partition_keys
    }
    excluded = () if metadata else METADATA_COLUMNS
    rows = [parse_row(runner.table, line) | partition_keys for line in result.lines]
    return [{name: value for name, value in row.items() if name not in excluded} for row in rows]


@cache
def _selection(
    transform: str,
    stack: Optional[str],
    settings: str,
    key_names: tuple[str, ...],
    _directory: Path,
) -> "TransformSelection":
    # Imports Pulumi, which other users of this module do not need.
    from streaming_etl.ops.transform_test.selection import select_transform

    return select_transform(transform, stack, json.loads(settings), key_names)


_runners: dict["TransformSelection", "TransformRunner"] = {}


def _runner(selection: "TransformSelection") -> "TransformRunner":
    """Load the module once per version of its files."""
    from streaming_etl.ops.transform_test.runner import TransformRunner

    runner = _runners.get(selection)
    if runner is None or not runner.is_current:
        runner = _runners[selection] = TransformRunner(selection)
    return runner
