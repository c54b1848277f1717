"""Keys, streams, topics and layers must be in the stack's region."""

from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl import (
    LakeArgs,
    MonitoringArgs,
    SettingsError,
    SourceArgs,
    StreamingEtlPipeline,
    TransformArgs,
)
from streaming_etl.stack.recorder import Graph, build
from tests.support.pipelines import Pipelines
from tests.support.problems import places

OTHER = {
    "kms_key_arn": "arn:aws:kms:us-east-2:123456789012:key/k",
    "former_kms_key_arns": ["arn:aws:kms:us-west-2:123456789012:key/k"],
    "source": SourceArgs(
        use_existing=True,
        stream_arn="arn:aws:dynamodb:us-east-2:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
        table_kms_key_arn="arn:aws:kms:us-west-2:123456789012:key/k",
    ),
    "lake": LakeArgs(kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/k"),
    "monitoring": MonitoringArgs(
        alarm_topic_arn="arn:aws:sns:eu-west-1:123456789012:alarms",
        alarm_actions=[
            "arn:aws:lambda:eu-west-1:123456789012:function:page",
            "arn:aws:ssm-incidents::123456789012:response-plan/any-region",
        ],
        ok_actions=["arn:aws:ssm:eu-west-1:123456789012:opsitem:1"],
    ),
    "transform": TransformArgs(
        layers=["arn:aws:lambda:eu-west-1:123456789012:layer:shared:1"],
        secrets={"API_KEY": "arn:aws:ssm:eu-west-1:123456789012:parameter/key"},
    ),
}


def program(pipelines: Pipelines, opts: pulumi.ResourceOptions | None = None) -> Callable[[], None]:
    def run() -> None:
        StreamingEtlPipeline("shop", pipelines.args(**OTHER), opts)

    return run


def test_rejects_keys_streams_topics_and_layers_of_another_region(pipelines: Pipelines) -> None:
    graph = Graph()
    with pytest.raises(SettingsError) as error:
        build(program(pipelines), config={"aws:region": "eu-west-3"}, into=graph)
    assert places(error.value.problems) == [
        ("", "kms_key_arn", "other-region"),
        ("source", "stream_arn", "other-region"),
        ("source", "table_kms_key_arn", "other-region"),
        ("", "former_kms_key_arns", "other-region"),
        ("lake", "kms_key_arn", "other-region"),
        ("monitoring", "alarm_topic_arn", "other-region"),
        ("monitoring", "alarm_actions", "other-region"),
        ("monitoring", "ok_actions", "other-region"),
        ("transform", "layers", "other-region"),
        ("transform", "secrets[API_KEY]", "other-region"),
    ]
    assert {problem.details["region"] for problem in error.value.problems} == {"eu-west-3"}
    assert not graph.custom


def test_accepts_a_key_of_the_region(pipelines: Pipelines) -> None:
    with pytest.raises(SettingsError) as error:
        build(program(pipelines), config={"aws:region": "us-east-1"})
    assert ("lake", "kms_key_arn", "other-region") not in places(error.value.problems)
    assert ("monitoring", "alarm_topic_arn", "other-region") in places(error.value.problems)


def test_accepts_any_region_if_the_stack_configures_none(pipelines: Pipelines) -> None:
    assert build(program(pipelines)).custom


def test_accepts_any_region_with_an_explicit_provider(pipelines: Pipelines) -> None:
    def run() -> None:
        provider = aws.Provider("osaka", region="ap-northeast-3")
        program(pipelines, pulumi.ResourceOptions(providers=[provider]))()

    assert build(run, config={"aws:region": "eu-west-3"}).custom
