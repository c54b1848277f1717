"""`rows_of`: what a test of a transform asks for."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Optional, Union

from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.ops.transform_test.sample_records import CHANGED_AT, stream_record

if TYPE_CHECKING:
    from streaming_etl.ops.transform_test.runner import Trial
    from streaming_etl.ops.transform_test.selection import Asked


class RefusedError(Exception):
    """The change would be set aside; the text is the reason, as the transform's log tells it."""


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
    key_names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """The rows that a change becomes in the lake, as Athena tells them; needs no AWS.

    transform: the path of a module, tried with the settings of the pipeline that uses it, or the
    name of a pipeline; both by the config of `stack`, by default dev's. A module that is in no
    config is tried with the defaults, as JSON.
    new, old: the item after and before the change, in plain values or in DynamoDB JSON.
    kind: by default INSERT with `new` alone, MODIFY with both, REMOVE with `old` alone.
    keys: by default the table's key attributes, `id` unless the settings tell otherwise.
    key_names: those of an existing table, which the settings do not tell; partition key first.
    metadata: with `_op`, `_key` and the four other columns that every row carries.

    The change takes the way that it takes in AWS: `old_image` decides whether `change.old` is
    there, and a change that the transform leaves out, or that `event_names` does, has no rows.
    Row keys stand in a row as Athena shows them, as text.
    Raises RefusedError for a change that would be set aside, caused by what the transform raised;
    ValueError for what is no change; CommandError for a module or settings that would not deploy.
    """
    from streaming_etl.handlers.wire.change_line import change_line
    from streaming_etl.ops.transform_test.row_parser import typed_row

    asked = _asked(str(transform), stack, (*key_names,), Path.cwd())
    trial = _trial(asked, _state(asked.file))
    record = stream_record(
        1,
        asked.key_names,
        new=new,
        old=old,
        kind=kind,
        keys=keys,
        changed_at=changed_at,
        is_ttl_delete=is_ttl_delete,
    )
    tried = trial.run(change_line(record, trial.args.forwarder.old_image))
    if tried.reason is not None:
        raise RefusedError(tried.reason) from tried.error
    dynamic_partition_keys = {
        key: tried.partition.get(key) for key in trial.args.partitions.dynamic_partition_keys
    }
    left_out = () if metadata else METADATA_COLUMNS
    rows = [typed_row(trial.table, line) | dynamic_partition_keys for line in tried.lines]
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]


@cache
def _asked(transform: str, stack: Optional[str], key_names: tuple[str, ...], _: Path) -> "Asked":
    """What is asked for from this directory, by which paths are told."""
    # Not above: it loads Pulumi, for which `--help` need not wait.
    from streaming_etl.ops.transform_test.selection import asked_for

    return asked_for(transform, stack, None, key_names)


@cache
def _trial(asked: "Asked", _: Optional[tuple[int, int]]) -> "Trial":
    """The module loaded once in each state of its file."""
    from streaming_etl.ops.transform_test.runner import Trial

    return Trial(asked)


def _state(file: Path) -> Optional[tuple[int, int]]:
    """What tells a changed file."""
    if not file.is_file():
        return None
    found = file.stat()
    return found.st_mtime_ns, found.st_size
