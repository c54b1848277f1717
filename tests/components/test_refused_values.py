"""A value that AWS does not know, that is of the wrong kind or has no effect is refused.

Each message is compared whole, with its path in the stack's config.
"""

import json
from typing import Any

import pytest

from streaming_etl import SettingsError, StreamingEtlPipelineArgs
from tests.components.pipelines import Pipelines

# Where in the config, what of it, the whole message behind the path.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (
        "",
        {"format": "avro"},
        "format='avro' is not allowed: what the lake's objects hold;"
        " use one of json, csv, parquet.",
    ),
    (
        "",
        {"format": None},
        "format=None is not allowed: what the lake's objects hold; use one of json, csv, parquet.",
    ),
    (
        "",
        {"catalog": "hive"},
        "catalog='hive' is not allowed: how Athena learns of partitions;"
        " use one of projection, crawler.",
    ),
    (
        "",
        {"runtime": "python3.10"},
        "runtime='python3.10' is not allowed: the Lambda runtimes this code runs on;"
        " use one of python3.11, python3.12, python3.13, python3.14.",
    ),
    (
        "",
        {"architecture": "arm"},
        "architecture='arm' is not allowed: Lambda's processors; use one of arm64, x86_64.",
    ),
    *(
        (
            "",
            {"catalog": "crawler", "crawler_schedule": schedule},
            f"crawler_schedule={schedule!r} is no Glue schedule: six fields in UTC;"
            " use for example cron(10 * * * ? *).",
        )
        for schedule in ("hourly", "rate(1 hour)", "cron(10 * * * ?)", "cron(10 * * * ? * *)", None)
    ),
    (
        "",
        {"tags": {"team": 7}},
        "tags['team']=7 is no text: tags are text to text; put it in quotes.",
    ),
    *(
        (
            "source",
            {"use_existing": False, name: "yes"},
            f"{name}='yes' is not a yes or no; use true or false.",
        )
        for name in ("use_existing", "point_in_time_recovery", "deletion_protection")
    ),
    *(
        ("lake", {name: 1}, f"{name}=1 is not a yes or no; use true or false.")
        for name in ("versioning", "force_destroy")
    ),
    ("query", {"force_destroy": None}, "force_destroy=None is not a yes or no; use true or false."),
    (
        "source",
        {"hash_key": ""},
        "hash_key='' is not a text: a table needs a partition key attribute;"
        " give a non-empty string.",
    ),
    (
        "source",
        {"hash_key_type": "string"},
        "hash_key_type='string' is not allowed: DynamoDB key types; use one of S, N, B.",
    ),
    (
        "source",
        {"range_key": "at", "range_key_type": "D"},
        "range_key_type='D' is not allowed: DynamoDB key types; use one of S, N, B.",
    ),
    (
        "source",
        {"range_key": 7},
        "range_key=7 is not a text: it names an attribute; give a non-empty string.",
    ),
    ("source", {"range_key": "id"}, "range_key='id' is the hash_key; name another."),
    (
        "source",
        {"read_capacity": 5},
        "read_capacity=5 and write_capacity=None do not go together:"
        " give both for provisioned capacity, none for on-demand.",
    ),
    (
        "source",
        {"write_capacity": 5},
        "read_capacity=None and write_capacity=5 do not go together:"
        " give both for provisioned capacity, none for on-demand.",
    ),
    *(
        (
            "source",
            {"use_existing": True, name: value},
            f"{name}={value!r} has no effect: an existing table is only read; drop it.",
        )
        for name, value in {
            "hash_key": "pk",
            "hash_key_type": "N",
            "range_key": "at",
            "range_key_type": "N",
            "read_capacity": 5,
            "write_capacity": 5,
            "point_in_time_recovery": False,
            "deletion_protection": False,
            "ttl_attribute": "ttl",
        }.items()
    ),
    *(
        (
            "lake",
            {"bucket_name": "theirs", name: value},
            f"{name}={value!r} has no effect: a given bucket stays as it is; drop it.",
        )
        for name, value in {
            "versioning": False,
            "force_destroy": True,
            "data_retention_days": 1,
            "failures_retention_days": 1,
            "query_results_retention_days": 1,
        }.items()
    ),
    (
        "forwarder",
        {"event_names": ["INSERT", "DELETE"]},
        "event_names='DELETE' is not allowed: the kinds of changes in a stream;"
        " use one of INSERT, MODIFY, REMOVE.",
    ),
    (
        "forwarder",
        {"event_names": []},
        "event_names=[] must name each kind to take once, at least one.",
    ),
    (
        "forwarder",
        {"event_names": ["INSERT", "INSERT"]},
        "event_names=['INSERT', 'INSERT'] must name each kind to take once, at least one.",
    ),
    (
        "forwarder",
        {"filter_patterns": ["{}"] * 6},
        "filter_patterns=6 are too many: Lambda takes 5; merge some of them.",
    ),
    *(
        (
            "forwarder",
            {"filter_patterns": ["{}", pattern]},
            f"filter_patterns={pattern!r} is no JSON object;"
            ' write it as text, such as {"dynamodb": {...}}.',
        )
        for pattern in ("{'eventName': ['INSERT']}", "[]", "INSERT", {"eventName": ["INSERT"]})
    ),
    *(
        (
            "forwarder",
            {"old_image": value},
            f"old_image={value!r} is not allowed: changes that bring the old item;"
            " use one of always, removed, never.",
        )
        for value in ("REMOVE", True, None)
    ),
    (
        "forwarder",
        {"max_changes_per_record": 1, "max_record_kib": 255},
        "max_record_kib=255 has no effect: max_changes_per_record=1 packs nothing; drop it.",
    ),
    (
        "delivery",
        {"compression": "Snappy"},
        "compression='Snappy' is not allowed: what Athena reads; use one of GZIP, UNCOMPRESSED.",
    ),
]


def name_of(case: tuple[str, dict[str, Any], str]) -> str:
    return f"{case[0]} {json.dumps(case[1])}"


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_a_value_is_refused_in_these_words(
    pipelines: Pipelines, case: tuple[str, dict[str, Any], str]
) -> None:
    group, given, message = case
    assert pipelines.group_refusal(group, given) == message


@pytest.mark.parametrize(
    ("field", "group"),
    [
        ("partitions", "PartitionArgs"),
        ("source", "SourceArgs"),
        ("forwarder", "ForwarderArgs"),
        ("transform", "TransformArgs"),
        ("delivery", "DeliveryArgs"),
        ("lake", "LakeArgs"),
        ("query", "QueryArgs"),
    ],
)
def test_a_group_that_is_given_as_a_dict_in_python_is_refused(
    pipelines: Pipelines, field: str, group: str
) -> None:
    assert pipelines.refusal(**{field: {}}) == f"{field}={{}} is no {group}; pass {group}(...)."


def test_the_settings_cannot_be_changed_nor_given_by_place() -> None:
    with pytest.raises(TypeError, match="positional"):
        StreamingEtlPipelineArgs("orders", "shop.py")  # type: ignore[call-arg,misc]


def test_a_refusal_is_a_value_error_of_our_own() -> None:
    assert issubclass(SettingsError, ValueError)
