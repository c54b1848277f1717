"""PutRecordBatch of AWS: accepted, rejected, throttled or timed out."""

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from streaming_etl.ops.firehose_writer import FirehoseWriter, RoutedWriter
from tests.simulation.scenario import Scenario
from tests.simulation.user_module import KilledError
from tests.simulation.world import World

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
MAX_RECORDS = 500
MAX_CALL_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 1000 * 1024

# Time-outs of the functions' client for a connection and for a response.
CONNECT_SECONDS = 2
READ_SECONDS = 8

# Rate of the commands.
KIB_PER_SECOND = 512


class Client:
    """Firehose client of all functions.

    accept: by stream, receives the accepted records of a call, and whether the function gets the
    response.
    failing: the stream with the faults of one stream.
    """

    def __init__(
        self,
        world: World,
        accept: Mapping[str, Callable[[list[bytes], bool], None]],
        failing: str | None,
    ) -> None:
        self.world, self.accept, self.failing = world, accept, failing

    def put_record_batch(self, **request: Any) -> dict[str, Any]:
        world, function = self.world, self.world.running
        chance = world.chance("puts")
        data = [bytes(record["Data"]) for record in request["Records"]]
        who, stream = function.name, str(request["DeliveryStreamName"])
        world.trace(who, "puts", stream, *map(crc32, data))
        if world.occurs(f"{who} is killed before a put"):
            raise KilledError
        if world.occurs(f"{who} put times out and is not accepted"):
            function.wait(CONNECT_SECONDS)
            raise ConnectTimeoutError(endpoint_url="https://firehose")
        seconds = 0.001 * chance.randint(5, 80)
        if world.occurs(f"{who} put is slow"):
            seconds = chance.random() * READ_SECONDS
        fails = stream == self.failing
        if fails and world.occurs("one stream is slow"):
            seconds = READ_SECONDS
        timed_out = world.occurs(f"{who} put times out and is accepted")
        if timed_out:
            seconds = chance.random() * CONNECT_SECONDS + READ_SECONDS
        function.wait(seconds)
        self.validate(who, stream, data)
        failed = set()
        if world.occurs(f"{who} put is throttled in part"):
            # The same records every time, so that retries of some calls are exhausted in part.
            share = chance.choice((10, 50, 90))
            failed = {i for i, content in enumerate(data) if crc32(content) % 100 < share}
        self.count_throttled(len(failed))
        accepted = [content for index, content in enumerate(data) if index not in failed]
        self.accept[stream](accepted, not timed_out)
        if world.occurs(f"{who} is killed after a put"):
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

    def validate(self, who: str, stream: str, data: list[bytes]) -> None:
        """Raise the error of a call that AWS rejects entirely."""
        if stream not in self.accept:
            self.reject(who, "ResourceNotFoundException")
        if not 1 <= len(data) <= MAX_RECORDS or sum(map(len, data)) > MAX_CALL_BYTES:
            self.reject(who, "InvalidArgumentException")
        if any(len(content) > MAX_RECORD_BYTES for content in data):
            self.reject(who, "InvalidArgumentException")
        fails = stream == self.failing
        if self.world.occurs(f"{who} put is rejected") or (
            fails and self.world.occurs("one stream rejects calls")
        ):
            raise client_error("AccessDeniedException")
        if self.world.occurs(f"{who} put is throttled") or (
            fails and self.world.occurs("one stream is throttled")
        ):
            self.count_throttled(len(data))
            raise client_error("ServiceUnavailableException")

    def count_throttled(self, records: int) -> None:
        self.world.metrics.put("delivery_stream", "ThrottledRecords", self.world.now, records)

    def reject(self, who: str, code: str) -> None:
        self.world.violations.append(f"{who} makes a call that AWS rejects: {code}")
        raise client_error(code)


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "rejected"}}, "PutRecordBatch")


def routed_writer_of(
    client: Client, world: World, scenario: Scenario, sleep: Callable[[float], None]
) -> RoutedWriter:
    """Return the commands' writer for all lake tables of a stream."""
    return RoutedWriter(
        {each.name: writer_of(client, world, each, sleep) for each in scenario.lake_tables}
    )


def writer_of(
    client: Client, world: World, scenario: Scenario, sleep: Callable[[float], None]
) -> FirehoseWriter:
    """Return the commands' writer with a lake table's limits."""
    limits = scenario.args.forwarder
    return FirehoseWriter(
        client,
        scenario.stream_name,
        max_changes=limits.max_changes_per_record,
        max_bytes=limits.max_record_kib * 1024,
        kib_per_second=KIB_PER_SECOND,
        clock=lambda: world.now,
        sleep=sleep,
        jitter=world.chance("jitter").random,
    )
