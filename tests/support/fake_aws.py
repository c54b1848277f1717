"""Fakes of what the handlers call: Firehose, time, Lambda's context."""

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

from botocore.exceptions import ClientError


def client_error(code: str) -> ClientError:
    """Error of a call that AWS rejects with `code`."""
    return ClientError({"Error": {"Code": code, "Message": "rejected"}}, "PutRecordBatch")


THROTTLED = client_error("ServiceUnavailableException")


class FakeFirehose:
    """Accepts PutRecordBatch calls; fails the test for an invalid call.

    Each response is for one call: an exception to raise, or the positions of the records to
    reject. After `responses`, every call gets `then`.
    """

    def __init__(self, *responses: Any, then: Any = ()) -> None:
        self.calls: list[list[bytes]] = []
        self.calls_by_stream: dict[str, list[list[bytes]]] = {}
        self._responses = chain(responses, repeat(then))

    @property
    def streams(self) -> set[str]:
        """The delivery streams that were called."""
        return {*self.calls_by_stream}

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"DeliveryStreamName", "Records"}
        data = [record["Data"] for record in request["Records"]]
        assert 1 <= len(data) <= 500
        assert sum(map(len, data)) <= 4_194_304
        assert all(len(content) <= 1_024_000 for content in data)
        self.calls_by_stream.setdefault(request["DeliveryStreamName"], []).append(data)
        self.calls.append(data)
        assert len(self.calls) <= 50, "the retries do not end"
        response = next(self._responses)
        if isinstance(response, Exception):
            raise response
        return {
            "FailedPutCount": len(response),
            "Encrypted": False,
            "RequestResponses": [
                {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
                if position in response
                else {"RecordId": f"record-{position}"}
                for position in range(len(data))
            ],
        }


class FakeClock:
    """Time that passes only by sleeping; `pauses` are the sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class FakeContext:
    """Lambda's context, as far as the handlers use it."""

    function_name = "orders-transform-function"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class FakeDelivery:
    """Function that accepts records, and returns `failing` as the indexes not accepted."""

    def __init__(self, failing: Iterable[int] = ()) -> None:
        self.records: list[bytes] = []
        self.calls = 0
        self._failing = list(failing)

    def __call__(self, records: list[bytes]) -> list[int]:
        self.records += records
        self.calls += 1
        return self._failing
