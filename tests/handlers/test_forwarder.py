"""Forwarder: sends every matching change, and reports the first that failed."""

import json
import random
import string
from functools import partial
from types import SimpleNamespace

import pytest

from streaming_etl.handlers import forwarder
from streaming_etl.handlers.forwarder import BisectBatchError, Routing, forward
from streaming_etl.handlers.wire import routing
from streaming_etl.handlers.wire.change_line import MAX_RECORD_BYTES, change_line
from streaming_etl.handlers.wire.routing import Route, Where
from tests.support.changes import read_change, stream_record
from tests.support.fake_aws import FakeContext, FakeDelivery, FakeFirehose, client_error

ALL = ["INSERT", "MODIFY", "REMOVE"]
SINGLE = Route("orders", "orders-delivery", "always", max_changes=1, max_bytes=262_144)
AGGREGATED = SINGLE._replace(max_changes=500)
NOISE = "".join(random.Random(0).choices(string.printable, k=1_100_000))


def failures(*records):
    return {
        "batchItemFailures": [
            {"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records
        ]
    }


def logged(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def send(records, event_names, route, put):
    """Forward changes with one route."""
    routing = Routing(frozenset(event_names), False, [route])
    return forward(records, routing, lambda _, contents, *__: put(contents), pytest.fail)


def summary(capsys):
    *_, fields = logged(capsys)
    assert (fields.pop("level"), fields.pop("message")) == ("INFO", "forwarded")
    return fields


def counts(capsys):
    """Records sent, and changes received, filtered and failed, as logged."""
    fields = summary(capsys)
    assert fields.pop("unmatched") == 0
    assert tuple(fields) == ("records", "changes", "filtered", "failed")
    return tuple(fields.values())


def test_sends_each_change_as_a_record_in_order(stream_batch, capsys):
    put = FakeDelivery()
    assert send(stream_batch, ALL, SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch]
    assert counts(capsys) == (4, 4, 0, 0)


def test_filters_other_event_types_and_counts_them(stream_batch, capsys):
    put = FakeDelivery()
    assert send(stream_batch, ["INSERT", "MODIFY"], SINGLE, put) == {"batchItemFailures": []}
    assert put.records == [change_line(record) for record in stream_batch[:2]]
    assert counts(capsys) == (2, 4, 2, 0)


def test_a_batch_without_matching_changes_succeeds(stream_batch):
    assert send(stream_batch, [], SINGLE, FakeDelivery()) == {"batchItemFailures": []}


def test_reports_only_the_first_failed_change(stream_batch, capsys):
    assert send(stream_batch, ["MODIFY", "REMOVE"], SINGLE, FakeDelivery([1, 2])) == failures(
        stream_batch[2]
    )
    assert counts(capsys) == (1, 4, 1, 2)


def test_a_change_larger_than_a_record_is_compressed():
    put, record = FakeDelivery(), stream_record(1, text={"S": "x" * 1_100_000})
    assert send([record], ALL, SINGLE, put) == {"batchItemFailures": []}
    [line] = put.records
    assert len(line) < MAX_RECORD_BYTES
    assert read_change(line).new == {"id": "o-1", "text": "x" * 1_100_000}


def test_reports_a_change_too_large_for_a_record_after_sending_those_before(capsys):
    put = FakeDelivery()
    records = [
        stream_record(1),
        stream_record(2),
        stream_record(3, x={"S": NOISE}),
        stream_record(4),
    ]
    assert send(records, ALL, SINGLE, put) == failures(records[2])
    assert put.records == [change_line(record) for record in records[:2]]
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change too large",
        "event_id": "event-3",
        "sequence_number": "4421584500000000017450439003",
        "error": "ChangeTooLargeError",
    }


@pytest.mark.parametrize("broken", [{"S": NOISE}, {"S": "\ud800"}], ids=["large", "unreadable"])
def test_bisects_a_batch_that_begins_with_a_change_it_can_never_forward(broken):
    put, first = FakeDelivery(), stream_record(1, x=broken)
    batch = [first, stream_record(2), stream_record(3)]
    # Lambda halves until the batch has two changes.
    for size in (3, 2):
        with pytest.raises(BisectBatchError):
            send(batch[:size], ALL, AGGREGATED, put)
    assert put.records == []
    # Alone, and after a filtered change, which Lambda does not send again.
    assert send(batch[:1], ALL, AGGREGATED, put) == failures(first)
    removal = stream_record(0) | {"eventName": "REMOVE"}
    assert send([removal, *batch], {"MODIFY", "INSERT"}, AGGREGATED, put) == failures(first)


def test_reports_a_rejected_record_before_a_change_too_large():
    records = [stream_record(1), stream_record(2), stream_record(3, x={"S": NOISE})]
    assert send(records, ALL, SINGLE, FakeDelivery([1])) == failures(records[1])


CONFIG = {
    "event_names": ["INSERT", "REMOVE"],
    "unmatched": "count",
    "routes": [
        {
            "name": "orders",
            "old_image": "never",
            "max_changes_per_record": 2,
            "max_record_kib": 1,
        }
    ],
}


@pytest.fixture
def firehose(monkeypatch, tmp_path):
    """Fake Firehose; the archive's forwarder.json and the handler's environment."""
    fake = FakeFirehose()
    monkeypatch.setattr(forwarder, "firehose", lambda: fake)
    monkeypatch.setattr(routing, "__file__", str(tmp_path / "a" / "b" / "c" / "routing.py"))
    (tmp_path / "forwarder.json").write_text(json.dumps(CONFIG))
    monkeypatch.setenv("DELIVERY_STREAMS", '{"orders": "orders-delivery-1a2b3c4"}')
    forwarder.load_routing.cache_clear()
    yield fake
    forwarder.load_routing.cache_clear()


def test_the_handler_uses_the_settings_of_its_archive_and_environment(firehose, stream_batch):
    large = stream_record(5, text={"S": "x" * 800})
    assert (
        forwarder.lambda_handler({"Records": [*stream_batch, large]}, FakeContext()) == failures()
    )
    assert firehose.streams == {"orders-delivery-1a2b3c4"}
    inserted, _, removed, expired = [change_line(record, "never") for record in stream_batch]
    assert b"OldImage" not in removed
    assert firehose.calls == [[inserted + removed, expired, change_line(large)]]


@pytest.mark.usefixtures("firehose")
def test_the_handler_reports_the_first_change_if_the_stream_does_not_exist(
    stream_batch, monkeypatch
):
    gone = FakeFirehose(then=client_error("ResourceNotFoundException"))
    monkeypatch.setattr(forwarder, "firehose", lambda: gone)
    assert forwarder.lambda_handler({"Records": stream_batch}, FakeContext()) == failures(
        stream_batch[0]
    )


@pytest.mark.usefixtures("firehose")
def test_an_invocation_fails_while_a_route_has_no_delivery_stream(stream_batch, monkeypatch):
    monkeypatch.setenv("DELIVERY_STREAMS", '{"others": "others-delivery-1a2b3c4"}')
    with pytest.raises(KeyError):
        forwarder.lambda_handler({"Records": stream_batch}, FakeContext())


def test_a_record_has_at_most_its_number_of_changes(capsys):
    put, records = FakeDelivery(), [stream_record(number) for number in range(7)]
    assert send(records, ALL, AGGREGATED._replace(max_changes=3), put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [b"".join(lines[:3]), b"".join(lines[3:6]), lines[6]]
    assert counts(capsys) == (3, 7, 0, 0)


def test_a_record_has_at_most_its_bytes():
    put, records = (
        FakeDelivery(),
        [stream_record(number, x={"S": "x" * 100}) for number in range(4)],
    )
    size = len(change_line(records[0]))
    assert send(records, ALL, AGGREGATED._replace(max_bytes=2 * size), put) == failures()
    assert [len(record) for record in put.records] == [2 * size, 2 * size]
    put = FakeDelivery()
    assert send(records, ALL, AGGREGATED._replace(max_bytes=2 * size - 1), put) == failures()
    assert [len(record) for record in put.records] == [size] * 4


def test_a_larger_change_is_a_single_change_record():
    put = FakeDelivery()
    records = [
        stream_record(1),
        stream_record(2, x={"S": "x" * 300_000}),
        stream_record(3),
        stream_record(4),
    ]
    assert send(records, ALL, AGGREGATED, put) == failures()
    lines = [change_line(record) for record in records]
    assert put.records == [lines[0], lines[1], lines[2] + lines[3]]


def test_reports_the_first_change_of_the_first_rejected_record(capsys):
    records = [stream_record(number) for number in range(7)]
    limits = AGGREGATED._replace(max_changes=2)
    assert send(records, ALL, limits, FakeDelivery([1, 3])) == failures(records[2])
    assert counts(capsys) == (2, 7, 0, 3)


def test_an_unreadable_change_is_the_only_one_that_fails(capsys):
    put, broken = FakeDelivery(), stream_record(2, text={"S": "\ud800"})
    records = [stream_record(1), broken, stream_record(3)]
    assert send(records, ALL, AGGREGATED, put) == failures(broken)
    assert put.records == [change_line(records[0])]
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change unreadable",
        "event_id": "event-2",
        "sequence_number": "4421584500000000017450439002",
        "error": "UnicodeEncodeError",
    }


def test_logs_no_content_of_a_change(capsys):
    records = [stream_record(1, x={"S": "s3cret"}), stream_record(2, x={"S": "s3cret" + NOISE})]
    send(records, ALL, SINGLE, FakeDelivery([0]))
    captured = capsys.readouterr()
    assert "s3cret" not in captured.out + captured.err


class FakeStreams:
    """Accepts the records of several routes, except the failing ones of each."""

    def __init__(self, **failing):
        self.failing = failing
        self.records = {}
        self.left = []
        self.unmatched = []

    def put(self, route, contents, left, is_first):
        assert is_first is (not self.records)
        assert contents
        self.records[route.name] = contents
        self.left.append(left)
        return self.failing.get(route.name, [])

    def forward(self, records, *routes, fail=False):
        routing = Routing(frozenset(ALL), fail, routes)
        return forward(records, routing, self.put, self.unmatched.append)


def route(name, max_changes=1, **rules):
    return Route(name, f"{name}-delivery", "on_remove", max_changes, 262_144, Where(rules))


ORDERS = route("orders", kind=["order"])
CUSTOMERS = route("customers", kind=["customer"])
CHEAP = route("cheap", max_changes=2, price=[1, 2])
ROUTES = (ORDERS, CUSTOMERS, CHEAP)


def kind(number, kind, price=0, **other):
    return stream_record(number, kind={"S": kind}, price={"N": str(price)}, **other)


def lines(*records):
    return [change_line(record, "on_remove") for record in records]


def test_each_route_gets_its_changes_in_order():
    streams = FakeStreams()
    batch = [kind(1, "order", 1), kind(2, "customer", 2), kind(3, "customer"), kind(4, "order", 1)]
    assert streams.forward(batch, *ROUTES) == failures()
    first, second, third, fourth = lines(*batch)
    assert streams.records == {
        "orders": [first, fourth],
        "customers": [second, third],
        "cheap": [first + second, fourth],
    }
    assert streams.left == [3, 2, 1]
    assert streams.unmatched == []


def test_a_route_without_changes_is_not_called():
    streams = FakeStreams()
    assert streams.forward([kind(1, "customer")], *ROUTES) == failures()
    assert list(streams.records) == ["customers"]
    assert streams.left == [1]


def moved(number):
    """A customer that becomes an order."""
    record = kind(number, "order") | {"eventName": "MODIFY"}
    record["dynamodb"]["OldImage"] = kind(number, "customer")["dynamodb"]["NewImage"]
    return record


def test_an_item_that_changes_its_kind_leaves_one_lake_table_for_another():
    streams, record = FakeStreams(), moved(1)
    assert streams.forward([record], ORDERS, CUSTOMERS) == failures()
    inserted, removed = (json.loads(streams.records[name][0]) for name in ("orders", "customers"))
    assert [inserted["eventName"], removed["eventName"]] == ["INSERT", "REMOVE"]
    assert "OldImage" not in inserted["dynamodb"]
    assert "NewImage" not in removed["dynamodb"]
    assert removed["dynamodb"]["OldImage"] == record["dynamodb"]["OldImage"]
    for name in ("SequenceNumber", "Keys"):
        assert inserted["dynamodb"][name] == removed["dynamodb"][name] == record["dynamodb"][name]


def test_routes_with_the_same_line_of_a_change_share_it():
    routes = [
        route("orders", kind=["order"]),
        route("rest", kind=["order", "customer"]),
        route("customers", kind=["customer"]),
        route("all", id={"prefix": "o"}),
        route("full", id={"prefix": "o"})._replace(old_image="always"),
    ]
    record = moved(1)
    outgoing, _, _ = forwarder._lines([record], Routing(frozenset(), False, routes))
    [entered], [stayed], [left], [same], [full] = [each.lines for each in outgoing]
    assert stayed is same
    sent = [json.loads(each) for each in (left, stayed, entered, full)]
    assert [each["eventName"] for each in sent] == ["REMOVE", "MODIFY", "INSERT", "MODIFY"]
    assert ["OldImage" in each["dynamodb"] for each in sent] == [True, False, False, True]


def test_event_names_are_those_of_the_stream():
    streams = FakeStreams()
    routing = Routing(frozenset({"MODIFY"}), False, [ORDERS, CUSTOMERS])
    batch = [kind(1, "order"), moved(2)]
    assert forward(batch, routing, streams.put, streams.unmatched.append) == failures()
    names = {name: json.loads(line)["eventName"] for name, [line] in streams.records.items()}
    assert names == {"orders": "INSERT", "customers": "REMOVE"}


@pytest.mark.parametrize(
    ("failing", "first", "failed"),
    [
        ({"orders": [1]}, 3, 1),
        ({"customers": [0]}, 1, 1),
        ({"customers": [1], "orders": [0]}, 0, 2),
        ({"cheap": [1], "orders": [1]}, 3, 1),
        ({"cheap": [0]}, 0, 2),
    ],
)
def test_reports_the_first_change_that_is_missing_in_any_stream(failing, first, failed, capsys):
    streams = FakeStreams(**failing)
    batch = [kind(0, "order", 1), kind(1, "customer", 2), kind(2, "customer"), kind(3, "order", 1)]
    assert streams.forward(batch, *ROUTES) == failures(batch[first])
    # The other streams got everything.
    assert [len(records) for records in streams.records.values()] == [2, 2, 2]
    assert summary(capsys)["failed"] == failed


def test_counts_unmatched_changes(capsys):
    streams, batch = FakeStreams(), [kind(1, "event"), kind(2, "order"), kind(3, "event")]
    assert streams.forward(batch, *ROUTES) == failures()
    assert streams.unmatched == [2]
    expected = {"records": 1, "changes": 3, "filtered": 0, "unmatched": 2, "failed": 0}
    assert summary(capsys) == expected


def test_counts_an_unmatched_change_once_if_lambda_sends_it_again():
    streams = FakeStreams(orders=[0])
    batch = [kind(1, "event"), kind(2, "order"), kind(3, "event")]
    assert streams.forward(batch, *ROUTES) == failures(batch[1])
    assert streams.unmatched == [1]


def test_an_unmatched_change_can_fail(capsys):
    streams = FakeStreams()
    batch = [kind(1, "order"), kind(2, "event"), kind(3, "order")]
    assert streams.forward(batch, *ROUTES, fail=True) == failures(batch[1])
    assert streams.records == {"orders": lines(batch[0])}
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change unmatched",
        "event_id": "event-2",
        "sequence_number": "4421584500000000017450439002",
        "error": "UnmatchedError",
    }
    with pytest.raises(BisectBatchError):
        streams.forward(batch[1:], *ROUTES, fail=True)
    assert streams.forward(batch[1:2], *ROUTES, fail=True) == failures(batch[1])
    assert streams.unmatched == []


def test_a_change_that_fails_for_one_route_fails_for_all():
    streams, large = FakeStreams(), kind(2, "order", 1, x={"S": NOISE})
    large["eventName"] = "MODIFY"
    large["dynamodb"]["OldImage"] = kind(2, "customer")["dynamodb"]["NewImage"]
    batch = [kind(1, "customer"), large, kind(3, "customer")]
    # The customer's REMOVE comes first, and fits.
    assert streams.forward(batch, CUSTOMERS, ORDERS) == failures(large)
    assert streams.records == {"customers": lines(batch[0])}


def test_unmatched_changes_before_a_failed_change_are_not_sent_again():
    streams, broken = FakeStreams(), kind(2, "order", x={"S": "\ud800"})
    assert streams.forward([kind(1, "event"), broken], *ROUTES) == failures(broken)
    assert streams.unmatched == [1]


def handle(monkeypatch, put, batch, *routes):
    """Call the handler; `put` receives clock, stream and time left."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(forwarder, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(forwarder, "firehose", lambda: None)
    monkeypatch.setattr(forwarder, "deadline_of", lambda _: 1060.0)
    monkeypatch.setattr(forwarder, "put_records", partial(put, clock))
    routing = Routing(frozenset(ALL), False, routes)
    return forwarder.handle({"Records": batch}, FakeContext(), routing)


def test_streams_share_the_time(monkeypatch):
    calls = []

    def put(clock, _, stream, __, deadline, *, must_call, **___):
        calls.append((stream, deadline - clock.now, must_call))
        # The first stream is throttled until its deadline.
        clock.now = deadline if stream == "orders-delivery" else clock.now + 1
        return [0] if stream == "orders-delivery" else []

    batch = [kind(1, "customer", 1), kind(2, "order")]
    assert handle(monkeypatch, put, batch, *ROUTES) == failures(batch[1])
    assert calls == [
        ("orders-delivery", 20.0, True),
        ("customers-delivery", 20.0, False),
        ("cheap-delivery", 39.0, False),
    ]


def test_reports_records_not_accepted_with_their_lake_table(monkeypatch, capsys):
    def put(*_, report, **__):
        report("ERROR", "records not accepted", records=1, error="out of time")
        return [0]

    handle(monkeypatch, put, [kind(1, "customer")], *ROUTES)
    assert logged(capsys)[0]["lake_table"] == "customers"


def test_the_handler_counts_unmatched_changes_as_a_metric(monkeypatch, capsys):
    handle(monkeypatch, lambda *_, **__: [], [kind(1, "event"), kind(2, "event")], *ROUTES)
    metric = logged(capsys)[0]
    assert (metric["FunctionName"], metric["ChangesUnmatched"]) == (FakeContext.function_name, 2)
    [directive] = metric["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "ChangesUnmatched", "Unit": "Count"}]
