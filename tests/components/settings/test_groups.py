"""Rules within one group of settings."""

from typing import Any

import pulumi
import pytest

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    SourceArgs,
    StreamingEtlPipelineArgs,
)
from streaming_etl.stack.recorder import build
from tests.support.pipeline_settings import pipeline_args as pipeline
from tests.support.problems import places, problems_of

KEYS = "dynamic_partition_keys"
ARN = "arn:aws:sns:eu-west-1:123456789012:topic"


# The settings, and the field and rule of every problem.
INVALID: list[tuple[Any, dict[str, Any], list[tuple[str, str]]]] = [
    (SourceArgs, {"range_key_type": "N"}, [("range_key_type", "no-effect")]),
    (SourceArgs, {"range_key": "id"}, [("range_key", "same-attribute")]),
    (SourceArgs, {"read_capacity": 5}, [("read_capacity", "both-or-none")]),
    (SourceArgs, {"write_capacity": 5}, [("write_capacity", "both-or-none")]),
    (ForwarderArgs, {"event_names": []}, [("event_names", "too-few")]),
    (ForwarderArgs, {"event_names": ["INSERT", "DELETE"]}, [("event_names", "choice")]),
    (ForwarderArgs, {"event_names": ["INSERT", "INSERT"]}, [("event_names", "duplicate")]),
    (
        ForwarderArgs,
        {"filter_patterns": [f'{{"{n}": []}}' for n in range(6)]},
        [("filter_patterns", "too-many")],
    ),
    (ForwarderArgs, {"filter_patterns": ["{}", "[]"]}, [("filter_patterns", "json-object")]),
    (ForwarderArgs, {"filter_patterns": ["{'a': []}"]}, [("filter_patterns", "json-object")]),
    (ForwarderArgs, {"filter_patterns": [{"a": []}]}, [("filter_patterns", "type")]),
    (
        ForwarderArgs,
        {"max_changes_per_record": 1, "max_record_kib": 255},
        [("max_record_kib", "no-effect")],
    ),
    (LakeArgs, {"bucket_name": 5}, [("bucket_name", "type")]),
    (LakeArgs, {"kms_key_arn": "alias/lake"}, [("kms_key_arn", "pattern")]),
    (MonitoringArgs, {"alarm_topic_arn": "my-topic"}, [("alarm_topic_arn", "pattern")]),
    (
        MonitoringArgs,
        {"alarm_emails": ["ops", "ops@example", "ops@@example.com", "o ps@example.com", ""]},
        [("alarm_emails", "pattern")] * 5,
    ),
    (MonitoringArgs, {"alarm_emails": ["a@b.com", "a@b.com"]}, [("alarm_emails", "duplicate")]),
    (
        MonitoringArgs,
        {"alarm_emails": ["a@b.com"], "alarm_topic_arn": ARN},
        [("alarm_emails", "no-effect")],
    ),
    (BackfillArgs, {"concurrency": 8}, [("concurrency", "no-effect")]),
    (
        BackfillArgs,
        {"enabled": True, "concurrency": 40, "kib_per_second": 639},
        [("kib_per_second", "minimum")],
    ),
    (PartitionArgs, {"layout": "date", "granularity": "month"}, [("granularity", "conflict")]),
    *(
        (PartitionArgs, {"time_zone": zone}, [("time_zone", "time-zone")])
        for zone in ("Asia/Tokio", "JST", "asia/tokyo", "+09:00", "Tokyo Standard Time")
    ),
    *(
        (PartitionArgs, {"time_zone": zone}, [("time_zone", "firehose-time-zone")])
        for zone in ("Etc/GMT+9", "America/Port-au-Prince", "EST5EDT")
    ),
    (PartitionArgs, {KEYS: ["store_id"]}, [(KEYS, "type")]),
    (PartitionArgs, {KEYS: {f"key_{n}": [] for n in range(47)}}, [(KEYS, "too-many")]),
    *(
        (PartitionArgs, {KEYS: {name: []}}, [(f"{KEYS}[{name}]", "partition-key")])
        for name in ("Store", "store-id", "1st", "", "a" * 65, 7)
    ),
    *(
        (PartitionArgs, {KEYS: {name: []}}, [(f"{KEYS}[{name}]", "reserved-name")])
        for name in ("year", "month", "day", "hour", "dt", "_op", "_own")
    ),
    *(
        (PartitionArgs, {KEYS: {"kind": values}}, [(f"{KEYS}[kind]", "type")])
        for values in ("a", None, 7, {"a": 1}, ["a", 7], ["a", True])
    ),
    *(
        (PartitionArgs, {KEYS: {"kind": ["a", value]}}, [(f"{KEYS}[kind]", "pattern")])
        for value in ("", "a/b", "a=b", "a%b", "a,b", "{a", "a}", "a\n", "\x7f", "\x85", "a" * 256)
    ),
    (PartitionArgs, {KEYS: {"kind": ["a", "b", "a"]}}, [(f"{KEYS}[kind]", "duplicate")]),
    (pipeline, {"tags": None}, [("tags", "type")]),
    (pipeline, {"tags": ["team"]}, [("tags", "type")]),
    (pipeline, {"tags": {"team": 7}}, [("tags[team]", "type")]),
    (pipeline, {"tags": {f"t{n}": "" for n in range(50)}}, [("tags", "too-many")]),
    (pipeline, {"tags": {"": "a"}}, [("tags[]", "tag-length")]),
    (pipeline, {"tags": {"k" * 129: "a"}}, [(f"tags[{'k' * 129}]", "tag-length")]),
    (pipeline, {"tags": {"k": "v" * 257}}, [("tags[k]", "tag-length")]),
    (pipeline, {"tags": {"team": "a", "Team": "b"}}, [("tags[Team]", "same-but-for-case")]),
    *(
        (pipeline, {"tags": {key: "a"}}, [(f"tags[{key}]", "reserved-name")])
        for key in ("aws:team", "AWS:team", "streaming-etl:pipeline")
    ),
    *(
        (pipeline, {"table_name": name}, [("table_name", "pattern")])
        for name in ("ab", "a" * 256, "my orders", "orders/eu")
    ),
    *(
        (pipeline, {field: name}, [(field, "pattern")])
        for field in ("glue_table_name", "database_name")
        for name in ("Orders", "my-orders", "a" * 241)
    ),
    *(
        (
            pipeline,
            {"catalog": "crawler", "crawler_schedule": text},
            [("crawler_schedule", "pattern")],
        )
        for text in ("hourly", "rate(1 hour)", "cron(10 * * * ?)", "cron(10 * * * ? * *)")
    ),
]


@pytest.mark.parametrize(("create", "settings", "expected"), INVALID)
def test_rejects_invalid_settings(
    create: Any, settings: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert places(problems_of(create, **settings)) == [("", *problem) for problem in expected]


@pytest.mark.parametrize(
    ("create", "because", "settings"),
    [
        (
            SourceArgs,
            {"use_existing": True},
            {
                "hash_key": "pk",
                "hash_key_type": "N",
                "range_key": "at",
                "range_key_type": "N",
                "read_capacity": 5,
                "write_capacity": 5,
                "point_in_time_recovery": False,
                "deletion_protection": False,
                "ttl_attribute": "ttl",
            },
        ),
        (
            LakeArgs,
            {"bucket_name": "shared"},
            {
                "versioning": False,
                "force_destroy": True,
                "data_retention_days": 1,
                "failures_retention_days": 1,
                "query_results_retention_days": 1,
            },
        ),
        (
            BackfillArgs,
            {"enabled": False},
            {
                "concurrency": 1,
                "kib_per_second": 100,
                "maximum_retry_attempts": 0,
                "tolerated_failure_percentage": 1,
                "timeout_seconds": 60,
                "memory_mib": 128,
                "retention_days": 1,
            },
        ),
    ],
)
def test_rejects_settings_without_effect(
    create: Any, because: dict[str, Any], settings: dict[str, Any]
) -> None:
    problems = problems_of(create, **because, **settings)
    assert places(problems) == [("", name, "no-effect") for name in settings]
    [related] = {(other.name, other.value) for problem in problems for other in problem.related}
    assert {related[0]: related[1]} == because


def test_reports_all_problems_of_a_group() -> None:
    problems = problems_of(
        PartitionArgs,
        granularity="minute",
        layout="date",
        time_zone="Etc/GMT+9",
        dynamic_partition_keys={"Store": ["a/b", "a/b"]},
        projection_start_year=1,
    )
    assert places(problems) == [
        # Not the conflict of layout and granularity: the granularity is invalid by itself.
        ("", "granularity", "choice"),
        ("", "projection_start_year", "range"),
        ("", "time_zone", "firehose-time-zone"),
        ("", f"{KEYS}[Store]", "partition-key"),
        ("", f"{KEYS}[Store]", "pattern"),
        ("", f"{KEYS}[Store]", "pattern"),
        ("", f"{KEYS}[Store]", "duplicate"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Etc/UTC"])
def test_accepts_time_zones_of_firehose(zone: str) -> None:
    assert PartitionArgs(time_zone=zone).time_zone == zone


def test_accepts_outputs_for_names_of_existing_resources() -> None:
    def program() -> None:
        name = pulumi.Output.from_input("existing")
        pipeline(
            database_name=name,
            monitoring=MonitoringArgs(alarm_topic_arn=name),
            lake=LakeArgs(bucket_name=name, kms_key_arn=name),
        )

    build(program)


@pytest.mark.parametrize("field", ["table_name", "glue_table_name", "format", "tags", "lake"])
def test_rejects_outputs_for_other_settings(field: str) -> None:
    def program() -> None:
        pipeline(**{field: pulumi.Output.from_input("orders")})

    problems = problems_of(build, program)
    assert places(problems) == [("", field, "known-value")]


def test_accepts_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        StreamingEtlPipelineArgs("orders", "shop.py")  # type: ignore[call-arg,misc]
