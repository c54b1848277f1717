"""Replays of mutated failure objects next to valid ones.

FUZZ_OBJECTS=6000 mutates more objects than the suite does.
"""

import copy
import gzip
import json
import os
import random
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.rows.metadata import metadata_of
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.ops.firehose_writer import FirehoseWriter
from streaming_etl.ops.replay import report as report_module
from streaming_etl.ops.replay.entries import REASONS, EventFilter
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from streaming_etl.ops.replay.objects import FailureObjects
from streaming_etl.ops.replay.ownership import PipelineIdentity
from streaming_etl.ops.replay.report import Report, render
from streaming_etl.ops.replay.run import Replay
from streaming_etl.stack.console import printable
from tests.support.changes import changes, line, stream_record
from tests.support.deployed import TABLE_ARN
from tests.support.failure_objects import BUCKET, ERRORS, FakeS3, batch, error_line
from tests.support.fake_aws import FakeFirehose, client_error
from tests.support.rows import row_encoder

OBJECTS = int(os.environ.get("FUZZ_OBJECTS", "300"))
OBJECTS_PER_RUN = 50

DEEP = "@deep@"
HUGE = "@huge@"
# A marker becomes JSON that Python cannot write.
MARKERS = {DEEP: "[" * 3000 + "]" * 3000, HUGE: "9" * 5000}
VALUES = (
    None,
    True,
    0,
    -1,
    2**70,
    float("inf"),
    float("nan"),
    1e300,
    "",
    "x",
    "\x1b[2J\u202e\ud800",
    [],
    [[]],
    {},
    {"S": 1},
    {"x": {"y": [1]}},
    {"N": "1E999"},
    {"other": {"S": "key"}},
    "\xb2",
    DEEP,
    HUGE,
)


def rows(kind: str) -> bytes:
    parts = [part for number in (7, 8) for part in RecordReader().read(line(number))]
    encode = row_encoder(kind, {"id": "string"}).encode
    return b"".join(
        encode(metadata_of(record), {"id": "x"}).data for part in parts for record in part.records()
    )


def seeds() -> list[bytes]:
    """Valid objects of every form."""
    removed = stream_record(2, "REMOVE")
    large = change_line(stream_record(3, text={"S": "x" * MAX_RECORD_BYTES}))
    types = {"n": {"N": "1.5"}, "m": {"M": {"l": {"L": [{"BOOL": True}, {"NULL": True}]}}}}
    return [
        batch(stream_record(1, **types), removed),
        batch(stream_record(1, **types), removed, text=False),
        error_line(line(1, **types) + line(2)) + error_line(line(3)),
        error_line(large),
        error_line(rows("json")),
        error_line(rows("csv")),
    ]


def places(value: Any) -> Iterator[list[Any]]:
    """Yield the path of every value in a document, its own included."""
    yield []
    children = value.items() if isinstance(value, dict) else ()
    for key, child in enumerate(value) if isinstance(value, list) else children:
        for place in places(child):
            yield [key, *place]


def with_value(document: Any, place: list[Any], value: Any) -> Any:
    if not place:
        return value
    document = copy.deepcopy(document)
    parent = document
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return document


def dumps(document: Any) -> str:
    text = json.dumps(document)
    for marker, content in MARKERS.items():
        text = text.replace(f'"{marker}"', content)
    return text


def value_at(document: Any, place: list[Any]) -> Any:
    for key in place:
        document = document[key]
    return document


def with_other_types(document: Any, choose: random.Random) -> str:
    """Replace a value of the document, or of JSON text in it."""
    texts = [place for place in places(document) if is_json_object(value_at(document, place))]
    if texts and choose.random() < 0.5:
        place = choose.choice(texts)
        inner = with_other_types(json.loads(value_at(document, place)), choose)
        return dumps(with_value(document, place, inner))
    place = choose.choice([*places(document)])
    return dumps(with_value(document, place, choose.choice(VALUES)))


def is_json_object(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("{")


def with_a_key_twice(text: str, choose: random.Random) -> str:
    begins = [index for index, each in enumerate(text) if each == "{"]
    if not begins:
        return text
    at = choose.choice(begins) + 1
    names = ["payload", "Records", "rawData", "Keys", "S", "dynamodb", "eventID", "_key"]
    return f'{text[:at]}"{choose.choice(names)}": {dumps(choose.choice(VALUES))}, {text[at:]}'


def with_other_bytes(body: bytes, choose: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(choose.randint(1, 8)):
        changed[choose.randrange(len(changed))] = choose.randrange(256)
    return bytes(changed)


def changed_text(body: bytes, choose: random.Random) -> bytes:
    """Change one line, as JSON or as bytes."""
    lines = body.splitlines(keepends=True)
    index = choose.randrange(len(lines))
    text, kind = lines[index], choose.randrange(5)
    try:
        document = json.loads(text)
    except ValueError:
        kind = 4
    if kind <= 1:
        text = with_other_types(document, choose).encode() + b"\n"
    elif kind == 2:
        text = with_a_key_twice(text.decode(), choose).encode()
    elif kind == 3:
        text = text[: choose.randrange(len(text))]
    else:
        text = with_other_bytes(text, choose)
    return b"".join([*lines[:index], text, *lines[index + 1 :]])


def changed_content(body: bytes, choose: random.Random) -> bytes:
    """Change the payload, or the data of an error record."""
    first, *others = body.splitlines(keepends=True)
    document = json.loads(first)
    if "rawData" in document:
        data = changed_text(b64decode(document["rawData"]), choose)
        document["rawData"] = b64encode(data).decode()
    elif isinstance(document["payload"], str):
        payload = changed_text(document["payload"].encode(), choose)
        document["payload"] = payload.decode(errors="replace")
    return b"".join([json.dumps(document).encode(), b"\n", *others])


def mutant(seed: bytes, choose: random.Random) -> bytes:
    body = choose.choice([changed_text, changed_content, changed_content])(seed, choose)
    if choose.random() < 0.2:
        body = gzip.compress(body)
        if choose.random() < 0.5:
            kinds = [with_other_bytes(body, choose), body[: choose.randrange(2, len(body))]]
            body = choose.choice(kinds)
    return body


class Table:
    """Accepts only calls that DynamoDB accepts; its stream is empty."""

    def __call__(self, _: str) -> "Table":
        return self

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": []}}

    def batch_get_item(self, **request: Any) -> dict[str, Any]:
        [(table, get)] = request["RequestItems"].items()
        keys = [json.dumps(key) for key in get["Keys"]]
        if len(keys) > 100 or len(set(keys)) < len(keys):
            raise client_error("ValidationException")
        for key in get["Keys"]:
            if [*key] != ["id"] or [*key["id"]] != ["S"] or not key["id"]["S"]:
                raise client_error("ValidationException")
        return {"Responses": {table: [{**key, "total": {"N": "1"}} for key in get["Keys"]]}}


def replay(s3: FakeS3, firehose: FakeFirehose | None) -> Report:
    writer = None
    if firehose:
        writer = FirehoseWriter(
            firehose, "stream", max_changes=500, max_bytes=1_000_000, kib_per_second=1e9
        )
    report = Report("orders", firehose is None, most_listed=float("inf"), show_keys=True)
    objects = FailureObjects(s3, BUCKET)
    Replay(
        objects,
        ChangeRecovery(Table(), "stream", "orders", "on_remove"),
        PipelineIdentity(TABLE_ARN, "orders-delivery-stream-0a1b2c3"),
        EventFilter(("INSERT", "MODIFY", "REMOVE"), "on_remove"),
        (),
        writer,
        report,
    ).run(objects.below(f"s3://{BUCKET}/{ERRORS}", None, None), lambda _: None)
    return report


@pytest.mark.parametrize("run", range(-(-OBJECTS // OBJECTS_PER_RUN)))
def test_mutated_objects_do_not_stop_valid_ones(
    run: int, capsys: pytest.CaptureFixture[str]
) -> None:
    choose, originals = random.Random(run), seeds()
    s3 = FakeS3()
    for number in range(OBJECTS_PER_RUN):
        seed = originals[number % len(originals)]
        s3.add(f"{ERRORS}{number:03}", mutant(seed, choose))
    mutants = dict(s3.contents)
    valid = {
        s3.add(f"{ERRORS}{place}-valid", error_line(line(number))): line(number)
        for number, place in enumerate(("000", "025", "999"), start=1000)
    }

    dry_run = replay(s3, None)
    firehose = FakeFirehose()
    report = replay(s3, firehose)
    with patch.multiple(report_module, SHOWN_PROBLEMS=OBJECTS_PER_RUN, SHOWN_CHANGES=1000):
        render(report)
    json.dumps(report.as_json(), allow_nan=False)

    sent = b"".join(record for call in firehose.calls for record in call)
    for key, change in valid.items():
        assert change in sent
        assert key not in s3.contents
    # The transform can read every change that is sent.
    for decoded in changes(RecordReader(lazy=False), sent):
        assert decoded.keys
        assert decoded.changed_at
        assert int(decoded.sequence_number) > 0
    codes = {each.problem.code for each in report.problems}
    assert codes <= REASONS.keys() - {"unexpected", "object-not-readable", "object-changed"}
    # Each object is replayed, or it stays and is reported; none is changed.
    reported = {each.key for each in report.problems} | {*report.skipped}
    for key, body in mutants.items():
        replayed = s3.contents.get(f"replayed/{key}")
        assert (replayed, s3.contents.get(key)) in [(body, None), (None, body)]
        assert (replayed is None) == (key in reported)
    assert (dry_run.changes, dry_run.problems) == (report.changes, report.problems)
    printed = capsys.readouterr().out
    assert printable(printed, keep="\n") == printed
