"""A module under a pipeline's settings: the deployment's reading of it, the handlers' rows."""

import io
import json
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any, Optional
from zoneinfo import ZoneInfo

from streaming_etl.components.settings.validation import SettingsError
from streaming_etl.components.table.lake_table import LakeTable, plan_lake_table
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.transform import make_runtime, transform_records
from streaming_etl.handlers.wire.snapshot import KIND as SNAPSHOT
from streaming_etl.ops.transform_test.module_loader import carried_by, in_place, load
from streaming_etl.ops.transform_test.selection import Asked
from streaming_etl.stack.errors import CommandError

EXPRESSION = re.compile(r"!\{(partitionKeyFromLambda|timestamp):([^}]+)\}")


# https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
ENDS_THE_CALL = (
    "ends the whole call in Lambda: Firehose makes it again, then sets all of its records aside;"
    " raise an Exception, which sets aside the change alone"
)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What became of one change."""

    kind: str
    keys: Mapping[str, Any]
    taken: bool = True
    """False where the pipeline's `event_names` leave its kind out."""
    lines: tuple[str, ...] = ()
    """Its rows, as they lie in the lake; none where the transform left it out."""
    partition: Mapping[str, str] = field(default_factory=dict)
    """The partition keys that the transform tells Firehose."""
    reason: Optional[str] = None
    """Why it was refused, as the log would tell."""
    error: Optional[BaseException] = None
    """What the transform raised."""


class Trial:
    """Runs changes through one module, which is loaded once, as a container does."""

    def __init__(self, asked: Asked) -> None:
        """Raises CommandError for what the deployment, or Lambda at its first call, would refuse."""
        self.file, self.args = asked.file, asked.args
        try:
            module = read_transform_module(str(self.file))
            self.table = plan_lake_table(self.args, module)
            carried = carried_by(self.args.transform.requirements)
        except SettingsError as error:
            raise CommandError(f"The deployment would be refused: {error}") from None
        self._module = load(self.file, carried)
        # Through JSON, as the archive brings them.
        settings = json.loads(json.dumps(self.table.transform_config))
        zone = self.table.transform_time_zone
        pipeline = make_runtime(settings, self._module, ZoneInfo(zone) if zone else UTC)
        self._transform = pipeline.transform
        self._pipeline = replace(pipeline, transform=self._watched)
        self._error: Optional[Exception] = None

    def run(self, line: bytes) -> Tried:
        """What the pipeline makes of a change, given as the forwarder sends it."""
        # By a reader of its own: the pipeline's learns from what the transform asks alone.
        [part] = RecordReader(lazy=False).read(line.rstrip(b"\n"))
        [record] = part.records()
        change = part.change(record, 0)
        tried = Tried(kind=change.kind, keys=change.keys)
        if change.kind not in (*self.args.forwarder.event_names, SNAPSHOT):
            return replace(tried, taken=False)
        self._error, log = None, io.StringIO()
        given = {"recordId": "sample", "data": b64encode(line).decode()}
        try:
            with redirect_stdout(log), in_place(self._module):
                [answer] = transform_records([given], self._pipeline, _put_back)["records"]
        except (Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            # Such as SystemExit: the handler catches no more than Exception.
            reason = f"{type(error).__name__} {ENDS_THE_CALL}"
            return replace(tried, reason=reason, error=error)
        if answer["result"] == "ProcessingFailed":
            refused = json.loads(log.getvalue().splitlines()[0])
            return replace(tried, reason=refused["error"], error=self._error)
        return replace(
            tried,
            lines=tuple(b64decode(answer.get("data", "")).decode().split("\n")[:-1]),
            partition=answer.get("metadata", {}).get("partitionKeys", {}),
        )

    def _watched(self, change: Change) -> Any:
        """The user's function: its error is kept, and what it prints stays out of the log."""
        try:
            with redirect_stdout(sys.stderr):
                return self._transform(change)
        except Exception as error:
            self._error = error
            raise


def folder(table: LakeTable, partition: Mapping[str, str]) -> str:
    """Where rows with these partition keys land; the time of arrival by its pattern."""
    path = EXPRESSION.sub(
        lambda found: partition[found[2]] if found[1] == "partitionKeyFromLambda" else found[2],
        table.folders,
    )
    return path[: path.rindex("/") + 1]


def _put_back(_: list[bytes]) -> list[int]:
    raise AssertionError("a record with one change is never put back")
