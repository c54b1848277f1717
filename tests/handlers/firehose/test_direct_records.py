"""The short way of a module without `transform` against the function path."""

import base64
import contextlib
import io
import json
from dataclasses import replace
from datetime import UTC
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming_etl.handlers.firehose.direct_records import batches
from streaming_etl.handlers.transform import TransformRuntime, make_runtime, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import marker_record
from tests.support.changes import STREAM_ARN, firehose_records, line, stream_record
from tests.support.fake_aws import FakeDelivery
from tests.support.odd_changes import NUMBERS, TEXTS, TIMES, contents
from tests.support.rows import columns_config, columns_only

Path = list[str | int]
KEY = {"id": {"S": "o-1"}}


class Column(NamedTuple):
    """A column's type, the kind of its usual attributes, its path."""

    declared: Any
    kind: str
    path: Path | None = None


SCALARS = {
    "id": Column("string", "text"),
    "text": Column("string", "text"),
    "tiny": Column("tinyint", "whole"),
    "int": Column("int", "whole"),
    "big": Column("bigint", "whole"),
    "single": Column("float", "number"),
    "number": Column("double", "number"),
    "total": Column({"decimal": [10, 2]}, "number"),
    "part": Column({"decimal": [2, 2]}, "number"),
    "count": Column({"decimal": [5, 0]}, "whole"),
    "flag": Column("boolean", "bool"),
    "day": Column("date", "date"),
    "at": Column("timestamp", "time"),
    "seconds": Column({"timestamp": "seconds"}, "epoch"),
    "milliseconds": Column({"timestamp": "milliseconds"}, "epoch"),
    "epoch_day": Column({"date": "seconds"}, "epoch"),
    "document": Column("string", "map"),
    "city": Column("string", "map", ["place", "city"]),
    "sku": Column("int", "map", ["place", "sku"]),
    "second": Column("string", "list", ["list", 1]),
}
NESTED = {
    "texts": Column({"array": "string"}, "list"),
    "values": Column({"map": ["string", "string"]}, "map"),
    "address": Column({"struct": [["city", "string"], ["sku", "bigint"]]}, "map"),
}


def picking(paths: dict[str, Path]) -> ModuleType:
    """A module whose `transform` returns the values at these paths."""

    def transform(change: Any) -> dict[str, Any]:
        item = change.new or change.old or change.keys
        row = {}
        for name, (first, *steps) in paths.items():
            value = item.get(first)
            for step in steps:
                if value is None:
                    break
                if isinstance(step, int):
                    if not isinstance(value, list):
                        raise TypeError
                    value = value[step] if step < len(value) else None
                else:
                    value = value.get(step)
            row[name] = value
        return row

    module = ModuleType("picking")
    module.__file__ = __file__
    module.transform = transform  # type: ignore[attr-defined]
    return module


def answer(using: TransformRuntime, sent: list[bytes]) -> tuple[Any, list[bytes], str]:
    """The response of an event, its requeued records, and its log."""
    requeue = FakeDelivery()
    with contextlib.redirect_stdout(io.StringIO()) as log:
        response = transform_records(firehose_records(*sent), using, requeue)
    return response, requeue.records, log.getvalue()


@st.composite
def events(draw: st.DrawFn, file_format: str) -> tuple[dict[str, Any], list[bytes]]:
    """A transform.json, and the contents of an event's records."""
    possible = SCALARS if file_format == "csv" else SCALARS | NESTED
    names = draw(st.lists(st.sampled_from(list(possible)), min_size=1, max_size=5, unique=True))
    columns = {name: possible[name] for name in names}
    paths = {name: column.path for name, column in columns.items() if column.path}
    config = columns_config(
        {name: column.declared for name, column in columns.items()}, paths, file_format
    )
    kinds = {(column.path or [name])[0]: column.kind for name, column in columns.items()}
    return config, draw(contents({str(name): kind for name, kind in kinds.items()}))


@settings(max_examples=300)
@pytest.mark.parametrize("file_format", ["csv", "json"])
@given(data=st.data())
def test_the_answer_is_that_of_a_function_with_the_same_attributes(
    file_format: str, data: st.DataObject
) -> None:
    config, sent = data.draw(events(file_format))
    direct = make_runtime(config, None, UTC)
    assert direct.direct
    module = make_runtime(config | {"sources": None}, picking(config["sources"]), UTC)
    # A function's first changes request the attributes that later changes are decoded to.
    first = line(1, **{name: {"NULL": True} for [name, *_] in config["sources"].values()} | KEY)
    answer(module, [first, first])
    expected = answer(replace(direct, direct=None), sent)
    assert answer(direct, sent) == expected
    assert answer(module, sent)[:2] == expected[:2]


def encoded(config: dict[str, Any], *sent: bytes) -> list[Any]:
    """What the short way makes of each record."""
    direct = make_runtime(config, None, UTC).direct
    assert direct
    return direct.encode(firehose_records(*sent))


# A column, an attribute, and its text in a CSV row.
CELLS: list[tuple[str, dict[str, Any], str]] = [
    ("text", {"S": 'the "large" one'}, '"the ""large"" one"'),
    ("text", {"S": ""}, '""'),
    ("text", {"S": "a\r\nb\x01"}, '"a\u2028b\ufffd"'),
    ("text", {"N": "1.50"}, '"1.50"'),
    ("text", {"L": [{"S": "a"}]}, '"[""a""]"'),
    ("text", {"NULL": True}, ""),
    ("tiny", {"N": "99"}, "99"),
    ("tiny", {"N": "127"}, "127"),
    ("tiny", {"N": "-128"}, "-128"),
    ("tiny", {"N": "007"}, "7"),
    ("big", {"N": "9223372036854775807"}, "9223372036854775807"),
    ("total", {"N": "899.99"}, "899.99"),
    ("total", {"N": "899.9"}, "899.90"),
    ("total", {"N": "900"}, "900.00"),
    ("total", {"N": "0.5"}, "0.50"),
    ("total", {"N": "-0.5"}, "-0.50"),
    ("total", {"N": "99999999.99"}, "99999999.99"),
    ("total", {"N": "1E+3"}, "1000.00"),
    ("total", {"N": "007.50"}, "7.50"),
    ("part", {"N": "0.25"}, "0.25"),
    ("count", {"N": "12345"}, "12345"),
    ("number", {"N": "0.1"}, "0.1"),
    ("number", {"N": "1.50"}, "1.50"),
    ("number", {"N": "1234567890.123456789"}, "1234567890.1234567"),
    ("number", {"N": "1E-7"}, "0.0000001"),
    ("single", {"N": "16777217"}, "16777216"),
    ("flag", {"BOOL": False}, "false"),
    ("day", {"S": "2026-11-23"}, "2026-11-23"),
    ("at", {"S": "2026-11-23T09:30:00Z"}, "2026-11-23 09:30:00"),
    ("at", {"S": "2026-11-23T09:30:00"}, "2026-11-23 09:30:00"),
    ("at", {"S": "2026-11-23T09:30:00.5+09:00"}, "2026-11-23 00:30:00.500"),
    ("seconds", {"N": "1795426200.5"}, "2026-11-23 09:30:00.500"),
    ("epoch_day", {"N": "-1"}, "1969-12-31"),
    ("document", {"M": {"a": {"N": "1"}}}, '"{""a"":1}"'),
]


@pytest.mark.parametrize(("name", "attribute", "text"), CELLS)
def test_a_value_that_fits_its_column_needs_no_function(
    name: str, attribute: dict[str, Any], text: str
) -> None:
    config = columns_config({"id": "string", name: SCALARS[name].declared}, file_format="csv")
    [record] = encoded(config, line(1, **{name: attribute}))
    assert record.rows.data.decode().partition(' 09:30:00,"o-1",')[2] == text + "\n"
    module = make_runtime(config, None, UTC)
    [result] = answer(replace(module, direct=None), [line(1, **{name: attribute})])[0]["records"]
    assert base64.b64decode(result["data"]) == record.rows.data


ODD_ATTRIBUTES: list[dict[str, Any]] = [
    *({"N": number} for number in NUMBERS),
    *({"S": text} for text in (*TIMES, *TEXTS)),
    *(
        {"S": "a", "N": "1"},
        {"S": "2026-11-23", "N": "1"},
        {"N": "1", "BOOL": True},
        {"BOOL": False},
    ),
]


@pytest.mark.parametrize("file_format", ["csv", "json"])
@pytest.mark.parametrize("name", [name for name, column in SCALARS.items() if not column.path])
def test_each_odd_value_has_the_row_of_the_function_path(name: str, file_format: str) -> None:
    column = SCALARS[name].declared
    config = columns_config({"n": "int", name: column}, file_format=file_format)
    sent = [line(1, n={"N": "1"}, **{name: value}) for value in ODD_ATTRIBUTES]
    using = make_runtime(config, None, UTC)
    assert answer(using, sent) == answer(replace(using, direct=None), sent)


KEYS: list[tuple[dict[str, Any], str]] = [
    ({"id": {"S": "o-1"}}, '{"id":{"S":"o-1"}}'),
    ({"id": {"S": 'a"\\\n'}}, '{"id":{"S":"a\\"\\\\\\n"}}'),
    ({"id": {"N": "1.0"}}, '{"id":{"N":"1"}}'),
    ({"pk": {"S": "a"}, "sk": {"S": "b"}}, '{"pk":{"S":"a"},"sk":{"S":"b"}}'),
    ({"sk": {"S": "b"}, "pk": {"S": "a"}}, '{"pk":{"S":"a"},"sk":{"S":"b"}}'),
    ({"sk": {"S": 'a"'}, "pk": {"S": "a"}}, '{"pk":{"S":"a"},"sk":{"S":"a\\""}}'),
    ({"sk": {"N": "1E+1"}, "pk": {"S": "a"}}, '{"pk":{"S":"a"},"sk":{"N":"10"}}'),
]


@pytest.mark.parametrize("file_format", ["csv", "json"])
@pytest.mark.parametrize("others", [0, 2])
def test_the_key_of_each_row_is_canonical(file_format: str, others: int) -> None:
    config = columns_config({"text": "string"}, file_format=file_format)
    for keys, text in KEYS:
        record = stream_record(1, text={"S": "a"})
        record["dynamodb"]["Keys"] = keys
        lines = [line(number + 2, text={"S": "a"}) for number in range(others)]
        [row] = encoded(config, b"".join([change_line(record), *lines]))
        escaped = text.replace('"', '""') if file_format == "csv" else json.dumps(text)[1:-1]
        assert f'"{escaped}"' in row.rows.data.decode().splitlines()[0]


ODD_KEYS = [
    *('{"id":{"S":"a"}}', '{"id":{"S":""}}', '{"id":{"S":"\u6771"}}', '{"at":{"S":"a"}}'),
    *('{"id":{"S":"\\u0061"}}', '{"id":{"S":"\\""}}', '{"id":{"N":"01"}}', '{"id":{"N":1}}'),
    *('{ "id":{"S":"a"}}', '{"id":{"S":"a"} }', '{"id":{"S": "a"}}', '{"id":{"B":"!"}}'),
    *('{"id":{"S":"a"},"id":{"S":"b"}}', '{"id":{"S":"a"},"at":{"S":"b"}}', "{}", '{"id":"}}"}'),
    *('[\n{"id":{"S":"a"}}\n]', '{"id":\n{"S":"a"}}'),
    *('{"at":{"S":"a"},"id":{"S":"b"}}', '{"id":{"S":"a"},"at":{"S":"\\""}}'),
    *('{"id":{"S":"a"},"at":{"S":"b"},"at":{"S":"c"}}', '{"id":{"S":"a"},"id":{"S":"\u6771"}}'),
    *('{"id":{"S":"a","N":"1"}}', '{"id":{"S":null}}', '{"i\\u0064":{"S":"a"}}', '{"":{"S":"a"}}'),
]


@pytest.mark.parametrize("file_format", ["csv", "json"])
def test_each_odd_key_has_the_row_of_the_function_path(file_format: str) -> None:
    using = columns_only({"text": "string"}, file_format=file_format)
    template = line(1, text={"S": "a"}).decode()
    lines = [template.replace('{"id":{"S":"o-1"}}', key, 1).encode() for key in ODD_KEYS]
    sent = [first + second for first in lines for second in lines]
    assert answer(using, sent) == answer(replace(using, direct=None), sent)


# In a JSON string: escapes, bytes that are not UTF-8, and text beyond ASCII.
ODD_STRINGS = [
    *(b"\\u0041", b"\\/", b'\\"', b"\\\\", b"\\n", b"\\ud800", b"\xff", b"\xc3", b"\xed\xa0\x80"),
    *("\u6771".encode(), b"\x7f", b"\x01", b'"', b'","N":"1', b'"}, {"S":"'),
]


@pytest.mark.parametrize("file_format", ["csv", "json"])
@pytest.mark.parametrize("place", ["text", "n", "eventID", "SequenceNumber", "streamLabel", "id"])
def test_each_odd_string_has_the_row_of_the_function_path(place: str, file_format: str) -> None:
    using = columns_only({"text": "string", "n": "int"}, file_format=file_format)
    record = json.loads(line(1, text={"S": "a"}, n={"N": "1"}))
    stream = record["dynamodb"]
    match place:
        case "text" | "n":
            stream["NewImage"][place] = {"S" if place == "text" else "N": "@"}
        case "id":
            stream["Keys"]["id"] = {"S": "@"}
        case "SequenceNumber":
            stream[place] = "@"
        case _:
            record[place] = "@"
    template = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    others = [line(2, text={"S": "b"}), line(3), line(4, text={"NULL": True}, n={"N": "-5"})]
    lines = [template.replace(b"@", odd) for odd in ODD_STRINGS]
    sent = [odd + other for odd in lines for other in others] + [b"".join(others)]
    assert answer(using, sent) == answer(replace(using, direct=None), sent)


def test_texts_with_and_without_escapes_are_in_one_column() -> None:
    config = columns_config({"text": "string"})
    lines = [line(number, text={"S": text}) for number, text in enumerate(["a", "", "\u6771"])]
    [record] = encoded(config, b"".join([*lines, line(3), line(4, text={"S": 'a"b'})]))
    texts = [json.loads(row).get("text") for row in record.rows.data.splitlines()]
    assert texts == ["a", "", "\u6771", None, 'a"b']


def test_an_image_without_the_columns_has_a_row_without_values() -> None:
    config = columns_config({"a": "string", "b": "int"}, file_format="csv")
    [record] = encoded(config, line(1) + line(2, a={"S": "x"}))
    assert [row.partition(" 09:30:00,")[2] for row in record.rows.data.decode().splitlines()] == [
        ",",
        '"x",',
    ]


def test_a_removed_item_needs_no_function() -> None:
    record = stream_record(1, "REMOVE")
    del record["dynamodb"]["NewImage"]
    config = columns_config({"id": "string", "a": "string"}, file_format="csv")
    without = change_line(record)
    record["dynamodb"]["OldImage"] = {"id": {"S": "o-1"}, "a": {"S": "x"}}
    for encoded_record in encoded(config, without, change_line(record)):
        assert encoded_record.rows.line_count == 1


OTHERS = [
    b"",
    b"\n",
    b"junk\n",
    line(1, total={"S": "1"}),
    line(1, total={"N": "0.125"}),
    line(1, total={"X": 1}),
    change_line(marker_record(1_795_426_200_000, STREAM_ARN)),
    line(1, unused={"S": "x" * 1_100_000}),
]


@pytest.mark.parametrize("content", OTHERS)
def test_the_function_path_reads_one_record_and_not_its_neighbours(content: bytes) -> None:
    config = columns_config({"id": "string", "total": {"decimal": [10, 2]}})
    first, other, last = encoded(config, line(1), content, line(2) + line(3))
    assert (first.rows.line_count, other, last.rows.line_count) == (1, None, 2)


def test_data_that_is_not_base64_fails_its_record() -> None:
    runtime = columns_only({"id": "string"})
    records = firehose_records(line(1), line(2))
    records[0]["data"] = "?"
    results = transform_records(records, runtime, FakeDelivery())["records"]
    assert [result["result"] for result in results] == ["ProcessingFailed", "Ok"]


@pytest.mark.parametrize(
    "change",
    [
        {"dynamic_partition_keys": {"id": None}},
        {"time_keys": ["year"]},
        {"lazy_items": False},
        {"sources": {"id": ["商品"]}},
        {"sources": {"id": ['a"b']}},
        {"sources": {f"c{number}": [f"c{number}"] for number in range(65)}},
    ],
)
def test_these_tables_need_the_function_path(change: dict[str, Any]) -> None:
    config = columns_config({"id": "string"})
    assert make_runtime(config, None, UTC).direct
    assert make_runtime(config | change, None, UTC).direct is None


def test_a_name_beyond_ascii_is_read() -> None:
    using = columns_only({"id": "string"}, {"id": ["商品"]}, "csv")
    response, _, _ = answer(using, [line(1, 商品={"S": "x"}), line(2, 商品={"S": "y"})])
    rows = [base64.b64decode(result["data"]).decode() for result in response["records"]]
    assert [row[-4:] for row in rows] == ['"x"\n', '"y"\n']


@pytest.mark.parametrize("limit", range(1_000, 6_000, 250))
def test_a_full_response_is_that_of_the_function_path(limit: int) -> None:
    sizes = (10, 900, 50, 2_000, 3_000, 10, 400)
    sent = [
        b"".join(line(10 * place + part, text={"S": "x" * size}) for part in range(1 + place % 3))
        for place, size in enumerate(sizes)
    ]
    using = columns_only({"id": "string", "text": "string"})
    outcomes = []
    for runtime in (using, replace(using, direct=None)):
        requeue = FakeDelivery()
        response = transform_records(firehose_records(*sent), runtime, requeue, limit)
        outcomes.append((response, requeue.records))
    assert outcomes[0] == outcomes[1]


def test_the_first_change_is_encoded_after_the_deadline() -> None:
    requeue = FakeDelivery()
    using = columns_only({"id": "string"})
    records = firehose_records(line(1) + line(2), line(3))
    response = transform_records(records, using, requeue, deadline=0)
    assert [result["result"] for result in response["records"]] == ["Ok", "Dropped"]
    assert requeue.records == [line(2).strip(), line(3).strip()]


def test_batches_are_limited_by_records_and_characters() -> None:
    small, large = {"data": "x" * 10}, {"data": "x" * 800_000}
    assert [len(batch) for batch in batches([small] * 1_100)] == [500, 500, 100]
    assert [len(batch) for batch in batches([large, large, small, large, small])] == [2, 3]
    assert list(batches([])) == []
