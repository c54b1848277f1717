"""The transform's log: which change failed and why, without its content."""

import json
import math

import pytest

from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.transform import transform_records
from tests.handlers.scripted import order, scripted
from tests.support.changes import firehose_records, line
from tests.support.fake_aws import FakeDelivery
from tests.support.rows import runtime


def log_of(capsys, function, *contents):
    transform_records(firehose_records(*contents), runtime(function), FakeDelivery())
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def exception(got, function, line_below):
    """Logged reason for an exception of a function in this file."""
    line_number = function.__code__.co_firstlineno + line_below
    location = f"{__name__.rpartition('.')[2]}.py:{line_number}"
    return str(RowError("exception", got=got, location=location))


def test_logs_each_failed_change_and_a_summary(capsys):
    aggregated = line(1) + order(2, "fail") + order(3, "filter") + order(4, "return three rows")
    assert log_of(capsys, scripted, aggregated, order(5, "return a text"), b"junk") == [
        {
            "level": "ERROR",
            "message": "change failed",
            "event_id": "event-5",
            "sequence_number": "4421584500000000017450439005",
            "error": str(RowError("returned-type", got="str")),
        },
        {
            "level": "ERROR",
            "message": "change failed",
            "event_id": None,
            "sequence_number": None,
            "error": str(RowError("change-format", got="DecodeError")),
        },
        {
            "level": "INFO",
            "message": "transformed",
            "records": 3,
            "changes": 6,
            "rows": 4,
            "filtered": 1,
            "failed": 2,
            "requeued": 1,
        },
    ]


def test_logs_type_and_line_of_an_exception_in_the_module(capsys):
    def divide(change):
        return {"share": len(change.new) / 0}

    [failed, _] = log_of(capsys, divide, line(1))
    assert failed["error"] == exception("ZeroDivisionError", divide, 1)


def test_logs_the_modules_last_line_for_an_exception_in_a_library(capsys):
    def read(text):
        return json.loads(text)

    def call_read(change):
        return read(change.new["id"])

    [failed, _] = log_of(capsys, call_read, line(1))
    assert failed["error"] == exception("JSONDecodeError", read, 1)


def test_logs_only_the_type_of_an_exception_while_rows_are_encoded(capsys):
    [failed, _] = log_of(capsys, lambda _: {"mixed": {1, "a"}}, line(1))
    assert failed["error"] == str(RowError("exception-in-rows", got="TypeError"))


SECRET = "s3cret"

COLUMNS = {
    "text": "string",
    "flag": "boolean",
    "number": "int",
    "amount": {"decimal": [10, 2]},
    "real": "double",
    "day": "date",
    "at": "timestamp",
    "list": {"array": "int"},
    "map": {"map": ["int", "int"]},
    "nest": {"struct": [["known", "string"]]},
}


def quote_it(change):
    raise ValueError(f"cannot use {change.new}")


def miss_it(change):
    return {}[change.new["text"]]


def raise_from_it(change):
    try:
        quote_it(change)
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def returning(column, value):
    """Transform with a row that is valid except for this column."""
    return lambda change: {"store": "a", column: value(change.new["text"])}


@pytest.mark.parametrize("columns", [{"id": "string"}, None])
@pytest.mark.parametrize(
    "value",
    ["text", math.nan, {1: "a", "1": "b"}, {"é-": 1}, {"a": 1, "A": 2}, object(), {1, "a"}],
)
def test_logs_no_attribute_name_of_a_failed_change(columns, value, capsys):
    def transform(change):
        row = {name: value for name in change.new if name != "id"}
        return row | {"first name": 1} if value == "text" else row

    using = runtime(transform, columns)
    secret = line(1, **{SECRET: {"S": "a"}})
    [result] = transform_records(firehose_records(secret), using, FakeDelivery())["records"]
    assert result["result"] == "ProcessingFailed"
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err


@pytest.mark.parametrize("name", ["eventID", "SequenceNumber"])
def test_logs_at_most_1000_characters_of_a_text(name, capsys):
    record = json.loads(line(1))
    (record if name in record else record["dynamodb"])[name] = "9" * 100_000
    [failed, _] = log_of(capsys, lambda _: "a text", json.dumps(record).encode())
    assert max(len(str(value)) for value in failed.values()) == 1000


@pytest.mark.parametrize(
    "function",
    [
        quote_it,
        miss_it,
        raise_from_it,
        lambda change: change.new["text"],
        lambda change: [change.new["text"]],
        *[returning(column, str) for column in COLUMNS if column != "text"],
        returning("list", lambda text: [text]),
        returning("map", lambda text: {text: text}),
        returning("nest", lambda text: {text: text}),
        returning("text", lambda text: text + "\ud800"),
        returning("text", lambda text: text * 1_000_000),
        returning("text", lambda text: {1: text, "1": text}),
        returning("store", lambda text: text + "/"),
        returning("store", lambda text: [text]),
    ],
)
def test_logs_no_content_of_a_failed_change(function, capsys):
    using = runtime(function, COLUMNS, ["store"])
    secret = line(1, text={"S": SECRET})
    cut_off = secret[:-9]
    results = transform_records(firehose_records(secret, cut_off), using, FakeDelivery())["records"]
    assert [result["result"] for result in results] == ["ProcessingFailed"] * 2
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
