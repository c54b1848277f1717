"""The policy pack in its own process, called as Pulumi calls it.

Pulumi's engine and the AWS provider are not part of these tests.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import permutations
from typing import Any

import jsonschema
import pytest
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import proto
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub
from pulumi_policy import EnforcementLevel

from policy.rules.delivery import DELIVERY_STREAM, S3
from policy.rules.pack import RULES
from policy.rules.resources import Resource, Stack
from policy.rules.rule import ResourceRule, StackRule
from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    LakeArgs,
    LakeTableArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    SourceArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.stack.program import program_graph, stack_graph
from streaming_etl.stack.recorder import build
from tests.policy.careless import careless
from tests.policy.engine import as_resources, registered, running_pack, violations
from tests.support.pipelines import ROOT, TRANSFORM, Pipelines, dev_config, existing_table

KEY = "arn:aws:kms:ap-northeast-1:123456789012:key/k"
TOPIC = "arn:aws:sns:us-east-1:123456789012:theirs"
LEVELS = {
    EnforcementLevel.ADVISORY: proto.ADVISORY,
    EnforcementLevel.MANDATORY: proto.MANDATORY,
}
both_phases = pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])


def in_stack(stack: str, preview: bool = False) -> Callable[[], Any]:
    return lambda: build(careless, stack=stack, preview=preview)


def test_pulumi_receives_each_rule_with_reason_and_fix(pack: AnalyzerStub) -> None:
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert (info.name, info.supportsConfig) == ("streaming-etl", True)
    assert [
        (
            policy.name,
            policy.description,
            policy.enforcementLevel,
            policy.remediation_steps,
            policy.policy_type == proto.POLICY_TYPE_RESOURCE,
            json_format.MessageToDict(policy.configSchema.properties),
        )
        for policy in info.policies
    ] == [
        (
            rule.name,
            f"{rule.requires} {rule.reason}",
            LEVELS[rule.level],
            rule.fix,
            isinstance(rule, ResourceRule),
            rule.settings,
        )
        for rule in RULES
    ]


def test_the_packs_pins_are_those_of_the_tests(pack: AnalyzerStub) -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^([\w-]+==\S+)", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("policy/requirements.txt") - pins("requirements-dev.txt") == set()
    version = pack.GetPluginInfo(empty_pb2.Empty()).version
    assert f"pulumi-policy=={version}" in pins("policy/requirements.txt")


def test_pulumi_finds_the_packs_virtual_environment() -> None:
    project = yaml.safe_load((ROOT / "policy" / "PulumiPolicy.yaml").read_text())
    options = {"toolchain": "pip", "virtualenv": ".venv"}
    assert project["runtime"] == {"name": "python", "options": options}


def test_the_config_file_contains_the_defaults_of_each_setting() -> None:
    config = json.loads((ROOT / "policy" / "config.json").read_text())
    assert config == {
        rule.name: {key: schema["default"] for key, schema in rule.settings.items()}
        for rule in RULES
        if rule.settings
    }
    for rule in RULES:
        schema = {"type": "object", "properties": rule.settings, "additionalProperties": False}
        jsonschema.validate(config.get(rule.name, {}), schema)


BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


@pytest.fixture(scope="module")
def strict_pack() -> Iterator[AnalyzerStub]:
    """The running pack with the rules that need a config."""
    with running_pack() as stub:
        stub.Configure(config_of({"roles-have-boundary": {"policies": [BOUNDARY]}}))
        yield stub


def config_of(settings: Mapping[str, Mapping[str, list[str]]]) -> Any:
    """The config of rules as Pulumi sends it."""
    request = proto.ConfigureAnalyzerRequest()
    for rule, properties in settings.items():
        # Pulumi sends the level together with the settings.
        request.policyConfig[rule].enforcementLevel = proto.MANDATORY
        for name, values in properties.items():
            request.policyConfig[rule].properties[name] = values
    return request


@both_phases
def test_a_careless_production_stack_breaks_each_rule(
    strict_pack: AnalyzerStub, preview: bool
) -> None:
    result = violations(strict_pack, registered(in_stack("prod", preview)))
    assert result == [
        ("alarms-reach-topic", "alarms"),
        ("bucket-not-public", "raw"),
        ("errors-outside-table", "stream"),
        ("no-public-principal", "public"),
        ("production-buckets-versioned", "raw"),
        ("production-data-protected", "orders"),
        ("production-data-protected", "orders"),
        ("production-data-protected", "raw"),
        ("roles-have-boundary", "role"),
        ("stream-failures-to-s3", "mapping"),
        ("stream-reader-timeout", "read"),
        ("stream-retries-limited", "mapping"),
        ("stream-retries-limited", "mapping"),
        ("stream-retries-limited", "mapping"),
        ("transform-timeout", "reshape"),
    ]
    assert {rule for rule, _ in result} == {rule.name for rule in RULES}


def test_the_names_of_production_stacks_are_read_from_the_config() -> None:
    production = {rule.name for rule in RULES if "stacks" in rule.settings}
    with running_pack() as pack:
        pack.Configure(config_of({rule: {"stacks": ["live", "live-*"]} for rule in production}))
        live = {rule for rule, _ in violations(pack, registered(in_stack("live-tokyo")))}
        prod = {rule for rule, _ in violations(pack, registered(in_stack("prod")))}
    assert live >= production
    assert prod & production == set()


@both_phases
def test_the_example_stack_breaks_no_rule(pack: AnalyzerStub, preview: bool) -> None:
    sent = registered(lambda: stack_graph("dev", preview=preview))
    assert len(sent) > 60
    assert violations(pack, sent) == []


@both_phases
def test_the_example_stack_as_production_breaks_only_production_rules(
    pack: AnalyzerStub, preview: bool
) -> None:
    sent = registered(lambda: program_graph(dev_config(), stack="prod", preview=preview))
    assert violations(pack, sent) == [
        ("production-data-protected", f"{pipeline}-{part}")
        for pipeline in ("orders", "shipments", "shop")
        for part in ("lake-bucket", "query-workgroup", "source-table")
    ]


@both_phases
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"source": SourceArgs(use_existing=True), "tables": existing_table()},
        {"lake": LakeArgs(bucket_name="theirs", kms_key_arn=KEY)},
        {"lake": LakeArgs(kms_key_arn=KEY, versioning=False)},
        {"catalog": "crawler", "module": TRANSFORM},
        {"format": "parquet", "partitions": PartitionArgs(dynamic_partition_keys={"store_id": []})},
        {"monitoring": MonitoringArgs(alarm_topic_arn=TOPIC, dashboard=False)},
        {"backfill": BackfillArgs(enabled=True)},
        {"merge": MergeArgs(enabled=True)},
        {
            "forwarder": ForwarderArgs(
                maximum_retry_attempts=0, maximum_record_age_seconds=60, timeout_seconds=30
            ),
            "transform": TransformArgs(timeout_seconds=60),
        },
        {
            "forwarder": ForwarderArgs(
                maximum_retry_attempts=100, maximum_record_age_seconds=86_400, timeout_seconds=900
            ),
            "transform": TransformArgs(timeout_seconds=300),
        },
    ],
)
def test_a_pipeline_breaks_no_rule_with_any_settings(
    pack: AnalyzerStub, tmp_path: Any, settings: dict[str, Any], preview: bool
) -> None:
    sent = registered(lambda: Pipelines(tmp_path).build(preview=preview, **settings))
    assert violations(pack, sent) == []


LAKE_TABLES = {
    "orders": LakeTableArgs(
        transform_module="transforms/orders.py",
        partitions=PartitionArgs(),
        where={"type": ["order"]},
        format="csv",
        catalog="crawler",
    ),
    "shipments": LakeTableArgs(
        transform_module="transforms/shipments.py",
        partitions=PartitionArgs(dynamic_partition_keys={"carrier": ["air", "sea"]}),
        format="parquet",
        merge=MergeArgs(enabled=True),
    ),
}


@both_phases
def test_a_pipeline_with_several_lake_tables_breaks_no_rule(
    pack: AnalyzerStub, preview: bool
) -> None:
    sent = registered(lambda: build(lake_tables, preview=preview, stack="prod"))
    assert violations(pack, sent) == []


@both_phases
def test_each_lake_table_is_checked(preview: bool) -> None:
    """The rules find what is wrong in any lake table."""
    sent = as_resources(registered(lambda: build(lake_tables, preview=preview)))
    functions = [it.urn for it in sent if it.type == "aws:lambda/function:Function"]
    transforms = sorted(urn for urn in functions if urn.endswith("-transform-function"))
    assert len(transforms) == len(LAKE_TABLES)
    for each in transforms:
        broken = [
            replace(it, props={**it.props, "timeout": 3}) if it.urn == each else it for it in sent
        ]
        assert found("transform-timeout", broken) == [each]
    streams = [it for it in sent if it.type == DELIVERY_STREAM]
    assert len(streams) == len(LAKE_TABLES)
    for one, other in permutations(streams, 2):
        # Among the rows of the other lake table.
        prefix = f"{other.props[S3]['prefix'].split('!{')[0]}errors/"
        props = {**one.props, S3: {**one.props[S3], "errorOutputPrefix": prefix}}
        broken = [replace(it, props=props) if it.urn == one.urn else it for it in sent]
        # The location of a table is unknown in a preview.
        assert {*found("errors-outside-table", broken)} == (set() if preview else {one.urn})


def lake_tables() -> None:
    """Create a pipeline with several lake tables."""
    args = StreamingEtlPipelineArgs(table_name="shop", lake_tables=LAKE_TABLES)
    StreamingEtlPipeline("shop", args)


def found(name: str, resources: list[Resource]) -> list[str]:
    """URNs of the resources that break a rule for stacks."""
    [rule] = [rule for rule in RULES if rule.name == name]
    assert isinstance(rule, StackRule)
    return [violation.resource.urn for violation in rule.check(Stack(resources))]
