"""Settings of the partitions of a lake table."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources

from streaming_etl.components.settings.validation import (
    Problem,
    Related,
    Settings,
    invalid,
    limited,
    list_problems,
    one_of,
    text,
)

GRANULARITIES = ("year", "month", "day", "hour")
TIME_KEYS = (*GRANULARITIES, "dt")

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
FIREHOSE_TIME_ZONE = re.compile(r"[a-zA-Z/_]+")
KEY_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
# A value becomes part of a prefix, and an entry of projection's comma-separated list, where Trino
# removes spaces at both ends. S3 counts bytes: a key has at most 1,024.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
KEY_VALUE = {
    "pattern": re.compile(r"(?s)(?! ).{1,255}(?<! )"),
    "kind": "text of 1 to 255 characters without a space at either end",
    "most_bytes": 255,
}
# Firehose's prefix syntax, Hive's folders and projection's list use / = % { } and the comma. With
# projection Athena escapes " # ' * : ? [ \ ] ^ in an object's location, which Firehose does not,
# and fails for $.
FORBIDDEN_IN_VALUE = re.compile(r"""["#$%'*,/:=?\[\\\]^{}\x00-\x1f\x7f-\x9f\ud800-\udfff]""")
KEY_VALUES = {"least": 0, "most": 10_000, "entry": KEY_VALUE}
# Firehose accepts 50 partition keys, of which time may need four.
# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_DYNAMIC_PARTITION_KEYS = 46


@dataclass(frozen=True, kw_only=True)
class PartitionArgs(Settings):
    """Partition keys of the lake table, of time and of the rows."""

    granularity: str = one_of(*GRANULARITIES, default="day")
    """Finest time partition: year, month, day or hour. A change needs a new `glue_table_name`."""
    layout: str = one_of("year_month_day", "date")
    """`year_month_day`: year=2026/month=11/day=23/; `date`: dt=2026-11-23/. A change needs a new
    `glue_table_name`."""
    time_zone: str = text("UTC")
    """IANA name of the time zone of the time partitions. A change needs a new
    `glue_table_name`."""
    partition_time: str = one_of("ingestion", "event")
    """`ingestion`: when Firehose receives the change; `event`: when the change was made, by dynamic
    partitioning. A change needs a new `glue_table_name`, and replaces the delivery stream."""
    dynamic_partition_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Partition keys that each row contains, with their possible values. An empty list allows any
    value; with projection every query must then contain `key = ...`. Other keys, another order and
    fewer values need a new `glue_table_name`. A change between none and some replaces the delivery
    stream."""
    projection_start_year: int = limited(2026, 2000, 2100, "The lake's first year is in this range")
    """First year of partition projection, 2000 to 2100. Each year costs a query one listing per
    partition. A later year needs a new `glue_table_name`, because rows before it are not read."""

    def further_problems(self) -> Iterator[Problem]:
        if self.layout == "date" and self.granularity not in ("day", "hour"):
            layout = Related("layout", self.layout)
            yield invalid("granularity", self.granularity, "conflict", layout, kind="day or hour")
        if self.time_zone not in known_time_zones():
            yield invalid("time_zone", self.time_zone, "time-zone")
        elif not FIREHOSE_TIME_ZONE.fullmatch(self.time_zone):
            yield invalid("time_zone", self.time_zone, "firehose-time-zone")
        keys = self.dynamic_partition_keys
        if len(keys) > MAX_DYNAMIC_PARTITION_KEYS:
            most = MAX_DYNAMIC_PARTITION_KEYS
            yield invalid("dynamic_partition_keys", len(keys), "too-many", most=most)
        for name, values in keys.items():
            yield from partition_key_problems(name, values)

    @property
    def dynamic(self) -> bool:
        """Whether Firehose takes partition keys from the transform (dynamic partitioning)."""
        return bool(self.dynamic_partition_keys) or self.partition_time == "event"

    @property
    def time_keys(self) -> tuple[str, ...]:
        """Time partition keys, from coarse to fine."""
        if self.layout == "date":
            return ("dt", "hour") if self.granularity == "hour" else ("dt",)
        return GRANULARITIES[: GRANULARITIES.index(self.granularity) + 1]

    @property
    def keys(self) -> tuple[str, ...]:
        """All partition keys, in the order of the prefix."""
        return (*self.dynamic_partition_keys, *self.time_keys)


@cache
def known_time_zones() -> frozenset[str]:
    """All IANA zones of the pinned tzdata, the same on all machines."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


def partition_key_problems(name: object, values: object) -> Iterator[Problem]:
    """Problems of the name and the values of a dynamic partition key."""
    field = "dynamic_partition_keys"
    if not isinstance(name, str) or not KEY_NAME.fullmatch(name):
        yield invalid(field, values, "partition-key", item=name)
    elif name in TIME_KEYS or name.startswith("_"):
        reserved = (*TIME_KEYS, "names that begin with _")
        yield invalid(field, values, "reserved-name", item=name, reserved=reserved)
    for problem in list_problems(field, values, KEY_VALUES):
        yield replace(problem, item=name)
    for value in values if isinstance(values, (list, tuple)) else ():
        if isinstance(value, str) and (found := FORBIDDEN_IN_VALUE.search(value)):
            character = ascii(found[0])
            yield invalid(field, value, "partition-character", item=name, character=character)
