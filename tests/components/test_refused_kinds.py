"""What is of the wrong kind, has no effect or clashes is refused in words, not by a traceback."""

import json
from typing import Any

import pulumi
import pytest

from streaming_etl import (
    LakeArgs,
    MonitoringArgs,
    SettingsError,
    StreamingEtlPipeline,
    pipelines_from_config,
)
from streaming_etl.components.settings.pipeline import MAX_PIPELINE_NAME
from streaming_etl.stack.recorder import build
from tests.components.pipelines import Pipelines

CRON = "cron(0 3 * * ? *)"
# Where in the config, what of it, the whole message behind the path.
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("", {"tags": None}, "tags=None is no map; write it as name: value pairs."),
    (
        "",
        {"tags": {f"t{number}": "" for number in range(50)}},
        "tags=50 are too many: AWS takes 49 beside ours; drop some.",
    ),
    *(
        (
            "",
            {"tags": {key: value}},
            f"tags[{key!r}]={value!r} does not fit: AWS takes 1 to 128 characters for a key and"
            " 256 for a value; shorten it.",
        )
        for key, value in (("", "a"), ("k" * 129, "a"), ("k", "v" * 257))
    ),
    (
        "",
        {"tags": {"team": "a", "Team": "b"}},
        "tags['Team']='b' differs from 'team' in case only, which IAM takes for the same; drop"
        " one.",
    ),
    ("", {"tags": ["team"]}, "tags=['team'] is no map; write it as name: value pairs."),
    *(
        (
            "",
            {"tags": {key: "a"}},
            f"tags[{key!r}]='a' is reserved: AWS and this project use it; rename it.",
        )
        for key in ("aws:team", "AWS:team", "streaming-etl:pipeline")
    ),
    (
        "monitoring",
        {"alarm_topic_arn": "my-topic"},
        "alarm_topic_arn='my-topic' is no text that begins with arn:: it names an SNS topic;"
        " give it as such or leave it out.",
    ),
    (
        "monitoring",
        {"alarm_emails": "ops@example.com"},
        "alarm_emails='ops@example.com' is no list: each is an address; write it as a list.",
    ),
    *(
        (
            "monitoring",
            {"alarm_emails": [address]},
            f"alarm_emails={address!r} is no e-mail address: AWS mails the alarms to it;"
            " use name@example.com.",
        )
        for address in ("ops", "ops@example", "ops@@example.com", "o ps@example.com", "", 7, None)
    ),
    (
        "monitoring",
        {"alarm_emails": ["ops@example.com", "ops@example.com"]},
        "alarm_emails='ops@example.com' stands twice: AWS mails to each once; drop one.",
    ),
    (
        "monitoring",
        {"alarm_emails": ["ops@example.com"], "alarm_topic_arn": "arn:aws:sns:::theirs"},
        "alarm_emails=['ops@example.com'] has no effect: who subscribes to a given topic is its owner's"
        " matter; drop it.",
    ),
    (
        "monitoring",
        {"dashboard": "no"},
        "dashboard='no' is not a yes or no; use true or false.",
    ),
    (
        "",
        {"log_retention_days": 30.0},
        "log_retention_days=30.0 is not allowed: CloudWatch's numbers; use one of 1, 3, 5, 7, 14,"
        " 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653.",
    ),
    (
        "",
        {"crawler_schedule": CRON},
        f"crawler_schedule={CRON!r} has no effect: catalog='projection' has no crawler; drop it.",
    ),
    (
        "",
        {"catalog": "crawler", "partitions": {"projection_start_year": 2020}},
        "projection_start_year=2020 has no effect: catalog='crawler' projects nothing; drop it.",
    ),
    (
        "source",
        {"range_key_type": "N"},
        "range_key_type='N' has no effect: there is no range_key; drop it.",
    ),
    (
        "source",
        {"ttl_attribute": ""},
        "ttl_attribute='' is not a text: it names an attribute; give a non-empty string.",
    ),
    *(
        (
            "lake",
            {"bucket_name": name},
            f"bucket_name={name!r} is no text: it names an S3 bucket;"
            " give it as such or leave it out.",
        )
        for name in (5, "")
    ),
    (
        "lake",
        {"kms_key_arn": "alias/lake"},
        "kms_key_arn='alias/lake' is no text that begins with arn:: it names a KMS key;"
        " give it as such or leave it out.",
    ),
    *(
        (
            "forwarder",
            {"event_names": names},
            f"event_names={names!r} is no list: the kinds of changes to take; write it as a list.",
        )
        for names in ("INSERT", None, 5)
    ),
    *(
        (
            "forwarder",
            {"filter_patterns": patterns},
            f"filter_patterns={patterns!r} is no list:"
            " at most five JSON texts; write it as a list.",
        )
        for patterns in ('{"a": ["b"]}', None)
    ),
    (
        "partitions",
        {"time_zone": ["UTC"]},
        "time_zone=['UTC'] does not exist; use an IANA name such as Asia/Tokyo or UTC.",
    ),
    (
        "partitions",
        {"projection_start_year": 1999},
        "projection_start_year=1999 is out of range: the first year in the lake; use 2000 or more.",
    ),
    (
        "partitions",
        {"dynamic_partition_keys": {f"key_{number}": [] for number in range(47)}},
        "dynamic_partition_keys=47 are too many: Firehose takes 46 beside the time; drop some.",
    ),
    (
        "partitions",
        {"dynamic_partition_keys": {"kind": ["a\u0085"]}},
        "dynamic_partition_keys['kind']='a\\x85' cannot name a folder: 1 to 255 characters without"
        " / = % , { } and controls, as text; put it in quotes or change it in the transform.",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: f"{case[0]} {json.dumps(case[1])[:60]}")
def test_what_is_of_the_wrong_kind_is_refused_in_these_words(
    pipelines: Pipelines, case: tuple[str, dict[str, Any], str]
) -> None:
    group, given, message = case
    assert pipelines.group_refusal(group, given) == message


def test_another_resource_s_output_is_taken_for_a_name(pipelines: Pipelines) -> None:
    def program() -> None:
        name = pulumi.Output.from_input("given")
        pipelines.args(
            database_name=name,
            monitoring=MonitoringArgs(alarm_topic_arn=name),
            lake=LakeArgs(bucket_name=name),
        )

    build(program)


def test_folders_longer_than_firehose_writes_are_refused(pipelines: Pipelines) -> None:
    keys = {f"key_{number}": ["v" * 60] for number in range(7)}
    refusal = pipelines.config_refusal(partitions={"dynamic_partition_keys": keys})
    assert refusal == (
        "tables.shop: the lake's folders of 'orders' have 517 characters: Firehose writes to at"
        " most 512; shorten glue_table_name, database_name or dynamic_partition_keys."
    )


def clash(pipelines: Pipelines, **tables: dict[str, Any]) -> str:
    module = {"transform_module": pipelines.module(), "partitions": {}}
    with pytest.raises(SettingsError) as refused:
        pipelines_from_config({name: {**module, **given} for name, given in tables.items()})
    return str(refused.value)


def test_two_pipelines_that_make_the_same_table_are_refused(pipelines: Pipelines) -> None:
    assert clash(pipelines, one={"table_name": "orders"}, two={"table_name": "orders"}) == (
        "tables.two: table_name='orders' is made by tables.one already: a table is made once;"
        " name another, or read it with `source: {use_existing: true}` once it is there."
    )


def test_two_pipelines_that_write_to_the_same_lake_table_are_refused(
    pipelines: Pipelines,
) -> None:
    shared = {"database_name": "lake"}
    one, two = ({"table_name": name, **shared} for name in ("my-orders", "my.orders"))
    assert clash(pipelines, one=one, two=two) == (
        "tables.two: the lake table lake.my_orders is tables.one's already;"
        " give another glue_table_name."
    )


def test_a_stack_whose_name_leaves_no_room_for_a_workgroup_is_refused(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, stack = "p" * MAX_PIPELINE_NAME, "s" * 93
    monkeypatch.setattr(pulumi, "get_stack", lambda: stack)
    assert pipelines.refusal(name) == (
        f"the workgroup '{name}-{stack}' has 129 characters: Athena takes 128;"
        " shorten the name of the pipeline or of the stack."
    )


@pytest.mark.parametrize("setting", ["table_name", "glue_table_name", "transform_module", "format"])
def test_an_output_where_a_value_shapes_what_is_made_is_refused(
    pipelines: Pipelines, setting: str
) -> None:
    assert pipelines.refusal(**{setting: pulumi.Output.from_input("orders")}) == (
        f"{setting} is the output of a resource, or a secret: what is made depends on it, so it"
        " must be known before anything is; write its value out."
    )


@pytest.mark.parametrize("args", [None, [], "orders"])
def test_what_is_no_settings_is_refused(args: Any) -> None:
    with pytest.raises(SettingsError) as refused:
        build(lambda: StreamingEtlPipeline("shop", args))
    assert (
        str(refused.value) == f"shop: {args!r} is no settings; pass StreamingEtlPipelineArgs(...)."
    )
