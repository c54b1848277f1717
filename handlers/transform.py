"""Transform function: Firehose records in, rows of the lake out, changes requeued."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cache, partial
from itertools import cycle, repeat
from math import inf
from pathlib import Path
from time import monotonic, time
from traceback import walk_tb
from types import MappingProxyType, ModuleType
from typing import Any, Optional
from zoneinfo import ZoneInfo

from pybase64 import b64decode

from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.change.decode import Chunk, RecordReader, lines_of
from streaming_etl.handlers.change_lag import ChangeLag
from streaming_etl.handlers.firehose.deadline import TRANSFORM_MARGIN_SECONDS, deadline_of
from streaming_etl.handlers.firehose.direct_records import DirectRecord, DirectRecords, batches
from streaming_etl.handlers.firehose.response import MAX_RESPONSE_BYTES, Outcome, Response
from streaming_etl.handlers.rows.attribute_row import attribute_row
from streaming_etl.handlers.rows.direct_lines import DirectLines
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.secret_variables import set_secret_variables
from streaming_etl.handlers.structured_log import count, log, measure, set_logging_level
from streaming_etl.handlers.user_code import UserCode
from streaming_etl.handlers.wire.snapshot import MARKER


class RequeueError(Exception):
    """Changes cannot be requeued, so Firehose must retry the invocation."""


@dataclass(frozen=True, slots=True)
class TransformRuntime:
    """State of a container, loaded at cold start."""

    transform: Callable[[Change], Any]
    files: Mapping[str, str]
    """Names in logs of the user's files, by their paths in tracebacks; empty without a module."""
    encoder: RowEncoder
    reader: RecordReader = field(default_factory=RecordReader)
    direct: Optional[DirectRecords] = None
    """The short way of a module without `transform`; None if the table needs the function path."""


def transform_records(
    records: list[dict[str, Any]],
    runtime: TransformRuntime,
    requeue: Callable[[list[bytes]], list[int]],
    max_bytes: int = MAX_RESPONSE_BYTES,
    *,
    deadline: float = inf,
    report_lag: Optional[Callable[[list[int]], None]] = None,
) -> dict[str, Any]:
    """Return one result per Firehose record, in order.

    max_bytes: the limit of the response as JSON.
    deadline: the last time, on `time.monotonic`, to begin a change. The changes after it are
    requeued. The first change is always transformed, so every invocation makes progress.
    requeue: sends records to Firehose and returns the indexes of those that it did not accept.
    report_lag: receives quantiles of the seconds since the changes, if there are any.
    Raises RequeueError if there are any, or if requeueing would not end.
    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html
    """
    ids = [record["recordId"] for record in records]
    response = Response(ids, runtime.encoder.partition_keys, max_bytes)
    changes = late = 0
    lag = ChangeLag(len(records))
    samples = [lag, *[None] * (lag.step - 1)]
    read = _with_direct_rows(records, runtime, deadline)
    for (record, direct), sample in zip(read, cycle(samples)):
        if direct:
            rows, lines = direct.rows, partial(_lines, runtime, direct)
            if response.add_rows(record["recordId"], rows, rows.line_count, lines):
                changes += rows.line_count
                if sample:
                    sample.add(direct.oldest, rows.line_count)
                continue
        chunks, outcomes, others = _outcomes(record["data"], runtime, deadline, changes, sample)
        response.add(record["recordId"], chunks, outcomes, others)
        changes += len(outcomes)
        late += len(others)
    if late:
        log("WARNING", "out of time", changes=changes, requeued=late)
    _requeue(response, requeue)
    _log_failed_changes(response)
    log(
        "INFO",
        "transformed",
        records=len(records),
        changes=changes,
        rows=response.rows,
        filtered=response.filtered,
        failed=len(response.failed),
        requeued=sum(map(len, response.requeued)),
    )
    if report_lag and (seconds := lag.seconds(time())):
        report_lag(seconds)
    return {"records": response.records}


def _with_direct_rows(
    records: list[dict[str, Any]], runtime: TransformRuntime, deadline: float
) -> Iterator[tuple[dict[str, Any], Optional[DirectRecord]]]:
    """Return each record, with its rows if they need no function."""
    if runtime.direct is None:
        yield from zip(records, repeat(None))
        return
    for batch in batches(records):
        if monotonic() < deadline:
            yield from zip(batch, runtime.direct.encode(batch), strict=True)
        else:
            yield from zip(batch, repeat(None))


def _lines(runtime: TransformRuntime, record: DirectRecord) -> list[bytes]:
    return lines_of(runtime.reader.read(record.content))


def _outcomes(
    data: str,
    runtime: TransformRuntime,
    deadline: float = inf,
    earlier: int = 0,
    lag: Optional[ChangeLag] = None,
) -> tuple[list[Chunk], list[Outcome], list[bytes]]:
    """Return a record's chunks, its outcomes, and the lines without one.

    deadline: the time after which only the first change of an invocation is transformed.
    earlier: the number of changes in the invocation's earlier records.
    lag: receives the changes with an outcome, by chunk; None if the record is not sampled.
    """
    try:
        content = b64decode(data, validate=True)
    except ValueError:
        return [], [RowError("base64")], []
    chunks = runtime.reader.read(content)
    transform, encode = runtime.transform, runtime.encoder.encode
    outcomes: list[Outcome] = []
    for number, chunk in enumerate(chunks, start=1):
        decoded = chunk.records()
        for index, record in enumerate(decoded):
            if monotonic() >= deadline and (outcomes or earlier):
                lines = [line for line in content.split(b"\n") if line.strip()]
                # The chunks after this one are not decoded, and have no lines.
                return chunks[:number], outcomes, lines[len(outcomes) :]
            change = None
            try:
                change = chunk.change(record, index)
                if change.kind == MARKER:
                    outcomes.append(runtime.encoder.encode_marker(metadata_of(record)))
                else:
                    outcomes.append(encode(metadata_of(record), transform(change)))
            except BaseException as error:
                # Also SystemExit: an exception of the module must not fail the other changes.
                outcomes.append(_reason(error, change, runtime.files))
        if lag and decoded:
            lag.add(decoded[0], len(decoded))
    return chunks, outcomes, []


def _requeue(response: Response, requeue: Callable[[list[bytes]], list[int]]) -> None:
    if not response.makes_progress:
        raise RequeueError(f"none of {len(response.records)} records has space in the response")
    # Without a last line break no record is longer than the one that its changes came from.
    records = [b"\n".join(lines) for lines in response.requeued]
    if records and (failed := requeue(records)):
        raise RequeueError(f"Firehose did not accept {len(failed)} of {len(records)} records")


def _log_failed_changes(response: Response) -> None:
    for chunks, error in response.failed:
        decoded = [record for chunk in chunks for record in chunk.records()]
        record = next((each for each in decoded if not isinstance(each, Exception)), None)
        log(
            "ERROR",
            "change failed",
            event_id=record and record.eventID,
            sequence_number=record and record.dynamodb.SequenceNumber,
            error=str(error),
        )


def _reason(error: BaseException, change: Change | None, files: Mapping[str, str]) -> RowError:
    """Return the error without its text, which may quote the change."""
    if isinstance(error, RowError):
        return error
    got = type(error).__name__
    if change is None:
        return RowError("change-format", got=got)
    trace = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    # The deepest line of the user's, which may have called a package.
    lines = [f"{files[file]}:{line}" for file, line in trace if file in files]
    if not lines:
        return RowError("exception-in-rows", got=got)
    return RowError("exception", got=got, location=lines[-1])


@cache
def load_runtime() -> TransformRuntime:
    """Load transform.json and the user's module from the archive, once per container."""
    root = Path(__file__).parents[2]
    config = json.loads((root / "transform.json").read_bytes())
    zone = _zone(root, config)
    if config["module"] is None:
        return make_runtime(config, None, zone)
    set_logging_level()
    set_secret_variables()
    code = UserCode(root / "transform_module", config["module"])
    return make_runtime(config, _import_module(code), zone, code.files())


def _import_module(code: UserCode) -> ModuleType:
    try:
        return code.load()
    except Exception:
        raise
    except BaseException as error:
        # SystemExit would end the process, and Lambda would not log where.
        raise ImportError(f"the transform module raises {type(error).__name__}") from error


def make_runtime(
    config: dict[str, Any],
    module: Optional[ModuleType],
    zone: tzinfo,
    files: Mapping[str, str] = MappingProxyType({}),
) -> TransformRuntime:
    """Build the runtime of a user's module.

    config: transform.json. module: None if it has no `transform`. files: names in logs of the
    user's files, by their paths in tracebacks.
    """
    encoder = RowEncoder(config, zone)
    if module is None:
        return _columns_only(config, encoder)
    reader = RecordReader(lazy=config["lazy_items"])
    return TransformRuntime(module.transform, files, encoder, reader)


def _columns_only(config: dict[str, Any], encoder: RowEncoder) -> TransformRuntime:
    """Build the runtime of a module without `transform`."""
    sources = config["sources"]
    names = [path[0] for path in sources.values()]
    reader = RecordReader(names, lazy=config["lazy_items"])
    direct = DirectRecords(config) if DirectLines.is_possible(config) else None
    return TransformRuntime(attribute_row(sources), {}, encoder, reader, direct)


def _zone(root: Path, config: dict[str, Any]) -> tzinfo:
    """Read the zone of the time keys; some Lambda runtimes have none."""
    name = config["time_zone"]
    if not config["time_keys"] or name == "UTC":
        return UTC
    with (root / "zoneinfo" / name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Transform the records of a Firehose event."""

    def requeue(records: list[bytes]) -> list[int]:
        # Importing boto3 takes longer than most invocations, and few of them requeue.
        from streaming_etl.handlers.firehose.put_records import firehose, put_records

        stream = event["deliveryStreamArn"].rpartition("/")[2]
        failed = put_records(firehose(), stream, records, deadline_of(context))
        accepted = [record for index, record in enumerate(records) if index not in failed]
        count(
            "requeued",
            context.function_name,
            RecordsRequeued=len(accepted),
            ChangesRequeued=sum(record.count(b"\n") + 1 for record in accepted),
        )
        return failed

    def report_lag(seconds: list[int]) -> None:
        measure("lag", context.function_name, ChangeLag=seconds)

    response = transform_records(
        event["records"],
        load_runtime(),
        requeue,
        deadline=deadline_of(context, TRANSFORM_MARGIN_SECONDS),
        report_lag=report_lag,
    )
    failed = [each for each in response["records"] if each["result"] == "ProcessingFailed"]
    if failed:
        # Firehose has no metric of these results.
        count("failed", context.function_name, ChangesFailed=len(failed))
    return response
