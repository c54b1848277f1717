"""Changes for which an invocation has no time are requeued."""

import json
from math import inf
from types import SimpleNamespace

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.firehose import deadline, put_records
from streaming_etl.handlers.transform import RequeueError, transform_records
from tests.handlers.scripted import order, scripted, wide
from tests.support.changes import firehose_records, line
from tests.support.fake_aws import FakeClock, FakeContext, FakeDelivery, FakeFirehose
from tests.support.rows import rows_of, runtime


@pytest.fixture
def clock(monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr(transform, "monotonic", clock)
    return clock


@pytest.fixture
def run(clock):
    """Invoke with changes of a second each; return results, requeued records, seconds."""

    def run(*contents, seconds=inf, partition_keys=()):
        def slow(change):
            clock.now += 1
            return scripted(change)

        requeue, start = FakeDelivery(), clock.now
        using = runtime(slow, None, partition_keys)
        response = transform_records(
            firehose_records(*contents), using, requeue, deadline=start + seconds
        )
        return shape(response["records"]), requeue.records, clock.now - start

    return run


def shape(results):
    return [
        [row["id"] for row in rows_of(result)] if "data" in result else result["result"]
        for result in results
    ]


def joined(*lines):
    return b"".join(lines).strip()


def test_requeues_the_records_after_the_deadline_as_they_are(run, capsys):
    contents = [line(1), line(2) + line(3), b"\n" + line(4) + b"\n" + line(5), b"junk", b"\n"]
    results, requeued, seconds = run(*contents, seconds=1)
    assert (results, seconds) == ([["o-1"], "Dropped", "Dropped", "Dropped", "Dropped"], 1)
    assert requeued == [joined(line(2), line(3)), joined(line(4), line(5)), b"junk"]
    [late, summary] = map(json.loads, capsys.readouterr().out.splitlines())
    assert late == {"level": "WARNING", "message": "out of time", "changes": 1, "requeued": 5}
    assert (summary["changes"], summary["requeued"]) == (1, 5)


def test_requeues_the_changes_of_a_record_after_the_deadline(run):
    content = b"\n" + line(1) + b"\n" + order(2, "fail") + line(3) + b"junk\n" + line(4)
    results, requeued, _ = run(content, seconds=2)
    assert results == [["o-1"]]
    assert sorted(requeued) == sorted(
        [order(2, "fail").strip(), line(3) + b"junk\n" + line(4).strip()]
    )


def test_requeues_the_chunks_that_are_not_decoded(run):
    lines = [line(0), order(1, "fail")]
    lines += [line(number, text={"S": "x" * 15_000}) for number in range(2, 6)]
    results, requeued, _ = run(b"".join([*lines, b"junk"]), seconds=3)
    assert results == [["o-0", "o-2"]]
    assert sorted(requeued) == sorted([lines[1].strip(), b"".join([*lines[3:], b"junk"])])


def test_transforms_the_first_change_after_the_deadline_too(run):
    results, requeued, seconds = run(b"\n", line(1) + line(2), line(3), seconds=-1)
    assert (results, seconds) == (["Dropped", ["o-1"], "Dropped"], 1)
    assert requeued == [line(2).strip(), line(3).strip()]


def test_a_failed_change_before_others_is_requeued_alone(run):
    results, requeued, _ = run(order(1, "fail") + line(2), seconds=1)
    assert results == ["Dropped"]
    assert sorted(requeued) == sorted([order(1, "fail").strip(), line(2).strip()])


def test_a_change_too_large_before_others_is_requeued_alone(run):
    results, requeued, _ = run(wide(1, 4_500_000) + line(2), seconds=1)
    assert results == ["Dropped"]
    assert sorted(requeued) == sorted([wide(1, 4_500_000).strip(), line(2).strip()])


@pytest.mark.parametrize("seconds", [-1, 1, 2, 3, 7])
@pytest.mark.parametrize("partition_keys", [[], ["store"]])
def test_requeueing_for_time_ends_with_one_outcome_per_change(run, seconds, partition_keys):
    dos = ["", "fail", "", "filter", "", "return a text", ""]
    changes = [order(number, do, store={"S": "ab"[number % 2]}) for number, do in enumerate(dos)]
    contents = [b"".join(changes[:4]), b"\n", b"".join(changes[4:]), b"junk"]
    rows, failed, invocations = [], 0, 0
    while contents:
        # A record of n changes can be divided n - 1 times, and each invocation ends or divides one.
        assert invocations <= 2 * (len(changes) + 1)
        results, contents, _ = run(*contents, seconds=seconds, partition_keys=partition_keys)
        failed += results.count("ProcessingFailed")
        rows += [each for result in results if isinstance(result, list) for each in result]
        invocations += 1
    assert (sorted(rows), failed) == (["o-0", "o-2", "o-4", "o-6"], 3)


@pytest.fixture
def invoke(clock, monkeypatch):
    """Invoke the handler for 60 seconds, with changes of `seconds` each."""

    def invoke(fake, seconds, contents, loading=0):
        def slow(change):
            clock.now += seconds
            return scripted(change)

        def load():
            clock.now += loading
            return runtime(slow)

        ends = clock.now + 60

        class Context(FakeContext):
            def get_remaining_time_in_millis(self):
                return int((ends - clock.now) * 1000)

        monkeypatch.setattr(transform, "load_runtime", load)
        monkeypatch.setattr(put_records, "firehose", lambda: fake)
        event = {"deliveryStreamArn": "a/orders", "records": firehose_records(*contents)}
        response = transform.lambda_handler(event, Context())
        return shape(response["records"]), ends - clock.now

    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=clock))
    for name, value in {"clock": clock, "sleep": clock.sleep}.items():
        monkeypatch.setitem(put_records.put_records.__kwdefaults__, name, value)
    return invoke


def test_the_handler_stops_in_time_to_requeue(invoke):
    fake = FakeFirehose()
    results, left = invoke(fake, 3, [line(number) for number in range(30)])
    assert [*map(len, filter(lambda it: it != "Dropped", results))] == [1] * 14
    assert fake.calls == [[line(number).strip() for number in range(14, 30)]]
    assert 15 < left <= 20


def test_the_handler_counts_the_time_to_load_the_module(invoke):
    fake = FakeFirehose()
    results, _ = invoke(fake, 1, [line(1), line(2)], loading=50)
    assert results == [["o-1"], "Dropped"]


def test_the_handler_fails_if_a_slow_change_leaves_no_time_to_requeue(invoke):
    throttled = FakeFirehose(then={0})
    with pytest.raises(RequeueError):
        invoke(throttled, 55, [line(1), line(2)])
    assert len(throttled.calls) == 1
