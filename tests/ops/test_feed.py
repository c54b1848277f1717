"""Changes onto the delivery stream: packed as the forwarder packs, at no more than the rate."""

import threading

import pytest

from streaming_etl.handlers.firehose.put_records import MAX_CALL_BYTES
from streaming_etl.ops.firehose_writer import Feed
from streaming_etl.stack.errors import CommandError
from tests.handlers.fakes import THROTTLED, FakeClock, FakeFirehose, client_error


def feed(client: FakeFirehose, clock: FakeClock, *, kib_per_second: float = 512.0) -> Feed:
    return Feed(
        client,
        "orders",
        max_changes=3,
        max_bytes=100,
        kib_per_second=kib_per_second,
        clock=clock,
        sleep=clock.sleep,
        jitter=lambda: 1.0,
    )


def slept(clock: FakeClock) -> list[float]:
    return [pause for pause in clock.pauses if pause]


def test_lines_are_packed_by_count_and_by_size() -> None:
    firehose = FakeFirehose()
    lines = [b"%d\n" % number for number in range(4)] + [b"x" * 99 + b"\n", b"y\n"]

    feed(firehose, FakeClock()).put(lines)

    assert firehose.calls == [[b"0\n1\n2\n", b"3\n", b"x" * 99 + b"\n", b"y\n"]]
    assert firehose.streams == {"orders"}


def test_no_lines_make_no_call() -> None:
    firehose = FakeFirehose()
    feed(firehose, FakeClock()).put([])
    assert firehose.calls == []


def test_records_go_no_faster_than_the_rate() -> None:
    firehose, clock = FakeFirehose(), FakeClock()
    ours = feed(firehose, clock, kib_per_second=1)

    ours.put_packed([b"x" * 512] * 5)
    ours.put_packed([b"x" * 512])

    # A second's worth in a call, and the next when its second is over.
    assert [len(call) for call in firehose.calls] == [2, 2, 1, 1]
    assert slept(clock) == [1.0, 1.0, 0.5]


def test_time_that_went_by_without_a_put_is_not_caught_up_with() -> None:
    firehose, clock = FakeFirehose(), FakeClock()
    ours = feed(firehose, clock, kib_per_second=1)
    clock.now += 100
    ours.put_packed([b"x" * 512] * 4)
    assert slept(clock) == [1.0]


def test_a_record_larger_than_a_second_of_the_rate_goes_alone_and_is_paid_for() -> None:
    firehose, clock = FakeFirehose(), FakeClock()
    feed(firehose, clock, kib_per_second=1).put_packed([b"x" * 4096, b"y"])
    assert [len(call) for call in firehose.calls] == [1, 1]
    assert slept(clock) == [4.0]


def test_a_call_stays_within_what_the_handlers_send() -> None:
    firehose = FakeFirehose()
    feed(firehose, FakeClock(), kib_per_second=1e6).put_packed([b"x" * 262_144] * 9)
    assert [sum(map(len, call)) for call in firehose.calls] == [MAX_CALL_BYTES] * 2 + [262_144]


def test_what_is_throttled_is_sent_again_and_alone() -> None:
    firehose = FakeFirehose({0}, THROTTLED)
    feed(firehose, FakeClock()).put_packed([b"a", b"b"])
    assert firehose.calls == [[b"a", b"b"], [b"a"], [b"a"]]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (THROTTLED, "ServiceUnavailableException"),
        (client_error("AccessDeniedException"), "AccessDeniedException"),
    ],
)
def test_what_is_not_taken_is_an_error_with_its_reason_and_prints_nothing(
    capsys: pytest.CaptureFixture[str], answer: Exception, reason: str
) -> None:
    firehose, clock = FakeFirehose(then=answer), FakeClock()
    with pytest.raises(CommandError) as error:
        feed(firehose, clock).put_packed([b"a", b"b"])
    assert str(error.value) == (
        f"Firehose did not take 2 of 2 records for orders: {reason}. Run the same command again; "
        "where the stream is too busy, with a lower --kib-per-second."
    )
    # The handlers' log would stand in the command's own output.
    assert capsys.readouterr() == ("", "")


def test_threads_that_share_a_feed_share_its_rate() -> None:
    firehose = FakeFirehose()
    pauses: list[float] = []
    ours = Feed(
        firehose,
        "orders",
        max_changes=1,
        max_bytes=1,
        kib_per_second=1,
        clock=lambda: 0.0,
        sleep=pauses.append,
    )
    threads = [threading.Thread(target=ours.put_packed, args=[[b"x" * 1024]]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(pauses) == [0.0, 1.0, 2.0, 3.0]
