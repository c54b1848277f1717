"""Writes changes to a pipeline's delivery streams, aggregated and rate-limited."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

from streaming_etl.handlers.firehose.batching import groups
from streaming_etl.handlers.firehose.put_records import (
    MAX_CALL_BYTES,
    MAX_CALL_RECORDS,
    put_records,
)
from streaming_etl.handlers.pacing import RateLimiter
from streaming_etl.handlers.wire.change_line import replayed_line
from streaming_etl.handlers.wire.routing import Route, route_of
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline

# How long a call is retried before the command fails.
RETRY_SECONDS = 120.0

# Half of the quota of a stream in most regions, so that the pipeline's own changes have the rest.
# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
DEFAULT_KIB_PER_SECOND = 512.0


class FirehoseWriter:
    """Writes lines to one delivery stream at `kib_per_second`; threads may share it.

    max_changes, max_bytes: limits of one Firehose record.
    limiter: the budget, where several writers share it. replayed: marks changes as replayed.
    """

    def __init__(
        self,
        client: Any,
        stream: str,
        *,
        max_changes: int,
        max_bytes: int,
        kib_per_second: float,
        limiter: Optional[RateLimiter] = None,
        replayed: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._stream = stream
        self._replayed = replayed
        self._max_changes, self._max_bytes = max_changes, max_bytes
        self._bytes_per_second = kib_per_second * 1024
        self._limiter = limiter or RateLimiter(self._bytes_per_second, clock=clock, sleep=sleep)
        self._clock, self._sleep, self._jitter = clock, sleep, jitter

    def write(self, lines: Sequence[bytes]) -> None:
        """Write changes, one per line with its line break.

        Returns once Firehose has accepted all; raises CommandError when it rejects some.
        """
        if self._replayed:
            lines = [*map(replayed_line, lines)]
        ranges = groups(lines, self._max_changes, self._max_bytes)
        records = [b"".join(lines[part.start : part.stop]) for part in ranges]
        # At most one second of the rate per call, so that the pipeline's own calls come in between.
        max_bytes = min(MAX_CALL_BYTES, int(self._bytes_per_second))
        for call in groups(records, MAX_CALL_RECORDS, max_bytes):
            self._call(records[call.start : call.stop])

    def _call(self, records: Sequence[bytes]) -> None:
        self._limiter.take(sum(map(len, records)))
        failure: dict[str, Any] = {}
        failed = put_records(
            self._client,
            self._stream,
            records,
            self._clock() + RETRY_SECONDS,
            clock=self._clock,
            sleep=self._sleep,
            jitter=self._jitter,
            # The handlers' log would be part of the command's output.
            report=lambda *_, **fields: failure.update(fields),
        )
        if failed:
            raise CommandError(
                f"Firehose rejected {len(failed)} of {len(records)} records for {self._stream}: "
                f"{failure['error']}. Run the same command again; use a lower --kib-per-second if "
                "the stream is throttled.",
                code="firehose-rejected",
                stream=self._stream,
                failed=len(failed),
                records=len(records),
                error=failure["error"],
            )


class RoutedWriter:
    """Writes the changes of each lake table to its delivery stream.

    writers: by the lake tables' names.
    """

    def __init__(self, writers: Mapping[str, FirehoseWriter]) -> None:
        self._writers = writers

    @property
    def lake_tables(self) -> list[str]:
        """The names of the lake tables."""
        return [*self._writers]

    def write(self, lines: Sequence[bytes], lake_tables: Sequence[str]) -> None:
        """Write changes; `lake_tables` has the lake table of each.

        Raises CommandError when Firehose rejects some. Then some lake tables have all of their
        changes, and get them again when the command continues.
        """
        for name, writer in self._writers.items():
            some = [line for line, each in zip(lines, lake_tables, strict=True) if each == name]
            if some:
                writer.write(some)


def routes_to(pipeline: DeployedPipeline, lake_tables: Sequence[str] = ()) -> list[Route]:
    """Return the forwarder's routes to lake tables, by default to all."""
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.components.table.routing import pipeline_forwarder_config

    tables = pipeline.select(lake_tables)
    streams = {name: table.delivery_stream for name, table in tables.items()}
    routes = pipeline_forwarder_config(pipeline.args)["routes"]
    return [route_of(route, streams) for route in routes if route["name"] in streams]


def routed_writer(
    client: Any,
    routes: Sequence[Route],
    kib_per_second: float,
    *,
    replayed: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> RoutedWriter:
    """Return a writer that aggregates each route's records like the forwarder.

    kib_per_second: the rate of all delivery streams together. replayed: marks changes as replayed.
    """
    limiter = RateLimiter(kib_per_second * 1024, clock=clock, sleep=sleep)
    return RoutedWriter(
        {
            route.name: FirehoseWriter(
                client,
                route.stream,
                max_changes=route.max_changes,
                max_bytes=route.max_bytes,
                kib_per_second=kib_per_second,
                limiter=limiter,
                replayed=replayed,
                clock=clock,
                sleep=sleep,
                jitter=jitter,
            )
            for route in routes
        }
    )
