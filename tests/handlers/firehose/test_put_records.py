"""Records are accepted within Firehose's limits, or reported as not accepted."""

import json
import time

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from streaming_etl.handlers.firehose.deadline import TRANSFORM_MARGIN_SECONDS, deadline_of
from streaming_etl.handlers.firehose.put_records import firehose, put_records
from tests.support.fake_aws import THROTTLED, FakeClock, FakeContext, FakeFirehose, client_error

TIMED_OUT = ReadTimeoutError(endpoint_url="https://firehose")


def put(client, records, clock=None, seconds=10.0, jitter=lambda: 1.0):
    clock = clock or FakeClock()
    return put_records(
        client, "orders", records, clock() + seconds, clock=clock, sleep=clock.sleep, jitter=jitter
    )


def numbered(count, size=0):
    return [b"%d" % number + b"x" * size for number in range(count)]


def test_no_records_need_no_call():
    fake = FakeFirehose()
    assert (put(fake, []), fake.calls) == ([], [])


def test_sends_501_records_in_two_calls():
    fake, records = FakeFirehose(), numbered(501)
    assert put(fake, records) == []
    assert (fake.streams, fake.calls) == ({"orders"}, [records[:500], records[500:]])


def test_a_call_has_at_most_a_mib():
    fake, records = FakeFirehose(), [b"x" * 131_072] * 17
    assert put(fake, records) == []
    assert [len(call) for call in fake.calls] == [8, 8, 1]


def test_retries_only_rejected_records():
    fake, clock, records = FakeFirehose({1, 3}, {1}), FakeClock(), numbered(5)
    assert put(fake, records, clock) == []
    assert fake.calls == [records, [records[1], records[3]], [records[3]]]
    assert clock.pauses == [0.1, 0.2]


@pytest.mark.parametrize("error", [THROTTLED, TIMED_OUT])
def test_retries_all_records_of_a_failed_call(error):
    fake, clock, records = FakeFirehose(error, error), FakeClock(), numbered(3)
    assert put(fake, records, clock) == []
    assert (fake.calls, clock.pauses) == ([records] * 3, [0.1, 0.2])


def test_pauses_double_up_to_five_seconds_with_jitter():
    fake, clock = FakeFirehose(*[THROTTLED] * 9), FakeClock()
    chances = iter([0.5, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert put(fake, numbered(1), clock, 100.0, lambda: next(chances)) == []
    assert clock.pauses == [0.05, 0.2, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_returns_before_the_deadline_with_the_records_not_accepted(capsys):
    fake, clock, records = FakeFirehose({2, 4}, then={0, 1}), FakeClock(), numbered(6)
    start = clock()
    assert put(fake, records, clock, 1.0) == [2, 4]
    assert clock() - start < 1.0
    assert fake.calls == [records, *[[records[2], records[4]]] * 3]
    assert json.loads(capsys.readouterr().out) == {
        "level": "ERROR",
        "message": "records not accepted",
        "records": 2,
        "error": "ServiceUnavailableException",
    }


def test_makes_the_first_call_even_after_the_deadline():
    fake, records = FakeFirehose(), numbered(501)
    assert put(fake, records, seconds=-1.0) == [500]
    assert fake.calls == [records[:500]]


def test_makes_no_call_after_the_deadline_if_another_stream_had_one(capsys):
    fake, clock = FakeFirehose(), FakeClock()
    records = numbered(2)
    assert put_records(fake, "orders", records, 999.0, must_call=False, clock=clock) == [0, 1]
    assert fake.calls == []
    assert json.loads(capsys.readouterr().out)["error"] == "out of time"
    assert put_records(fake, "orders", records, 1001.0, must_call=False, clock=clock) == []


def test_sends_nothing_after_records_that_were_not_accepted():
    fake, records = FakeFirehose((), then={7}), numbered(1200)
    failed = put(fake, records, seconds=0.05)
    assert failed == [507, *range(1000, 1200)]
    assert fake.calls == [records[:500], records[500:1000]]


@pytest.mark.parametrize(
    "code",
    ["AccessDeniedException", "ResourceNotFoundException", "InvalidArgumentException"],
)
def test_does_not_retry_an_error_that_is_not_retryable(code, capsys):
    fake, clock, records = FakeFirehose(then=client_error(code)), FakeClock(), numbered(3)
    assert put(fake, records, clock) == [0, 1, 2]
    assert (len(fake.calls), clock.pauses) == (1, [])
    assert json.loads(capsys.readouterr().out)["error"] == code


@pytest.mark.parametrize("code", ["ServiceUnavailableException", "InternalFailure"])
def test_a_record_with_any_error_is_not_accepted(code):
    class RejectingFirehose:
        def put_record_batch(self, **_):
            results = [{"RecordId": "1"}, {"ErrorCode": code, "ErrorMessage": "failed"}]
            return {"FailedPutCount": 1, "RequestResponses": results}

    assert put(RejectingFirehose(), numbered(2), seconds=0.05) == [1]


@pytest.mark.parametrize("results", [0, 1, 3])
def test_raises_if_records_and_results_differ_in_number(results):
    class ShortFirehose:
        def put_record_batch(self, **_):
            return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "1"}] * results}

    with pytest.raises(ValueError, match="zip"):
        put(ShortFirehose(), numbered(2))


def test_matches_botocore_s_request_and_response():
    client = boto3.client(
        "firehose", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        for data, results in [
            ([b"a", b"b"], [{"RecordId": "1"}, {"ErrorCode": "X", "ErrorMessage": "slow"}]),
            ([b"b"], [{"RecordId": "2"}]),
        ]:
            stub.add_response(
                "put_record_batch",
                {"FailedPutCount": len(results) - 1, "RequestResponses": results},
                {"DeliveryStreamName": "orders", "Records": [{"Data": item} for item in data]},
            )
        assert put(client, [b"a", b"b"]) == []
        stub.assert_no_pending_responses()


def test_a_call_at_the_deadline_ends_before_the_functions_timeout(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    config = firehose().meta.config
    assert config.retries["total_max_attempts"] == 1
    context = FakeContext()
    left = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - deadline_of(context)
    assert config.connect_timeout + config.read_timeout < left < 15
    # After its last change, the transform has time for calls that Firehose throttles.
    assert left + 5 < TRANSFORM_MARGIN_SECONDS <= 20
