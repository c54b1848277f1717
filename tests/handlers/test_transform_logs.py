"""The transform's log tells which change was refused and where, and nothing of what was in it."""

import json

import pytest

from streaming_etl.handlers.transform import transform_records
from tests.handlers.fakes import FakeStream, firehose_records, line, obey, order, pipeline


def log_of(capsys, function, *contents):
    transform_records(firehose_records(*contents), pipeline(function), FakeStream())
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def place(function, line_below):
    return f"{__name__.rpartition('.')[2]}.py:{function.__code__.co_firstlineno + line_below}"


def test_each_refused_change_and_a_summary_are_logged(capsys):
    pack = line(1) + order(2, "fail") + order(3, "leave out") + order(4, "return three rows")
    assert log_of(capsys, obey, pack, order(5, "return a text"), b"junk") == [
        {
            "level": "ERROR",
            "message": "change failed",
            "event_id": "event-5",
            "sequence_number": "4421584500000000017450439005",
            "error": "transform returned str; return a dict, a list of dicts or None",
        },
        {
            "level": "ERROR",
            "message": "change failed",
            "event_id": None,
            "sequence_number": None,
            "error": "DecodeError while reading the line: it is no change",
        },
        {
            "level": "INFO",
            "message": "transformed",
            "records": 3,
            "changes": 6,
            "rows": 4,
            "left_out": 1,
            "failed": 2,
            "put_back": 1,
        },
    ]


def test_an_error_of_the_user_s_names_its_type_and_line(capsys):
    def divide(change):
        return {"share": len(change.new) / 0}

    [refused, _] = log_of(capsys, divide, line(1))
    assert refused["error"] == f"ZeroDivisionError at {place(divide, 1)}"


def test_an_error_below_the_user_s_module_names_the_user_s_last_line(capsys):
    def read(text):
        return json.loads(text)

    def misread(change):
        return read(change.new["id"])

    [refused, _] = log_of(capsys, misread, line(1))
    assert refused["error"] == f"JSONDecodeError at {place(read, 1)}"


def test_an_error_outside_the_user_s_module_names_the_rows(capsys):
    [refused, _] = log_of(capsys, lambda _: {"mixed": {1, "a"}}, line(1))
    assert refused["error"] == "TypeError in its rows"


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
    """A transform whose row is good but for this column."""
    return lambda change: {"store": "a", column: value(change.new["text"])}


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
def test_no_content_of_a_bad_change_is_logged(function, capsys):
    using = pipeline(function, COLUMNS, ["store"])
    secret = line(1, text={"S": SECRET})
    cut_off = secret[:-9]
    answers = transform_records(firehose_records(secret, cut_off), using, FakeStream())["records"]
    assert [answer["result"] for answer in answers] == ["ProcessingFailed"] * 2
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err
