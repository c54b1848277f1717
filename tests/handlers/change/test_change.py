"""Changes as `transform` receives them, from stream records and from change lines."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest

from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.wire.change_line import change_line
from tests.support.changes import changes, line, read_change, stream_record


class Values(NamedTuple):
    """Everything that a change has."""

    kind: str
    keys: dict[str, Any]
    new: dict[str, Any] | None
    old: dict[str, Any] | None
    changed_at: datetime
    sequence_number: str
    event_id: str
    is_ttl_delete: bool


def values(change):
    return Values(*(getattr(change, name) for name in Values._fields))


CHANGES = [
    Values(
        kind="INSERT",
        keys={"id": "o-1"},
        new={
            "id": "o-1",
            "user_id": "u-7",
            "store_id": "s-3",
            "created": "2026-11-23T09:30:00Z",
            "updated_at": "2026-11-23T09:30:00Z",
        },
        old=None,
        changed_at=datetime(2026, 11, 23, 9, 30, 0, tzinfo=UTC),
        sequence_number="4421584500000000017450439091",
        event_id="c4ca4238a0b923820dcc509a6f75849b",
        is_ttl_delete=False,
    ),
    Values(
        kind="MODIFY",
        keys={"tenant": b"\x00\x01\xff", "number": Decimal("-12.5")},
        new={
            "tenant": b"\x00\x01\xff",
            "number": Decimal("-12.5"),
            "exact": Decimal("0.12345678901234567890123456789012345678"),
            "whole": 12345678901234567890123456789012345678,
            "largest": 10**20,
            "paid": True,
            "note": None,
            "empty": "",
            "tags": {"gift", "急ぎ"},
            "sizes": {1, Decimal("2.5")},
            "hashes": {b"\x01", b"\x02"},
            "lines": [{"sku": "a\nb", "quantity": 2}, [None, False, b""]],
        },
        old={"tenant": b"\x00\x01\xff", "number": Decimal("-12.5"), "lines": [], "extra": {}},
        changed_at=datetime(2026, 11, 23, 9, 30, 1, tzinfo=UTC),
        sequence_number="4421584500000000017450439092",
        event_id="c81e728d9d4c2f636f067f89cc14862c",
        is_ttl_delete=False,
    ),
    Values(
        kind="REMOVE",
        keys={"id": "o-1"},
        new=None,
        old={"id": "o-1", "store_id": "s-3"},
        changed_at=datetime(2026, 11, 23, 9, 30, 2, tzinfo=UTC),
        sequence_number="4421584600000000017450439093",
        event_id="eccbc87e4b5ce2fe28308fd9f2a7baf3",
        is_ttl_delete=False,
    ),
    Values(
        kind="REMOVE",
        keys={"id": "o-2"},
        new=None,
        old={"id": "o-2", "expires": 1795400000},
        changed_at=datetime(2026, 11, 23, 9, 30, 3, tzinfo=UTC),
        sequence_number="4421584700000000017450439094",
        event_id="a87ff679a2f3e71d9181a67b7542122c",
        is_ttl_delete=True,
    ),
]


def test_every_event_type_reads_as_plain_values(stream_batch):
    assert [values(read_change(change_line(record))) for record in stream_batch] == CHANGES


def test_an_untrimmed_stream_record_reads_the_same(stream_batch):
    assert [values(read_change(json.dumps(record).encode())) for record in stream_batch] == CHANGES


def test_a_deletion_by_a_user_is_not_a_ttl_delete():
    removal = stream_record(1, "REMOVE") | {
        "userIdentity": {"type": "Service", "principalId": "someone.amazonaws.com"}
    }
    assert read_change(change_line(removal)).is_ttl_delete is False


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"gzip":"no base64 of a gzip"}',
        b'{"gzip":5}',
        b"[" * 100_000,
        b'{"eventID":"e","eventName":"INSERT","dynamodb":{}}',
        line(1, text={"X": "x"}),
    ],
)
def test_rejects_a_line_that_is_not_a_change(garbage):
    with pytest.raises((ValueError, msgspec.DecodeError, OSError, RecursionError)):
        values(read_change(garbage))


def test_the_repr_of_a_change_has_no_content():
    [change] = changes(RecordReader(), line(1, secret={"S": "s3cret"}))
    assert repr(change) == "Change(kind='INSERT', event_id='event-1')"


@pytest.mark.parametrize("name", ["keys", "new", "old"])
@pytest.mark.parametrize("lazy", [True, False])
def test_a_later_access_has_what_transform_changed(stream_batch, name, lazy):
    [change] = changes(RecordReader(lazy=lazy), change_line(stream_batch[1]))
    getattr(change, name)["added"] = 1
    assert getattr(change, name)["added"] == 1
