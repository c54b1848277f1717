"""Hypothesis strategies of usual and unusual changes, and of broken lines."""

import json
from base64 import b64encode
from gzip import compress
from typing import Any

from hypothesis import strategies as st

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from tests.support.changes import STREAM_ARN, stream_record

Attribute = dict[str, Any]

NUMBERS = (
    *("0", "7", "-7", "12.5", "-12.5", "0.12", "-0.5", "99999999.99", "100000000", "12.345", "127"),
    *("128", "-128", "-129", "32767", "32768", "2147483647", "2147483648", "9223372036854775807"),
    *("9223372036854775808", "999999", "1234567.5", "0.1234567", "123456789012345.6", "1E+5"),
    *("1e3", "1E-7", "1.5E+1", "3.5E+38", "1E+125", "1E+126", "1795426200", "1795426200000"),
    *("253402300800", "0.0000001", "16777217", "1" * 38, "1" * 39, f"0.{'1' * 38}"),
    # Numbers that DynamoDB writes in another form or not at all.
    *("-0", "007", "00", "1.50", "2.0", ".5", "5.", "-.5", "0.", "", "-", ".", " 1", "1 ", "+1"),
    *("1_000", "NaN", "Infinity", "a", "1,5", "1.2.3", "\u0661\u0662", "1.\u0662", "\u00b2"),
)
TIMES = (
    *("2026-11-23T09:30:00Z", "2026-11-23T09:30:00", "2026-11-23 09:30:00", "2026-11-23 09:30:00Z"),
    *("2026-11-23T09:30:00+09:00", "2026-11-23T09:30:00.5Z", "2026-11-23T09:30:00.123456"),
    *("2026-11-23", "2026-11-23T09:30", "2026-11-23T09:30Z", "2026-11-23T24:00:00Z"),
    *("2026-11-23T24:00:00", "2026-11-23T09:24:00Z", "2026-11-24T24:24:24", "2026-02-29T00:00:00"),
    *("2024-02-29T23:59:59Z", "0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
    *("0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00", "2026-W48-1T09:30:00"),
    *("2026-W48-1", "20261123", "20261123T093000Z", "20261123T093000.123", "2026-11-23t09:30:00z"),
    *(
        "2026-11-23x09:30:00Z",
        "2026-11-23T09:30:00z",
        "2026-11-23T09:30:60Z",
        "2026-11-23T9:30:00Z",
    ),
    *("2026-11-23T09:30:00 ", "2026-11-23T09:30+09", "2026-11-23T09:30:00+", "2026-11-2\u0663"),
    *("2026-11-23T09:30:0\u0663Z", "2026-13-01T00:00:00", "2026-11-23T09-30-00Z", "T", "", "Z"),
)
TEXTS = (
    *("", "o-1", 'the "large" one', "a,b", "back\\slash", "\\", '"', '""', "line\nbreak", "\r\n"),
    *("\r", "\x01", "\x00", "\x1f", "\x7f", "\x80", "tab\t", "\b\f", "/", "\u2028\u2029", "\ufeff"),
    *("Gr\u00f6\u00dfe", "\u6771\u4eac", "\U0001f600", "\ufffd", "null", "true", "{}", "\\u0041"),
)


@st.composite
def _mostly(draw: st.DrawFn, usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
    """One odd value in ten; `one_of` would not repeat a strategy."""
    return draw(odd if draw(st.integers(0, 9)) == 5 else usual)


texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12), st.sampled_from(TIMES))
numbers = st.one_of(
    st.sampled_from(NUMBERS),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-(10**9), 10**9, places=2).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
_binary = st.one_of(st.binary(max_size=6).map(lambda it: b64encode(it).decode()), st.just("a"))

_scalars = st.one_of(
    st.builds(lambda it: {"S": it}, texts),
    st.builds(lambda it: {"N": it}, numbers),
    st.builds(lambda it: {"BOOL": it}, st.booleans()),
    st.just({"NULL": True}),
    st.builds(lambda it: {"B": it}, _binary),
    st.builds(lambda it: {"SS": it}, st.lists(texts, max_size=3)),
    st.builds(lambda it: {"NS": it}, st.lists(numbers, max_size=3)),
    st.builds(lambda it: {"BS": it}, st.lists(_binary, max_size=3)),
)
# Attributes that DynamoDB does not send.
_invalid = st.sampled_from(
    [
        *({}, None, "text", 1, [], {"S": None}, {"S": 1}, {"N": 1}, {"BOOL": "true"}, {"X": "a"}),
        *({"S": "a", "N": "1"}, {"N": "1", "S": None}, {"N": "1", "BOOL": True}, {"NULL": False}),
        *({"M": {"city": {}}}, {"L": [{"N": "a"}]}, {"M": {"city": {"S": "a"}, "x": {"B": "!"}}}),
    ]
)
_names = st.sampled_from(["city", "sku", "x"])
attributes: st.SearchStrategy[Any] = st.one_of(
    st.recursive(
        _scalars,
        lambda inner: st.one_of(
            st.builds(lambda it: {"L": it}, st.lists(inner, max_size=3)),
            st.builds(lambda it: {"M": it}, st.dictionaries(_names, inner, max_size=3)),
        ),
        max_leaves=4,
    ),
    st.builds(lambda it: {"M": {"city": it, "sku": it}}, _scalars),
    _scalars,
    _invalid,
)

_string_keys = st.one_of(
    st.builds(lambda it: {"id": {"S": it}}, st.sampled_from(["o-1", "o-2", "\u6771\u4eac"])),
    st.builds(lambda it: {"id": {"S": it}}, texts),
)
_keys = _mostly(
    _mostly(
        _string_keys,
        st.one_of(
            st.builds(lambda it: {"id": {"N": it}}, numbers),
            st.builds(lambda it: {"id": {"B": it}}, _binary),
            st.builds(lambda a, b: {"id": {"S": a}, "at": {"S": b}}, texts, texts),
            st.builds(lambda a, b: {"Id": {"S": a}, "id": {"S": b}}, texts, texts),
            st.builds(lambda a, b: {"at": {"N": a}, "id": {"S": b}}, numbers, texts),
        ),
    ),
    st.sampled_from(
        [
            *({'a"b': {"S": "o-1"}}, {"id": {"S": "a"}, "at": {"S": "b"}, "x": {"S": "c"}}),
            *({}, {"id": {"X": "a"}}, {"id": {}}, None, [], {"id": "o-1"}),
        ]
    ),
)

_USUAL: dict[str, st.SearchStrategy[Attribute]] = {
    "text": st.builds(lambda it: {"S": it}, texts),
    "number": st.builds(
        lambda it: {"N": it}, st.sampled_from(["0", "7", "-7", "42", "0.12", "12.5", "-12.5"])
    ),
    "whole": st.builds(lambda it: {"N": str(it)}, st.integers(-128, 127)),
    "epoch": st.builds(lambda it: {"N": str(it)}, st.integers(-62_135_596_800, 253_402_300_799)),
    "time": st.builds(
        lambda it, form: {"S": f"{it.isoformat(timespec='seconds')}{form}"},
        st.datetimes(),
        st.sampled_from(["", "Z"]),
    ),
    "date": st.builds(lambda it: {"S": it.isoformat()}, st.dates()),
    "bool": st.builds(lambda it: {"BOOL": it}, st.booleans()),
    "list": st.builds(lambda it: {"L": [{"S": text} for text in it]}, st.lists(texts, max_size=2)),
    "map": st.builds(
        lambda a, b: {"M": {"city": {"S": a}, "sku": {"N": b}}},
        texts,
        st.sampled_from(["1", "-2.0"]),
    ),
}


_ODD_NUMBER = st.builds(lambda it: {"N": it}, numbers)
_ODD_TEXT = st.builds(lambda it: {"S": it}, texts)
_ODD: dict[str, st.SearchStrategy[Attribute]] = {
    **dict.fromkeys(("number", "whole", "epoch"), _ODD_NUMBER),
    **dict.fromkeys(("time", "date"), _ODD_TEXT),
}


def _values(kind: str) -> st.SearchStrategy[Any]:
    """Attributes that are mostly of a kind, or of its type."""
    odd = st.one_of(st.just({"NULL": True}), attributes)
    return _mostly(_mostly(_USUAL[kind], _ODD.get(kind, odd)), odd)


@st.composite
def _records(draw: st.DrawFn, names: dict[str, str]) -> Any:
    """A stream record.

    names: the attributes that columns read, with a key of _USUAL for each.
    """
    number = draw(st.integers(1, 99))
    kind = draw(
        st.sampled_from(["INSERT", "MODIFY", "REMOVE", "SNAPSHOT"] * 10 + ["BACKFILL", "OTHER"])
    )
    keys = draw(_keys)
    optional = {name: _values(kind) for name, kind in names.items()} | {"unused": attributes}
    others = st.fixed_dictionaries({}, optional=optional)
    of_key = keys if isinstance(keys, dict) else {}
    image = {**draw(others), **of_key}
    if kind == "SNAPSHOT" and set(image) >= {"id"}:
        return snapshot_record(image, ["id"], 1_795_426_200_000, STREAM_ARN)
    if kind == "BACKFILL":
        return marker_record(1_795_426_200_000, STREAM_ARN)
    record = stream_record(number, kind)
    stream = record["dynamodb"]
    stream["Keys"] = keys
    del stream["NewImage"]
    if kind != "REMOVE" or draw(st.integers(0, 9)) == 0:
        stream["NewImage"] = image
    if kind in ("MODIFY", "REMOVE") and draw(st.booleans()):
        stream["OldImage"] = {**draw(others), **of_key}
    if draw(st.integers(0, 19)) == 7:
        field, value = draw(
            st.sampled_from(
                [
                    *(("SequenceNumber", '1"2'), ("SequenceNumber", 7), ("NewImage", None)),
                    *(("OldImage", None), ("NewImage", []), ("OldImage", {}), ("NewImage", {})),
                    *(("ApproximateCreationDateTime", it) for it in (1.5, 1e18, -1e11, "1", None)),
                ]
            )
        )
        stream[field] = value
    if draw(st.integers(0, 19)) == 7:
        field, value = draw(
            st.sampled_from(
                [
                    *(
                        ("eventID", 'a"b'),
                        ("eventID", "a\nb"),
                        ("eventID", None),
                        ("userIdentity", 5),
                    ),
                    ("userIdentity", {"type": "Service", "principalId": "dynamodb.amazonaws.com"}),
                ]
            )
        )
        record[field] = value
    return record


@st.composite
def _lines(draw: st.DrawFn, names: dict[str, str]) -> bytes:
    """A line, in one of the forms that JSON permits, or broken."""
    record = draw(_records(names))
    form = draw(st.integers(0, 15))
    if form < 12:
        try:
            return change_line(record, draw(st.sampled_from(["always", "on_remove", "never"])))
        except Exception:
            form = 12
    line = json.dumps(
        record,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": ")])),
    ).encode()
    match form:
        case 14:
            line = b'{"gzip":"' + b64encode(compress(line, mtime=0)) + b'"}'
        case 15:
            position = draw(st.integers(0, len(line)))
            broken = draw(st.sampled_from([b"", b"\xff", b"\\ud800", b"\x01", b"\n", b"}", b'"']))
            line = line[:position] + broken + line[position + draw(st.integers(0, 1)) :]
    return line + draw(st.sampled_from([b"\n"] * 20 + [b"\n\n", b"", b"\r\n", b" \n"]))


def contents(names: dict[str, str]) -> st.SearchStrategy[list[bytes]]:
    """The contents of an event's records, single-change and aggregated."""
    lines = _lines(names)
    return st.lists(st.one_of(lines, st.lists(lines, max_size=4).map(b"".join)), max_size=5)
