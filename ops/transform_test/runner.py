"""Runs changes through a transform module with the handler's code."""

import io
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC
from functools import partial
from gzip import decompress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional
from zoneinfo import ZoneInfo

from streaming_etl.components.packaging.dependencies import Target, ensure_dependencies
from streaming_etl.components.settings.validation import SettingsError
from streaming_etl.components.table.lake_table import LakeTable, plan_lake_table
from streaming_etl.components.table.layout import lake_table_name
from streaming_etl.components.table.transform_code import TransformCode, import_problems
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.components.transform_guard import require_code
from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.transform import make_runtime, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.routing import Where, routed
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.ops.transform_test.interrupt import interruptible
from streaming_etl.ops.transform_test.module_loader import LoadedModule
from streaming_etl.ops.transform_test.selection import TransformSelection
from streaming_etl.ops.transform_test.variables import transform_variables
from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.lake_table import LakeTableArgs
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

EXPRESSION = re.compile(r"!\{(partitionKeyFromLambda|timestamp):([^}]+)\}")


@dataclass(frozen=True, kw_only=True)
class TransformResult:
    """The rows of one change, or the reason why it failed."""

    kind: str
    keys: Mapping[str, Any]
    filtered: bool = False
    """The pipeline's `event_names` do not include its kind."""
    unmatched: bool = False
    """The lake table's `where` matches neither of its images."""
    lines: tuple[str, ...] = ()
    """Its rows as they are in the lake."""
    partition: Mapping[str, str] = field(default_factory=dict)
    """Partition keys that the transform returns to Firehose."""
    reason: Optional[str] = None
    """Why it failed, as the handler logs it."""
    unknown_columns: tuple[str, ...] = ()
    """Names in its rows that are not in COLUMNS. The handler does not log names."""
    error: Optional[BaseException] = None
    """What `transform` raised."""

    @property
    def message(self) -> str:
        """The reason, with the names that only a local run shows."""
        names = ", ".join(self.unknown_columns)
        return f"{self.reason} Not in COLUMNS: {names}." if names else f"{self.reason}"


class TransformRunner:
    """Runs changes through one module, which is loaded once."""

    def __init__(self, selection: TransformSelection) -> None:
        """Load the module; raises CommandError where a deployment fails.

        Also for a missing value of an environment variable, as `run` does.
        """
        self.file, self.args = selection.file, selection.args
        self.lake_table = selection.lake_table_args
        self._where = Where(self.lake_table.where) if self.lake_table.where else None
        try:
            module = read_transform_module(str(self.file))
            name = lake_table_name(self.args, selection.lake_table)
            self.table = plan_lake_table(name, self.lake_table, module)
            if module.code is not None:
                _require_code(self.args, self.lake_table, module.code)
        except SettingsError as error:
            raise CommandError(
                f"`pulumi preview` rejects the module or its settings: {error}",
                code="invalid-settings",
                source=str(self.file),
                problems=error.problems,
            ) from None
        self._watched = {*module.read, *(module.code.files.values() if module.code else ())}
        self._state = self._file_states()
        with transform_variables(self.lake_table.transform):
            self._loaded = None if module.code is None else LoadedModule(module.code)
        # Through JSON, as in the archive.
        config = json.loads(json.dumps(self.table.transform_config))
        zone = self.table.transform_time_zone
        time_zone = ZoneInfo(zone) if zone else UTC
        if self._loaded is None:
            self._runtime = make_runtime(config, None, time_zone)
        else:
            runtime = make_runtime(config, self._loaded.module, time_zone, self._loaded.files)
            self._runtime = replace(runtime, transform=partial(self._observed, runtime.transform))
        self._error: Optional[BaseException] = None
        self._returned: Any = None

    @property
    def is_current(self) -> bool:
        """Whether the module's files are as they were when it was loaded."""
        return self._state == self._file_states()

    def _file_states(self) -> dict[Path, Optional[tuple[int, int]]]:
        states: dict[Path, Optional[tuple[int, int]]] = {}
        for file in self._watched:
            status = file.stat() if file.is_file() else None
            states[file] = status and (status.st_mtime_ns, status.st_size)
        return states

    def traceback(self, result: TransformResult) -> str:
        """Format what the user's code raised; empty for an invalid row."""
        if result.error is None or self._loaded is None:
            return ""
        return self._loaded.traceback(result.error)

    @property
    def old_image(self) -> str:
        """The `old_image` with which samples must be encoded."""
        # The forwarder evaluates `where` before it removes the old image.
        return self.args.forwarder.old_image if self._where is None else "always"

    def run(self, line: bytes) -> TransformResult:
        """Run one change: a line of the table's stream, with `old_image`."""
        result = self._result(line)
        if result.kind not in (*self.args.forwarder.event_names, SNAPSHOT):
            return replace(result, filtered=True)
        if self._where is None:
            return self._run(result, line)
        try:
            sent = self._routed(line, self._where)
        except LookupError:
            reason = "the stream record must have NewImage, which `where` reads"
            return replace(result, reason=reason)
        if sent is None:
            return replace(result, unmatched=True)
        return self._run(self._result(sent), sent)

    def _result(self, line: bytes) -> TransformResult:
        """Return the change of a line, without rows."""
        # A separate reader: the runtime's reader notes which attributes `transform` requests.
        [chunk] = RecordReader(lazy=False).read(line.rstrip(b"\n"))
        [record] = chunk.records()
        change = chunk.change(record, 0)
        return TransformResult(kind=change.kind, keys=change.keys)

    def _routed(self, line: bytes, where: Where) -> Optional[bytes]:
        """Return the change as the forwarder sends it; None if unmatched."""
        record = json.loads(line)
        if "gzip" in record:
            record = json.loads(decompress(b64decode(record["gzip"])))
        # The line has the end of the ARN only.
        record["eventSourceARN"] = f"/{record.get('streamLabel', '')}"
        sent = routed(record, where)
        return None if sent is None else change_line(sent, self.args.forwarder.old_image)

    def _run(self, result: TransformResult, line: bytes) -> TransformResult:
        """Run the transform on a change, as the forwarder sends it."""
        self._error, self._returned, log = None, None, io.StringIO()
        firehose_record = {"recordId": "sample", "data": b64encode(line).decode()}
        importable = self._loaded.importable() if self._loaded else nullcontext()
        variables = transform_variables(self.lake_table.transform)
        with interruptible(), redirect_stdout(log), importable, variables:
            response = transform_records([firehose_record], self._runtime, _never_requeue)
        [output] = response["records"]
        if output["result"] == "ProcessingFailed":
            logged = json.loads(log.getvalue().splitlines()[0])
            unknown = self._unknown_columns()
            return replace(
                result, reason=logged["error"], error=self._error, unknown_columns=unknown
            )
        return replace(
            result,
            lines=tuple(b64decode(output.get("data", "")).decode().split("\n")[:-1]),
            partition=output.get("metadata", {}).get("partitionKeys", {}),
        )

    def _observed(self, transform: Callable[[Change], Any], change: Change) -> Any:
        """Call `transform`; keep its result or error, log no prints."""
        try:
            with redirect_stdout(sys.stderr):
                self._returned = transform(change)
                return self._returned
        except BaseException as error:
            self._error = error
            raise

    def _unknown_columns(self) -> tuple[str, ...]:
        """Return the names in the returned rows that are not in COLUMNS."""
        if self.table.columns is None:
            return ()
        returned = self._returned if isinstance(self._returned, list) else [self._returned]
        known = {column.name for column in self.table.columns}
        known.update(self.lake_table.partitions.dynamic_partition_keys)
        names = {name for row in returned if isinstance(row, dict) for name in row}
        return tuple(sorted(map(str, names - known)))


def _require_code(
    args: "StreamingEtlPipelineArgs", lake_table: "LakeTableArgs", code: TransformCode
) -> None:
    """Raise SettingsError for what the preview rejects in the module's files."""
    # Only modules that import third-party packages need the archive's.
    if any(import_problems(code)):
        target = Target.lambda_(args.runtime, args.architecture)
        packages = ensure_dependencies(target, lake_table.transform.requirements)
        require_code(code, packages.transform, lake_table.transform)


def partition_prefix(table: LakeTable, partition: Mapping[str, str]) -> str:
    """Return the prefix of rows, with a pattern as ingestion time."""
    path = EXPRESSION.sub(
        lambda match: partition[match[2]] if match[1] == "partitionKeyFromLambda" else match[2],
        table.prefix_expression,
    )
    return path[: path.rindex("/") + 1]


def _never_requeue(_: list[bytes]) -> list[int]:
    raise AssertionError("a record with one change is never requeued")
