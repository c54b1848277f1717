"""Folders that Firehose, Glue or Athena would refuse are refused first; each message whole."""

from typing import Any

import pytest

from streaming_etl import PartitionArgs, SettingsError
from tests.components.pipelines import Pipelines

NOT_A_FOLDER = (
    " cannot name a folder: 1 to 255 characters without / = % , { } and controls, as text;"
    " put it in quotes or change it in the transform."
)
TAKEN = " is taken: time folders and metadata use it; rename it."
NO_KEY = " is no partition key: at most 64 of a-z 0-9 _; use lower case."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"granularity": "minute"},
            "granularity='minute' is not allowed: the finest time folder;"
            " use one of year, month, day, hour.",
        ),
        (
            {"layout": "hive"},
            "layout='hive' is not allowed: how time becomes folders; use one of folders, dt.",
        ),
        (
            {"partition_time": "item"},
            "partition_time='item' is not allowed: whose time a folder tells;"
            " use one of arrival, change.",
        ),
        *(
            (
                {"layout": "date", "granularity": granularity},
                f"granularity='{granularity}' does not go with layout='dt', whose folder is a day;"
                " use day or hour, or 'folders'.",
            )
            for granularity in ("year", "month")
        ),
        *(
            (
                {"time_zone": zone},
                f"time_zone={zone!r} does not exist; use an IANA name such as Asia/Tokyo or UTC.",
            )
            for zone in (
                "Asia/Tokio",
                "JST",
                "asia/tokyo",
                "+09:00",
                "",
                None,
                "Tokyo Standard Time",
            )
        ),
        *(
            (
                {"time_zone": zone},
                f"time_zone='{zone}' is refused by Firehose, which takes letters, / and _ only;"
                " use the zone of a city.",
            )
            for zone in ("Etc/GMT+9", "Etc/GMT-9", "America/Port-au-Prince", "EST5EDT")
        ),
        (
            {"dynamic_partition_keys": ["store_id"]},
            "dynamic_partition_keys=['store_id'] is no map of key to values; use {'store_id': []}.",
        ),
        *(
            ({"dynamic_partition_keys": {name: []}}, f"dynamic_partition_keys={name!r}{NO_KEY}")
            for name in ("Store", "store-id", "1st", "", "a" * 65, 7)
        ),
        *(
            ({"dynamic_partition_keys": {name: []}}, f"dynamic_partition_keys='{name}'{TAKEN}")
            for name in ("year", "month", "day", "hour", "dt", "_op", "_own")
        ),
        *(
            (
                {"dynamic_partition_keys": {"kind": values}},
                f"dynamic_partition_keys['kind']={values!r} is no list: the values it may have,"
                " or [] for any value; write it as a list.",
            )
            for values in ("a", None, 7, {"a": 1})
        ),
        *(
            (
                {"dynamic_partition_keys": {"kind": ["a", value]}},
                f"dynamic_partition_keys['kind']={value!r}{NOT_A_FOLDER}",
            )
            for value in (
                "",
                "a/b",
                "a=b",
                "a%b",
                "a,b",
                "{a",
                "a}",
                "a\n",
                "\x7f",
                "a" * 256,
                7,
                True,
            )
        ),
        (
            {"dynamic_partition_keys": {"kind": ["a", "b", "a"]}},
            "dynamic_partition_keys['kind']=['a', 'b', 'a'] repeats a value; name each once.",
        ),
    ],
)
def test_folders_that_firehose_glue_or_athena_refuse_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        PartitionArgs(**settings)
    assert str(refused.value) == message


def test_a_refused_folder_creates_nothing(pipelines: Pipelines) -> None:
    assert pipelines.config_refusal(partitions={"time_zone": "Etc/GMT+9"}) == (
        "tables.shop.partitions: time_zone='Etc/GMT+9' is refused by Firehose,"
        " which takes letters, / and _ only; use the zone of a city."
    )


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Etc/UTC"])
def test_a_zone_that_firehose_takes_is_allowed(zone: str) -> None:
    assert PartitionArgs(time_zone=zone).time_zone == zone
