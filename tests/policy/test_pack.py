"""The policy pack as Pulumi meets it: started in its folder, asked over gRPC."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jsonschema
import pytest
import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import proto
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub
from pulumi_policy import EnforcementLevel

from policy.rules.pack import RULES
from policy.rules.rule import ResourceRule
from streaming_etl.stack.recorder import build
from tests.components.pipelines import ROOT
from tests.policy.careless import careless
from tests.policy.engine import registered, running_pack, violations

LEVELS = {
    EnforcementLevel.ADVISORY: proto.ADVISORY,
    EnforcementLevel.MANDATORY: proto.MANDATORY,
}


def test_pulumi_is_told_every_rule_with_its_reason_and_remedy(pack: AnalyzerStub) -> None:
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    assert (info.name, info.supportsConfig) == ("streaming-etl", True)
    found = [
        {
            "name": policy.name,
            "description": policy.description,
            "level": policy.enforcementLevel,
            "remedy": policy.remediation_steps,
            "by_resource": policy.policy_type == proto.POLICY_TYPE_RESOURCE,
            "settings": json_format.MessageToDict(policy.configSchema.properties),
        }
        for policy in info.policies
    ]
    assert found == [
        {
            "name": rule.name,
            "description": f"{rule.guards} {rule.reason}",
            "level": LEVELS[rule.level],
            "remedy": rule.remedy,
            "by_resource": isinstance(rule, ResourceRule),
            "settings": rule.settings,
        }
        for rule in RULES
    ]


def test_the_pack_is_of_the_sdk_that_is_pinned(pack: AnalyzerStub) -> None:
    version = pack.GetPluginInfo(empty_pb2.Empty()).version
    for lock in ("policy/requirements.txt", "requirements-dev.txt"):
        assert f"\npulumi-policy=={version} " in (ROOT / lock).read_text()


def test_the_pack_and_the_program_run_the_same_pulumi() -> None:
    def pins(lock: str) -> set[str]:
        return set(re.findall(r"^([\w-]+==\S+)", (ROOT / lock).read_text(), re.MULTILINE))

    assert pins("policy/requirements.txt") - pins("requirements-dev.txt") == set()


def test_pulumi_finds_the_pack_s_own_environment() -> None:
    project = yaml.safe_load((ROOT / "policy" / "PulumiPolicy.yaml").read_text())
    options = {"toolchain": "pip", "virtualenv": ".venv"}
    assert project["runtime"] == {"name": "python", "options": options}


def test_every_rule_of_production_takes_the_same_names() -> None:
    settings = [rule.settings for rule in RULES if rule.name.startswith("production-")]
    assert len(settings) == 2
    assert all(setting == settings[0] for setting in settings)
    assert [rule.name for rule in RULES if rule.settings and rule.settings != settings[0]] == []


def test_the_file_of_settings_holds_the_defaults_of_every_rule_that_has_some() -> None:
    given = json.loads((ROOT / "policy" / "config.json").read_text())
    assert given == {
        rule.name: {key: schema["default"] for key, schema in rule.settings.items()}
        for rule in RULES
        if rule.settings
    }
    for rule in RULES:
        schema = {"type": "object", "properties": rule.settings, "additionalProperties": False}
        jsonschema.validate(given.get(rule.name, {}), schema)


def configured(config: Mapping[str, Sequence[str]], stack: str) -> set[str]:
    """The rules that a careless stack of that name breaks, by the pack with these settings."""
    request = proto.ConfigureAnalyzerRequest()
    for rule, stacks in config.items():
        # As Pulumi does, which sends the level along with the settings.
        request.policyConfig[rule].enforcementLevel = proto.MANDATORY
        request.policyConfig[rule].properties["stacks"] = list(stacks)
    with running_pack() as pack:
        pack.Configure(request)
        return {rule for rule, *_ in violations(pack, registered(in_stack(stack)))}


def in_stack(stack: str, preview: bool = False) -> Callable[[], Any]:
    return lambda: build(careless, stack=stack, preview=preview)


def test_the_names_of_production_stacks_can_be_set() -> None:
    production = {"production-data-kept", "production-buckets-versioned"}
    config = {rule: ["live", "live-*"] for rule in production}
    assert configured(config, "live-tokyo") >= production
    assert configured(config, "prod") & production == set()


# Rules and resources; what each says is compared in test_rules.
BROKEN = [
    ("alarms-reach-topic", "alarms"),
    ("bucket-closed", "raw"),
    ("bucket-encrypted", "raw"),
    ("bucket-tls-only", "raw"),
    ("delivery-stream-encrypted", "stream"),
    ("errors-outside-table", "stream"),
    ("function-logs-end", "read"),
    ("function-logs-end", "reshape"),
    ("log-group-ends", "logs"),
    ("managed-policy-narrow", "full"),
    ("policy-actions-named", "everything"),
    ("policy-principals-named", "public"),
    ("policy-resources-named", "everything"),
    ("production-buckets-versioned", "raw"),
    ("production-data-kept", "orders"),
    ("production-data-kept", "orders"),
    ("production-data-kept", "raw"),
    ("stream-mapping-ends", "mapping"),
    ("stream-mapping-ends", "mapping"),
    ("stream-mapping-ends", "mapping"),
    ("stream-mapping-sets-aside", "mapping"),
    ("stream-reader-time-out", "read"),
    ("transform-time-out", "reshape"),
]


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_a_careless_stack_breaks_every_rule(pack: AnalyzerStub, preview: bool) -> None:
    found = violations(pack, registered(in_stack("prod", preview)))
    assert [(rule, name) for rule, name, _ in found] == BROKEN
    assert {rule for rule, _ in BROKEN} == {rule.name for rule in RULES}


def test_a_destination_that_is_not_made_as_yet_is_told_by_what_it_is(pack: AnalyzerStub) -> None:
    found = violations(pack, registered(in_stack("prod", preview=True)))
    assert [message for rule, _, message in found if rule == "stream-mapping-sets-aside"] == [
        "destinationConfig.onFailure.destinationArn is a Topic, which receives no data; set it to"
        " the ARN of an S3 bucket, which receives the changes themselves."
    ]


def test_a_whole_number_is_told_as_it_was_given(pack: AnalyzerStub) -> None:
    found = violations(pack, registered(in_stack("prod")))
    assert [message for rule, _, message in found if rule == "log-group-ends"] == [
        "retentionInDays=0: CloudWatch then keeps the log for ever; set one of its fixed numbers of"
        " days, such as 30."
    ]
