"""Stage 2: Firehose's records in, rows for the lake out, and back on the stream what must wait."""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from pybase64 import b64decode

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import Chunk, RecordReader
from streaming_etl.handlers.firehose.response import MAX_RESPONSE_BYTES, Outcome, Response
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.rows.text_forms import RowError
from streaming_etl.handlers.structured_log import count, log


class RequeueError(Exception):
    """Changes are not back on the stream, so Firehose has to retry the invocation."""


@dataclass(frozen=True, slots=True)
class TransformRuntime:
    """What a cold start loads."""

    transform: Callable[[Change], Any]
    module_file: str
    """Where `transform` stands, to name the line that failed."""
    encoder: RowEncoder
    reader: RecordReader = field(default_factory=RecordReader)


def transform_records(
    records: list[dict[str, Any]],
    pipeline: TransformRuntime,
    put_back: Callable[[list[bytes]], list[int]],
    max_bytes: int = MAX_RESPONSE_BYTES,
) -> dict[str, Any]:
    """Answer each record of Firehose once and in order, in at most `max_bytes` of JSON.

    `put_back` takes records for the stream and returns the indexes of those it could not put;
    RequeueError says that there were some.
    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
    """
    ids = [record["recordId"] for record in records]
    response = Response(ids, pipeline.encoder.partition_keys, max_bytes)
    changes = 0
    for record in records:
        parts, outcomes = _outcomes(record["data"], pipeline)
        response.answer(record["recordId"], parts, outcomes)
        changes += len(outcomes)
    _put_back(response, put_back)
    _log_refused(response)
    log(
        "INFO",
        "transformed",
        records=len(records),
        changes=changes,
        rows=response.rows,
        left_out=response.left_out,
        failed=len(response.refused),
        put_back=sum(map(len, response.put_back)),
    )
    return {"records": response.records}


def _outcomes(data: str, pipeline: TransformRuntime) -> tuple[list[Chunk], list[Outcome]]:
    """The record in parts, and what became of each of its lines."""
    try:
        parts = pipeline.reader.read(b64decode(data, validate=True))
    except ValueError:
        return [], ["the record's data is not base64"]
    transform, encode = pipeline.transform, pipeline.encoder.encode
    outcomes: list[Outcome] = []
    for part in parts:
        for index, record in enumerate(part.records()):
            change = None
            try:
                change = part.change(record, index)
                outcomes.append(encode(metadata_of(record), transform(change)))
            except Exception as error:
                outcomes.append(_reason(error, change, pipeline.module_file))
    return parts, outcomes


def _put_back(response: Response, put_back: Callable[[list[bytes]], list[int]]) -> None:
    # Joined without a last line break, so that no record outgrows the one it came from.
    records = [b"\n".join(lines) for lines in response.put_back]
    if records and (failed := put_back(records)):
        raise RequeueError(f"{len(failed)} of {len(records)} records are not back on the stream")


def _log_refused(response: Response) -> None:
    for parts, reason in response.refused:
        # None of it can be told when the record could not be read.
        records = [record for part in parts for record in part.records()]
        told = next((each for each in records if not isinstance(each, Exception)), None)
        log(
            "ERROR",
            "change failed",
            event_id=told and told.eventID,
            sequence_number=told and told.dynamodb.SequenceNumber,
            error=reason,
        )


def _reason(error: Exception, change: Change | None, module_file: str) -> str:
    """The error as it may be logged: our own text, or else the type and the user's line.

    The text of any other error may quote the change.
    """
    if isinstance(error, RowError):
        return str(error)
    kind = type(error).__name__
    if change is None:
        return f"{kind} while reading the line: it is no change"
    trace = walk_tb(error.__traceback__)
    lines = [line for frame, line in trace if frame.f_code.co_filename == module_file]
    return f"{kind} at {Path(module_file).name}:{lines[-1]}" if lines else f"{kind} in its rows"


@cache
def load_runtime() -> TransformRuntime:
    """What this archive holds: transform.json and the user's module, read once per container."""
    root = Path(__file__).parents[2]
    settings = json.loads((root / "transform.json").read_bytes())
    module = importlib.import_module("transform_module")
    return make_runtime(settings, module, _zone(root, settings))


def make_runtime(settings: dict[str, Any], module: ModuleType, zone: tzinfo) -> TransformRuntime:
    """The pipeline that `settings`, as transform.json has them, and the user's module make."""
    reader = RecordReader(lazy=settings["lazy_items"])
    return TransformRuntime(
        module.transform, str(module.__file__), RowEncoder(settings, zone), reader
    )


def _zone(root: Path, settings: dict[str, Any]) -> tzinfo:
    """The time keys' zone, from the archive: not every Lambda runtime has the zones."""
    name = settings["time_zone"]
    if not settings["time_keys"] or name == "UTC":
        return UTC
    with (root / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Firehose's entry: the archive's pipeline and its stream around `transform_records`."""

    def put_back(records: list[bytes]) -> list[int]:
        # boto3 takes longer to import than most invocations to run, and few put anything back.
        from streaming_etl.handlers.firehose.put_records import deadline_of, firehose, put_records

        stream = event["deliveryStreamArn"].rpartition("/")[2]
        failed = put_records(firehose(), stream, records, deadline_of(context))
        back = [record for index, record in enumerate(records) if index not in failed]
        count(
            "put back",
            context.function_name,
            RecordsRequeued=len(back),
            ChangesRequeued=sum(record.count(b"\n") + 1 for record in back),
        )
        return failed

    return transform_records(event["records"], load_runtime(), put_back)
