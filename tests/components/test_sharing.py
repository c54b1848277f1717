"""Pipelines of one stack share nothing unless configured to, whatever their names."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl import LakeArgs, MonitoringArgs, StreamingEtlPipeline
from streaming_etl.components.packaging import dependencies
from streaming_etl.stack.recorder import Graph, Node, build, provider_outputs
from tests.components.test_graph_rules import pipeline_of
from tests.support.pipelines import Pipelines

# Each name starts like the names of another pipeline's resources.
NAMES = ("orders", "orders-delivery", "orders-lake", "orders-catalog", "orders-transform")


def build_all(pipelines: Pipelines, **settings: Any) -> Graph:
    def program() -> None:
        for name in NAMES:
            args = pipelines.args(table_name=f"table-of-{name}", **settings)
            StreamingEtlPipeline(name, args)

    return build(program)


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    return build_all(pipelines, catalog="crawler")


def physical_names(node: Node) -> set[str]:
    outputs = provider_outputs(node.type, node.name, node.inputs)
    # The name of a log stream is unique in its group only.
    return set() if node.type.endswith(":LogStream") else set(outputs.values())


def test_pipelines_with_overlapping_names_have_separate_resources(graph: Graph) -> None:
    by_pipeline = {
        name: sorted(
            (node.type, node.name.removeprefix(name))
            for node in graph.custom
            if pipeline_of(node, graph) == name
        )
        for name in NAMES
    }
    assert all(resources == by_pipeline["orders"] for resources in by_pipeline.values())
    assert max(Counter((node.type, node.name) for node in graph.nodes).values()) == 1


def test_physical_names_are_unique(graph: Graph) -> None:
    counts = Counter(
        (node.type, name)
        for node in graph.custom
        for name in physical_names(node)
        # The name of a Glue table is unique in its database only.
        if not node.type.endswith(":CatalogTable")
    )
    assert max(counts.values()) == 1


def test_no_resource_refers_to_a_resource_of_another_pipeline(graph: Graph) -> None:
    owners = {
        name: pipeline_of(node, graph) for node in graph.custom for name in physical_names(node)
    }
    pattern = re.compile(
        "|".join(
            rf"(?<![a-z0-9_-]){re.escape(name)}(?![a-z0-9_-])"
            for name in sorted(owners, key=len, reverse=True)
        )
    )
    references = dict.fromkeys(NAMES, 0)
    offenders = []
    for node in graph.custom:
        own = pipeline_of(node, graph)
        for name in pattern.findall(json.dumps(node.inputs)):
            references[own] += 1
            if owners[name] != own:
                offenders.append((node.name, name))
    assert offenders == []
    # The pattern finds the references within a pipeline.
    assert set(references.values()) == {references["orders"]}
    assert references["orders"] > 50


def test_pipelines_with_shared_resources_use_separate_paths(pipelines: Pipelines) -> None:
    graph = build_all(
        pipelines,
        lake=LakeArgs(bucket_name="shared"),
        database_name="shared",
        monitoring=MonitoringArgs(alarm_topic_arn="arn:aws:sns:ap-northeast-1:123456789012:shared"),
    )
    prefixes = [
        node.inputs["extendedS3Configuration"][prefix].split("!")[0].removesuffix("year=")
        for node in graph.of("FirehoseDeliveryStream")
        for prefix in ("prefix", "errorOutputPrefix")
    ]
    assert sorted(prefixes) == sorted(
        f"{kind}/shared/table_of_{name.replace('-', '_')}/"
        for name in NAMES
        for kind in ("data", "errors")
    )
    results = {
        node.inputs["configuration"]["resultConfiguration"]["outputLocation"]
        for node in graph.of("Workgroup")
    }
    assert results == {f"s3://shared/athena-results/{name}-test/" for name in NAMES}
    writable = [
        resource
        for name in NAMES
        for resource in graph[f"{name}-delivery-policy"].policy()["Statement"][1]["Resource"]
    ]
    assert sorted(writable) == sorted(f"arn:aws:s3:::shared/{prefix}*" for prefix in prefixes)
    monitored = [
        path["prefix"]
        for node in graph.of("EventRule")
        for path in node.policy("eventPattern")["detail"]["object"]["key"]
    ]
    assert sorted(monitored) == sorted(
        [
            *(prefix for prefix in prefixes if prefix.startswith("errors/")),
            *(f"aws/lambda/uuid-of-{name}-forwarder-mapping/" for name in NAMES),
        ]
    )


def test_a_pipeline_with_another_provider_uses_only_that_provider(pipelines: Pipelines) -> None:
    def program() -> None:
        provider = aws.Provider("osaka", region="ap-northeast-3")
        opts = pulumi.ResourceOptions(providers=[provider])
        StreamingEtlPipeline("shop", pipelines.args(catalog="crawler"), opts)

    graph = build(program)
    used = {node.provider for node in graph.custom if not node.type.startswith("pulumi:")}
    assert used == {provider for _, provider in graph.calls}
    [provider] = used
    assert provider.split("::")[-2:] == ["osaka", "osaka-id"]


def test_pipelines_share_the_check_of_dependencies_and_the_archive(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[Path] = []
    load_if_intact = dependencies.load_if_intact

    def counted(folder: Path) -> object:
        checked.append(folder)
        return load_if_intact(folder)

    monkeypatch.setattr(dependencies, "load_if_intact", counted)
    dependencies._install_once.cache_clear()
    graph = build_all(pipelines)
    build_all(pipelines, architecture="x86_64")
    assert len(checked) == len(set(checked)) == 2
    codes = [node.inputs["code"]["archive"] for node in graph.of("Function")]
    forwarders = {code for code in codes if "forwarder-" in code}
    assert len(forwarders) == 1
