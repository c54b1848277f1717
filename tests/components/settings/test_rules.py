"""Rules of all settings, with the cases of cases.yaml."""

from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from streaming_etl import (
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    QueryArgs,
    SourceArgs,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.settings.monitoring import iterator_age_threshold
from streaming_etl.components.settings.names import pipeline_name_problems
from streaming_etl.components.settings.stack_config import settings_from_config
from streaming_etl.components.settings.stages import ForwarderArgs
from streaming_etl.stack.recorder import build
from tests.support.pipeline_settings import pipeline_args
from tests.support.problems import places, problems_of

# Syntax of prefixes, folders and projection, and what Athena escapes in an object's location.
FORBIDDEN_CHARACTERS = "/=%,{}\n\x7f\x85\ud800\"#$'*:?[\\]^"

ORDERS = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}

CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text())


def load(settings: dict[str, Any]) -> StreamingEtlPipelineArgs:
    return settings_from_config({"shop": {**ORDERS, **settings}})["shop"]


@pytest.mark.parametrize("case", CASES["invalid"], ids=str)
def test_rejects_invalid_settings(case: list[Any]) -> None:
    settings, *expected = case
    problems = [" ".join(place) for place in places(problems_of(load, settings))]
    assert [text.removeprefix("tables.shop").lstrip(" .") for text in problems] == expected


@pytest.mark.parametrize("settings", CASES["valid"], ids=str)
def test_accepts_valid_settings(settings: dict[str, Any]) -> None:
    assert isinstance(load(settings), StreamingEtlPipelineArgs)


@pytest.mark.parametrize(
    ("settings", "related", "limit"),
    [
        ({"format": "parquet", "delivery": {"buffer_mib": 1}}, "format", 64),
        ({"transform": {"buffer_mib": 0.24}}, "transform.buffer_mib", 245),
        ({"backfill": {"enabled": True, "concurrency": 40}}, "backfill.concurrency", 640),
    ],
)
def test_a_rule_across_settings_has_the_other_setting_and_the_limit(
    settings: dict[str, Any], related: str, limit: int
) -> None:
    [problem] = problems_of(load, settings)
    assert [other.name for other in problem.related] == [related]
    assert problem.details.get("low", problem.details.get("high")) == limit


@pytest.mark.parametrize(
    ("name", "values", "rule"),
    [
        *((name, [], "partition-key") for name in ("Store", "a-b", "1st", "", "a" * 65, 7)),
        *((name, [], "reserved-name") for name in ("year", "month", "day", "hour", "dt", "_op")),
        *(("kind", values, "type") for values in ("a", None, 7, {"a": 1}, ["a", 7], ["a", True])),
        *(("kind", ["a", value], "pattern") for value in ("", " a", "a ", "a" * 256)),
        *(("kind", ["a", f"a{it}b"], "partition-character") for it in FORBIDDEN_CHARACTERS),
        ("kind", ["a", "b", "a"], "duplicate"),
    ],
)
def test_rejects_invalid_partition_keys(name: object, values: object, rule: str) -> None:
    field = "dynamic_partition_keys"
    problems = problems_of(PartitionArgs, **{field: {name: values}})
    assert places(problems) == [("", f"{field}[{name}]", rule)]


def test_values_of_partition_keys_may_have_other_characters() -> None:
    values = ["with space", *"!&()+;<>@~|`-._é急", "A", "a", "001", "true", "__x"]
    keys = PartitionArgs(dynamic_partition_keys={"kind": values}).dynamic_partition_keys
    assert keys == {"kind": values}


def test_rejects_too_many_and_too_long_entries() -> None:
    keys = PartitionArgs
    assert places(problems_of(keys, dynamic_partition_keys={f"k{n}": [] for n in range(47)})) == [
        ("", "dynamic_partition_keys", "too-many")
    ]
    patterns = [f'{{"{n}": []}}' for n in range(6)]
    assert places(problems_of(ForwarderArgs, filter_patterns=patterns)) == [
        ("", "filter_patterns", "too-many")
    ]
    pattern = '{"eventName": ["%s"]}'
    long = pattern % ("x" * (4096 - len(pattern) + 2))
    assert ForwarderArgs(filter_patterns=[long])
    [problem] = problems_of(ForwarderArgs, filter_patterns=[long + " "])
    assert (problem.rule, problem.details["length"]) == ("pattern-length", 4097)
    tags = {f"t{n}": "" for n in range(50)}
    assert places(problems_of(load, {"tags": tags})) == [("tables.shop", "tags", "too-many")]
    for name in ("hash_key", "range_key", "ttl_attribute"):
        assert load({"source": {name: "é" * 127}})
        [problem] = problems_of(load, {"source": {name: "é" * 128}})
        assert (problem.field, problem.rule, problem.details["length"]) == (
            name,
            "too-many-bytes",
            256,
        )
    for key, value in (("k" * 129, "a"), ("k", "v" * 257)):
        [problem] = problems_of(load, {"tags": {key: value}})
        assert (problem.item, problem.rule) == (key, "tag-length")


def test_names_the_changes_that_filters_exclude() -> None:
    def excluded(**forwarder: list[str]) -> list[list[str]]:
        problems = problems_of(load, {"forwarder": forwarder})
        return [problem.details["changes"] for problem in problems]

    assert excluded(event_names=["INSERT"]) == [["MODIFY", "REMOVE"]]
    patterns = {
        '{"eventName": ["INSERT"]}': ["MODIFY", "REMOVE", "REMOVE by TTL"],
        '{"userIdentity": {"type": ["Service"]}}': ["MODIFY", "REMOVE"],
        '{"userIdentity": {"type": [{"exists": false}]}}': ["REMOVE by TTL"],
    }
    assert {pattern: excluded(filter_patterns=[pattern]) for pattern in patterns} == {
        pattern: [changes] for pattern, changes in patterns.items()
    }


def test_names_the_place_in_a_filter_pattern() -> None:
    pattern = '{"dynamodb": {"$or": [{"Keys": {"id": {"M": {"a": {"N": [5]}}}}}, {"Keys": 1}]}}'
    problems = problems_of(ForwarderArgs, filter_patterns=[pattern])
    assert [(problem.rule, problem.details["place"]) for problem in problems] == [
        ("pattern-object", "dynamodb.Keys"),
        ("pattern-number", "dynamodb.Keys.id.M.a.N"),
    ]


def test_accepts_outputs_for_names_of_existing_resources_only() -> None:
    def accepted() -> None:
        name = pulumi.Output.from_input("existing")
        monitoring = MonitoringArgs(alarm_topic_arn=name)
        lake = LakeArgs(bucket_name=name, kms_key_arn=name)
        source = SourceArgs(use_existing=True, stream_arn=name, table_kms_key_arn=name)
        settings = {"monitoring": monitoring, "lake": lake, "source": source, "tags": {"a": name}}
        settings["query"] = QueryArgs(workgroup_name=name)
        assert LakeArgs(access_log_bucket=name)
        settings["kms_key_arn"] = name
        pipeline_args(table_name=name, glue_table_name="a", database_name=name, **settings)

    def rejected() -> None:
        names = ("glue_table_name", "format", "tags", "lake")
        output = pulumi.Output.from_input("orders")
        pipeline_args(**dict.fromkeys(names, output), former_kms_key_arns=[output])

    build(accepted)
    problems = places(problems_of(build, rejected))
    assert {rule for _, _, rule in problems} == {"known-value"}
    assert "former_kms_key_arns" in {field for _, field, _ in problems}


def test_accepts_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        StreamingEtlPipelineArgs("orders", "shop.py")  # type: ignore[call-arg,misc]


def test_the_iterator_age_threshold_is_at_most_half_of_the_record_age() -> None:
    def threshold(record_age: int, **monitoring: Any) -> int:
        forwarder = ForwarderArgs(maximum_record_age_seconds=record_age)
        return iterator_age_threshold(MonitoringArgs(**monitoring), forwarder)

    assert (threshold(43_200), threshold(600)) == (900, 300)
    assert threshold(600, max_iterator_age_seconds=599) == 599


def test_names_the_forbidden_character_of_a_partition_value() -> None:
    keys = {"kind": ["plain", "a:b?"], "store": ["\n"]}
    problems = problems_of(PartitionArgs, dynamic_partition_keys=keys)
    assert [(problem.value, problem.details) for problem in problems] == [
        ("a:b?", {"character": "':'"}),
        ("\n", {"character": "'\\n'"}),
    ]


def test_accepts_partition_values_that_athena_reads() -> None:
    values = ["plain", "with space", "a!b", "a&b", "a(b", "a+b", "a;b", "a<b", "a@b", "a~b"]
    values += ["a|b", "a`b", "é", "日本", "A", "a", "001", "true", "__x", "a.b-c_d"]
    assert PartitionArgs(dynamic_partition_keys={"kind": values})


INVALID_NAMES = ["Orders", "orders_v2", "orders.v2", "-orders", "orders-", "or--ders", "1orders"]


@pytest.mark.parametrize("name", [*INVALID_NAMES, "órders", "", "orders\n", "my orders", 7])
def test_rejects_a_pipeline_name_from_which_no_bucket_name_derives(name: object) -> None:
    assert places(pipeline_name_problems(name)) == [("", "name", "pipeline-name")]


def test_rejects_a_pipeline_name_of_more_than_35_characters() -> None:
    assert list(pipeline_name_problems("a" * 35)) == []
    assert places(pipeline_name_problems("a" * 36)) == [("", "name", "pipeline-name-length")]
