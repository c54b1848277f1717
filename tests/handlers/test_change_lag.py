"""The metric of the time from a change to its transform."""

import json
from typing import Any

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.change_lag import ChangeLag
from streaming_etl.handlers.wire.change_line import change_line, replayed_line
from streaming_etl.handlers.wire.snapshot import marker_record, snapshot_record
from tests.handlers.scripted import order, scripted
from tests.support.changes import firehose_records
from tests.support.fake_aws import FakeContext, FakeDelivery
from tests.support.rows import columns_only, runtime

NOW = 1_800_000_000.9


def changed(number: int, seconds_ago: int, do: str = "") -> bytes:
    """Line of a change that many seconds before NOW."""
    record = json.loads(order(number, do))
    record["dynamodb"]["ApproximateCreationDateTime"] = int(NOW) - seconds_ago
    return json.dumps(record).encode() + b"\n"


def lags(monkeypatch: pytest.MonkeyPatch, *contents: bytes, using: Any = None) -> list[int]:
    """What an invocation with these Firehose records reports."""
    monkeypatch.setattr(transform, "time", lambda: NOW)
    reported: list[list[int]] = []
    transform.transform_records(
        firehose_records(*contents),
        using or runtime(scripted),
        FakeDelivery(),
        report_lag=reported.append,
    )
    return reported[0] if reported else []


@pytest.fixture(params=["function", "columns only"])
def using(request: pytest.FixtureRequest) -> Any:
    """Both ways of a record to its rows."""
    return runtime(scripted) if request.param == "function" else columns_only({"id": "string"})


def test_reports_the_lag_of_each_record_by_its_oldest_change(monkeypatch, using):
    aggregated = b"".join([changed(1, 9), changed(2, 5), changed(3, 5)])
    assert lags(monkeypatch, changed(4, 70), aggregated, using=using) == [9, 9, 9, 70]


def test_a_clock_behind_that_of_the_change_gives_no_lag(monkeypatch, using):
    assert lags(monkeypatch, changed(1, -5), using=using) == [0]


def test_backfilled_and_replayed_changes_have_no_lag(monkeypatch, using):
    stream_arn = "arn:aws:dynamodb:eu-west-1:1:table/orders/stream/2026-01-01T00:00:00.000"
    item = {"id": {"S": "a"}}
    snapshot = change_line(snapshot_record(item, ["id"], 1_000_000_000_000, stream_arn))
    marker = change_line(marker_record(1_000_000_000_000, stream_arn))
    replayed = replayed_line(changed(1, 3600)) + replayed_line(changed(2, 3600))
    assert lags(monkeypatch, snapshot, marker, replayed, using=using) == []
    assert lags(monkeypatch, snapshot, changed(3, 4), replayed, using=using) == [4]


def test_unreadable_changes_have_no_lag(monkeypatch):
    assert lags(monkeypatch, b"junk\n", b"") == []
    assert lags(monkeypatch, b"junk\n" + changed(1, 4), changed(2, 3)) == [3]


def test_failed_and_filtered_changes_have_a_lag(monkeypatch):
    assert lags(monkeypatch, changed(1, 2, "fail"), changed(2, 3, "filter")) == [2, 3]


def test_many_records_are_sampled(monkeypatch):
    contents = [changed(number, 1 if number % 2 else 100) for number in range(500)]
    assert lags(monkeypatch, *contents) == [1] * 50 + [100] * 50


def test_at_most_a_hundred_values_have_the_quantiles_of_the_changes():
    lag = ChangeLag(3)
    [record] = RecordReader().read(changed(1, 10))[0].records()
    lag.add(record, 800)
    [record] = RecordReader().read(changed(1, 20))[0].records()
    lag.add(record, 150)
    [record] = RecordReader().read(changed(1, 90))[0].records()
    lag.add(record, 50)
    assert lag.seconds(NOW) == [10] * 80 + [20] * 15 + [90] * 5


def test_the_function_reports_the_metric_once_per_call(monkeypatch, capsys):
    monkeypatch.setattr(transform, "time", lambda: NOW)
    monkeypatch.setattr(transform, "load_runtime", lambda: runtime(scripted))
    records = firehose_records(changed(1, 7) + changed(2, 6), changed(3, 8))
    transform.lambda_handler({"records": records}, FakeContext())
    [metric] = [it for it in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in it]
    assert metric["ChangeLag"] == [7, 7, 8]
    assert metric["FunctionName"] == FakeContext.function_name
    [directive] = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "ChangeLag", "Unit": "Seconds"}]
    assert directive["Dimensions"] == [["FunctionName"]]
