"""Firehose after the transform: objects of rows, and error records."""

import json
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from gzip import compress
from typing import NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.stages.delivery import ERROR_SUFFIX
from streaming_etl.components.table.lake_table import LakeTable
from tests.simulation.conversion import ConversionError, converted
from tests.simulation.lake import Lake
from tests.simulation.scenario import Scenario
from tests.simulation.world import World

EXPRESSION = re.compile(r"!\{([^:}]+):([^}]+)\}")
JAVA_TIMES = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}


ERROR_NAMES = ("errorCode", "errorMessage")
# Error code of rows while the Glue table differs from the transform's columns.
INVALID_SCHEMA = "DataFormatConversion.InvalidSchema"


class Record(NamedTuple):
    """Record that Firehose accepted, or one document of it after deaggregation."""

    id: str
    data: bytes
    arrived: int
    """Epoch milliseconds."""


Placed = tuple[Record, Mapping[str, str]]
"""A transformed record and its partition keys."""


class MissingKeyError(Exception):
    """The result has no value for a partition key."""


class Delivery:
    """Buffers each folder's records up to a size and a time."""

    def __init__(self, world: World, scenario: Scenario, lake: Lake) -> None:
        self.world, self.lake, self.deploy = world, lake, scenario.deploy
        self.table = scenario.table
        self.buffers = scenario.args.tables[ONLY_LAKE_TABLE].buffers
        self.stream_name = scenario.stream_name
        self.dynamic = scenario.args.partitions.dynamic
        self.zone = ZoneInfo(scenario.args.partitions.time_zone)
        self.waiting: dict[str, list[Placed]] = {}
        self.sizes: dict[str, int] = {}
        """Bytes of the buffers, by the same prefix."""

    def add(self, record: Record, keys: Mapping[str, str]) -> None:
        """Add a transformed record to its buffer."""
        try:
            # Buffers differ in partition keys only; an object's time is known at its end.
            prefix = self.evaluate(self.table.prefix_expression, 0, keys) if self.dynamic else ""
        except MissingKeyError as error:
            self.fail([record], "DynamicPartitioning.MetadataExtractionFailed", str(error), 1)
            return
        buffered = self.waiting.setdefault(prefix, [])
        buffered.append((record, keys))
        self.sizes[prefix] = self.sizes.get(prefix, 0) + len(record.data)
        if self.sizes[prefix] >= self.buffers.delivery_mib * 2**20:
            self.flush(prefix, buffered)
        elif len(buffered) == 1:
            self.world.after(self.buffers.delivery_seconds, self.flush, prefix, buffered)

    def flush(self, prefix: str, buffered: list[Placed]) -> None:
        """Write the object, unless it was full earlier."""
        if self.waiting.get(prefix) is not buffered:
            return
        del self.waiting[prefix], self.sizes[prefix]
        if self.table.format == "parquet":
            buffered = self.convert(buffered)
            if not buffered:
                return
        body = b"".join([record.data for record, _ in buffered])
        oldest = min(record.arrived for record, _ in buffered)
        age = self.world.now - oldest / 1000
        self.world.metrics.put("delivery_stream", "DeliveryToS3.DataFreshness", self.world.now, age)
        self.world.metrics.put("delivery_stream", "DeliveryToS3.Success", self.world.now, 1)
        prefix = self.evaluate(self.table.prefix_expression, oldest, buffered[0][1])
        if self.table.compression == "GZIP":
            body = compress(body, 1, mtime=0)
        for _ in range(1 + self.world.occurs("firehose writes an object twice")):
            number = len(self.lake.objects)
            extension = self.table.file_extension or ".parquet"
            name = f"{self.stream_name}-1-{oldest}-{number:08}{extension}"
            self.lake.put(f"{self.lake.data_path}{prefix}{name}", body)
        self.world.trace("object", prefix, len(buffered), crc32(body))

    def convert(self, buffered: list[Placed]) -> list[Placed]:
        """Convert records to the Glue table's types; dead-letter the others."""
        fitting = []
        failures: dict[str, list[Record]] = defaultdict(list)
        for record, keys in buffered:
            if self.world.occurs("firehose cannot convert a record"):
                failures[INVALID_SCHEMA].append(record)
                continue
            try:
                data = converted(record.data, self.glue_table)
                fitting.append((record._replace(data=data), keys))
            except ConversionError:
                failures["DataFormatConversion.ParseError"].append(record)
        for code, records in failures.items():
            self.fail(records, code, "The data does not match the schema.", 1)
        return fitting

    @property
    def glue_table(self) -> LakeTable:
        """Return the Glue table as it is now."""
        deploy = self.deploy
        is_before = deploy is not None and self.world.now < deploy.table_at
        return deploy.table if deploy is not None and is_before else self.table

    def fail(self, records: list[Record], code: str, message: str, attempts: int) -> None:
        """Write error records, one JSON line each.

        https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
        https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
        """
        if not records:
            return
        self.world.events[f"error records, {code}"] += len(records)
        is_conversion = code.startswith("DataFormatConversion")
        if is_conversion:
            metric = "FailedConversion.Records"
            self.world.metrics.put("delivery_stream", metric, self.world.now, len(records))
        names = ("lastErrorCode", "lastErrorMessage") if is_conversion else ERROR_NAMES
        lines = [
            json.dumps(
                {
                    "attemptsMade": attempts,
                    "arrivalTimestamp": record.arrived,
                    **dict(zip(names, (code, message), strict=True)),
                    "attemptEndingTimestamp": int(self.world.now * 1000),
                    "rawData": b64encode(record.data).decode(),
                    "lambdaARN": "arn:aws:lambda:ap-northeast-1:123456789012:function:transform",
                }
            )
            for record in records
        ]
        error_type = "format-conversion-failed" if is_conversion else "processing-failed"
        suffix = ERROR_SUFFIX.replace("!{firehose:error-output-type}", error_type)
        prefix = self.evaluate(suffix, records[0].arrived, {})
        key = f"{self.lake.errors_path}{prefix}{self.stream_name}-{len(self.lake.objects):08}"
        self.lake.put(key, "\n".join(lines).encode())
        self.world.trace("errors", code, *(record.id for record in records))

    def evaluate(self, prefix: str, arrived: int, keys: Mapping[str, str]) -> str:
        """Return the prefix with its expressions evaluated.

        https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        """
        time = datetime.fromtimestamp(arrived / 1000, self.zone)

        def value(match: re.Match[str]) -> str:
            kind, name = match.groups()
            if kind == "timestamp":
                return re.sub("yyyy|MM|dd|HH", lambda part: f"{time:{JAVA_TIMES[part[0]]}}", name)
            if kind != "partitionKeyFromLambda":
                raise ValueError(f"Firehose does not support {kind}:{name}")
            if not keys.get(name):
                raise MissingKeyError(f"partition key {name} is missing")
            return keys[name]

        return EXPRESSION.sub(value, prefix)
