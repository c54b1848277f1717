"""Writes to a delivery stream: aggregated, rate-limited, complete or an error."""

import pytest

from streaming_etl.handlers.firehose.put_records import MAX_CALL_BYTES
from streaming_etl.ops.firehose_writer import (
    FirehoseWriter,
    RoutedWriter,
    routed_writer,
    routes_to,
)
from streaming_etl.stack.errors import CommandError
from tests.support.deployed import deployed_pipeline, deployed_shop
from tests.support.fake_aws import THROTTLED, FakeClock, FakeFirehose, client_error


def writer(
    client: FakeFirehose,
    clock: FakeClock | None = None,
    *,
    max_changes: int = 1,
    max_bytes: int = 1,
    kib_per_second: float = 512.0,
) -> FirehoseWriter:
    clock = clock or FakeClock()
    return FirehoseWriter(
        client,
        "orders",
        max_changes=max_changes,
        max_bytes=max_bytes,
        kib_per_second=kib_per_second,
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )


def test_aggregates_lines_by_count_and_by_size() -> None:
    firehose = FakeFirehose()
    lines = [b"%d\n" % number for number in range(4)] + [b"x" * 99 + b"\n", b"y\n"]
    writer(firehose, max_changes=3, max_bytes=100).write(lines)
    assert firehose.calls == [[b"0\n1\n2\n", b"3\n", b"x" * 99 + b"\n", b"y\n"]]
    assert firehose.streams == {"orders"}


def test_aggregates_like_the_forwarder_of_the_pipeline() -> None:
    firehose = FakeFirehose()
    pipeline = deployed_pipeline({"forwarder": {"max_changes_per_record": 2}})
    writer = routed_writer(firehose, routes_to(pipeline), 512, sleep=lambda _: None)
    writer.write([b"x\n"] * 3, ["lake-table"] * 3)
    assert firehose.calls == [[b"x\nx\n", b"x\n"]]
    assert firehose.streams == {"orders-delivery"}


def test_replayed_changes_are_marked_and_fit_into_their_record() -> None:
    firehose = FakeFirehose()
    routes = routes_to(deployed_pipeline({"forwarder": {"max_record_kib": 1}}))
    lines = [b'{"a":"%s"}\n' % (b"x" * 490)] * 2
    writer = routed_writer(firehose, routes, 512, replayed=True, sleep=lambda _: None)
    writer.write(lines, ["lake-table"] * 2)
    marked = b'{"replayed":true,' + lines[0][1:]
    assert firehose.calls == [[marked, marked]]


def test_makes_no_call_without_lines() -> None:
    firehose = FakeFirehose()
    writer(firehose).write([])
    assert firehose.calls == []


@pytest.mark.parametrize(
    ("sizes", "calls", "pauses"),
    [
        # One second of the rate per call.
        ([512] * 5, [2, 2, 1], [1.0, 1.0]),
        # A record that exceeds a second of the rate is a call, and the next one waits for it.
        ([4096, 1], [1, 1], [4.0]),
    ],
)
def test_stays_within_the_rate(sizes: list[int], calls: list[int], pauses: list[float]) -> None:
    firehose, clock = FakeFirehose(), FakeClock()
    writer(firehose, clock, kib_per_second=1).write([b"x" * size for size in sizes])
    assert ([len(call) for call in firehose.calls], clock.pauses) == (calls, pauses)


def test_a_call_is_at_most_as_large_as_the_calls_of_handlers() -> None:
    firehose = FakeFirehose()
    writer(firehose, kib_per_second=1e6).write([b"x" * 262_144] * 9)
    assert [sum(map(len, call)) for call in firehose.calls] == [MAX_CALL_BYTES] * 2 + [262_144]


def test_retries_only_the_throttled_records() -> None:
    firehose = FakeFirehose({0}, THROTTLED)
    writer(firehose).write([b"a", b"b"])
    assert firehose.calls == [[b"a", b"b"], [b"a"], [b"a"]]


@pytest.mark.parametrize("error", ["ServiceUnavailableException", "AccessDeniedException"])
def test_reports_rejected_records_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], error: str
) -> None:
    with pytest.raises(CommandError) as failure:
        writer(FakeFirehose(then=client_error(error))).write([b"a", b"b"])
    assert failure.value.code == "firehose-rejected"
    details = {"stream": "orders", "failed": 2, "records": 2, "error": error}
    assert failure.value.details == details
    assert capsys.readouterr() == ("", "")


def test_each_lake_table_gets_its_own_changes() -> None:
    orders, customers, events = FakeFirehose(), FakeFirehose(), FakeFirehose()
    streams = {"orders": orders, "customers": customers, "events": events}
    routed = RoutedWriter({name: writer(stream) for name, stream in streams.items()})
    routed.write([b"1\n", b"2\n", b"2\n"], ["orders", "orders", "customers"])
    assert (orders.calls, customers.calls, events.calls) == ([[b"1\n", b"2\n"]], [[b"2\n"]], [])


def test_the_routes_of_a_command_are_those_of_the_forwarder() -> None:
    routes = routes_to(deployed_shop({"forwarder": {"max_changes_per_record": 2}}))
    named = [(each.name, each.stream, each.max_changes) for each in routes]
    assert named == [
        ("customers", "shop-customers-delivery", 2),
        ("events", "shop-events-delivery", 2),
        ("orders", "shop-orders-delivery", 2),
    ]
    conditions = [each.where and each.where.matches({"kind": {"S": "company"}}) for each in routes]
    assert conditions == [True, None, False]
    [only] = routes_to(deployed_pipeline())
    assert (only.name, only.stream, only.where) == ("lake-table", "orders-delivery", None)


def test_the_routes_to_chosen_lake_tables_have_the_order_of_their_names() -> None:
    chosen = routes_to(deployed_shop(), ["orders", "events"])
    assert [each.name for each in chosen] == ["events", "orders"]


def test_all_delivery_streams_share_the_rate() -> None:
    firehose, clock = FakeFirehose(), FakeClock()
    routed = routed_writer(firehose, routes_to(deployed_shop()), 1, clock=clock, sleep=clock.sleep)
    routed.write([b"x" * 1024] * 3, routed.lake_tables)
    assert clock.pauses == [1.0, 1.0]
    streams = {"shop-orders-delivery", "shop-customers-delivery", "shop-events-delivery"}
    assert firehose.streams == streams
