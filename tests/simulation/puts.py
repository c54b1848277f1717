"""PutRecordBatch as AWS answers it: refused, throttled whole or in part, timed out, or taken."""

from collections.abc import Callable
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from tests.simulation.scenario import STREAM_NAME
from tests.simulation.user_module import KilledError
from tests.simulation.world import World

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024

# How long the functions' client waits for a connection and for an answer.
CONNECT_SECONDS = 2
READ_SECONDS = 8


class Client:
    """The Firehose client of both functions.

    `take` receives what a call delivers, and whether the function learns of it.
    """

    def __init__(self, world: World, take: Callable[[list[bytes], bool], None]) -> None:
        self.world, self.take = world, take

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        world, function = self.world, self.world.running
        chance = world.chance("puts")
        data = [bytes(record["Data"]) for record in request["Records"]]
        who = function.name
        world.trace(who, "puts", *map(crc32, data))
        if world.strikes(f"{who} is killed before a put"):
            raise KilledError
        if world.strikes(f"{who} put times out and is not taken"):
            function.wait(CONNECT_SECONDS)
            raise ConnectTimeoutError(endpoint_url="https://firehose")
        seconds = 0.001 * chance.randint(5, 80)
        if world.strikes(f"{who} put is slow"):
            seconds = chance.random() * READ_SECONDS
        timed_out = world.strikes(f"{who} put times out and is taken")
        if timed_out:
            seconds = chance.random() * CONNECT_SECONDS + READ_SECONDS
        function.wait(seconds)
        self.refuse(who, request["DeliveryStreamName"], data)
        failed = set()
        if world.strikes(f"{who} put is throttled in part"):
            # The same ones every time, so that some calls are given up with a part put.
            share = chance.choice((10, 50, 90))
            failed = {i for i, content in enumerate(data) if crc32(content) % 100 < share}
        taken = [content for index, content in enumerate(data) if index not in failed]
        self.take(taken, not timed_out)
        if world.strikes(f"{who} is killed after a put"):
            raise KilledError
        if timed_out:
            raise ReadTimeoutError(endpoint_url="https://firehose")
        return {
            "FailedPutCount": len(failed),
            "Encrypted": True,
            "RequestResponses": [
                {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
                if index in failed
                else {"RecordId": f"record-{index}"}
                for index in range(len(data))
            ],
        }

    def refuse(self, who: str, stream: str, data: list[bytes]) -> None:
        """Raise what AWS answers to a call that it does not take at all."""
        if stream != STREAM_NAME:
            self.wrong(who, "ResourceNotFoundException")
        if not 1 <= len(data) <= MAX_RECORDS or sum(map(len, data)) > MAX_CALL_BYTES:
            self.wrong(who, "InvalidArgumentException")
        if any(len(content) > MAX_RECORD_BYTES for content in data):
            self.wrong(who, "InvalidArgumentException")
        if self.world.strikes(f"{who} put is refused"):
            raise client_error("AccessDeniedException")
        if self.world.strikes(f"{who} put is throttled"):
            raise client_error("ServiceUnavailableException")

    def wrong(self, who: str, code: str) -> None:
        self.world.complaints.append(f"{who} makes a call that AWS refuses: {code}")
        raise client_error(code)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, "PutRecordBatch")
