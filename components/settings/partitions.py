"""Partition settings, and what follows: folders, partition columns, Athena's projection."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from streaming_etl.components.settings.schema_annotations import published
from streaming_etl.components.settings.validation import (
    refuse,
    require_choice,
    require_list,
    require_range,
)

GRANULARITIES = ("year", "month", "day", "hour")
LAYOUTS = ("year_month_day", "date")
PARTITION_TIMES = ("ingestion", "event")

# Java patterns, as Firehose evaluates them in a prefix.
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
JAVA_PATTERNS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH", "dt": "yyyy-MM-dd"}

ARRIVAL_DAY = "arrived-!{timestamp:yyyy-MM-dd}-"

# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
FIREHOSE_TIME_ZONE = re.compile(r"[a-zA-Z/_]+")
KEY_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
# A value becomes a folder name and an item of projection's comma-separated list.
KEY_VALUE = re.compile(r"[^/=%,{}\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
# Firehose takes 50 partition keys, of which time may need four.
# https://docs.aws.amazon.com/firehose/latest/dev/limits.html
MAX_DYNAMIC_PARTITION_KEYS = 46


@published
@dataclass(frozen=True, kw_only=True)
class PartitionArgs:
    """The folders of the lake: by time, and by values that the transform returns."""

    granularity: str = "day"
    """Finest time folder: year, month, day or hour. Changing it leaves the rows already written
    in folders that the table no longer reads: move them."""
    layout: str = "year_month_day"
    """`year_month_day`: year=2026/month=11/day=23/; `date`: dt=2026-11-23/. Changing it leaves the rows
    already written in folders that the table no longer reads: move them."""
    time_zone: str = "UTC"
    """IANA name of the zone that a folder's time is told in."""
    partition_time: str = "ingestion"
    """`ingestion` at Firehose, or `event`: the change's own time, by dynamic partitioning.
    Going from one to the other replaces the delivery stream."""
    dynamic_partition_keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Partition keys that each row brings, with the values they may have; an empty list allows
    any value, and projection then asks for `key = ...` in every query.
    Going from none to some replaces the delivery stream."""
    projection_start_year: int = 2026
    """First year that projection looks at; each year costs a query one listing per folder."""

    def __post_init__(self) -> None:
        require_choice("granularity", self.granularity, GRANULARITIES, "the finest time folder")
        require_choice("layout", self.layout, LAYOUTS, "how time becomes folders")
        require_choice(
            "partition_time", self.partition_time, PARTITION_TIMES, "whose time a folder tells"
        )
        require_range(
            "projection_start_year",
            self.projection_start_year,
            2000,
            2100,
            "the first year in the lake",
        )
        check_partitions(self.granularity, self.layout, self.time_zone, self.dynamic_partition_keys)

    @property
    def dynamic(self) -> bool:
        """Whether Firehose takes partition keys from the transform (dynamic partitioning)."""
        return bool(self.dynamic_partition_keys) or self.partition_time == "event"

    @property
    def time_keys(self) -> tuple[str, ...]:
        """The time partition keys, coarse to fine."""
        if self.layout == "date":
            return ("dt", "hour") if self.granularity == "hour" else ("dt",)
        return GRANULARITIES[: GRANULARITIES.index(self.granularity) + 1]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every partition key, in the order of the folders."""
        return (*self.dynamic_partition_keys, *self.time_keys)


@cache
def known_time_zones() -> frozenset[str]:
    """Every IANA zone of the pinned tzdata, so that all machines refuse the same names."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


def check_partitions(
    granularity: str,
    layout: str,
    time_zone: str,
    dynamic_partition_keys: Mapping[str, Sequence[str]],
) -> None:
    """Refuse folders that Firehose, Glue or Athena would refuse."""
    if layout == "date" and granularity not in ("day", "hour"):
        raise refuse(
            "granularity",
            granularity,
            "does not go with layout='dt', whose folder is a day; use day or hour, or 'folders'.",
        )
    if not isinstance(time_zone, str) or time_zone not in known_time_zones():
        raise refuse(
            "time_zone", time_zone, "does not exist; use an IANA name such as Asia/Tokyo or UTC."
        )
    if not FIREHOSE_TIME_ZONE.fullmatch(time_zone):
        raise refuse(
            "time_zone",
            time_zone,
            "is refused by Firehose, which takes letters, / and _ only; use the zone of a city.",
        )
    if not isinstance(dynamic_partition_keys, Mapping):
        raise refuse(
            "dynamic_partition_keys",
            dynamic_partition_keys,
            "is no map of key to values; use {'store_id': []}.",
        )
    if len(dynamic_partition_keys) > MAX_DYNAMIC_PARTITION_KEYS:
        raise refuse(
            "dynamic_partition_keys",
            len(dynamic_partition_keys),
            f"are too many: Firehose takes {MAX_DYNAMIC_PARTITION_KEYS} beside the time; drop some.",
        )
    for name, values in dynamic_partition_keys.items():
        check_row_key(name, values)


def check_row_key(name: str, values: Sequence[str]) -> None:
    """Refuse a row key that is no column name, and values that cannot name a folder."""
    if not isinstance(name, str) or not KEY_NAME.fullmatch(name):
        raise refuse(
            "dynamic_partition_keys",
            name,
            "is no partition key: at most 64 of a-z 0-9 _; use lower case.",
        )
    if name in JAVA_PATTERNS or name.startswith("_"):
        raise refuse(
            "dynamic_partition_keys", name, "is taken: time folders and metadata use it; rename it."
        )
    require_list(
        f"dynamic_partition_keys[{name!r}]", values, "the values it may have, or [] for any value"
    )
    for value in values:
        if not isinstance(value, str) or not KEY_VALUE.fullmatch(value):
            raise refuse(
                f"dynamic_partition_keys[{name!r}]",
                value,
                "cannot name a folder: 1 to 255 characters without / = % , { } and controls,"
                " as text; put it in quotes or change it in the transform.",
            )
    if len(set(values)) != len(values):
        raise refuse(
            f"dynamic_partition_keys[{name!r}]", list(values), "repeats a value; name each once."
        )


def folder_expression(keys_from_rows: Sequence[str], times: Sequence[str], from_rows: bool) -> str:
    """Firehose's prefix below the table's location.

    `from_rows`: the time keys come from the transform too (the change's own time).
    """
    folders = [f"{key}=!{{partitionKeyFromLambda:{key}}}/" for key in keys_from_rows]
    for key in times:
        value = f"partitionKeyFromLambda:{key}" if from_rows else f"timestamp:{JAVA_PATTERNS[key]}"
        folders.append(f"{key}=!{{{value}}}/")
    if from_rows:
        # A prefix without any timestamp gets folders by arrival time at its end: tell it in the
        # objects' names instead. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        folders.append(ARRIVAL_DAY)
    return "".join(folders)


def projection(
    dynamic_partition_keys: Mapping[str, Sequence[str]],
    times: Sequence[str],
    projection_start_year: int,
) -> dict[str, str]:
    """Glue table parameters by which Athena computes the partitions, without the location.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """
    parameters = {"projection.enabled": "true"}
    for name, values in dynamic_partition_keys.items():
        parameters[f"projection.{name}.type"] = "enum" if values else "injected"
        if values:
            parameters[f"projection.{name}.values"] = ",".join(values)
    for name in times:
        for option, value in time_projection(name, projection_start_year).items():
            parameters[f"projection.{name}.{option}"] = value
    return parameters


def time_projection(name: str, projection_start_year: int) -> dict[str, str]:
    """Projection of one time key."""
    if name in ("year", "dt"):
        first = f"{projection_start_year}-01-01" if name == "dt" else str(projection_start_year)
        return {
            "type": "date",
            "format": JAVA_PATTERNS[name],
            # NOW is UTC: a zone ahead of it is already in the next day.
            "range": f"{first},NOW+1DAY",
            "interval": "1",
            "interval.unit": "DAYS" if name == "dt" else "YEARS",
        }
    ranges = {"month": "1,12", "day": "1,31", "hour": "0,23"}
    return {"type": "integer", "range": ranges[name], "digits": "2"}
