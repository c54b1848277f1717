"""Two pipelines in one stack share nothing unless told to, whatever they are called."""

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
from tests.components.pipelines import Pipelines
from tests.components.test_dev_stack_rules import pipeline_of

# Each of these starts like the names of another's resources.
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


def names_of(node: Node) -> set[str]:
    """What AWS calls the resource."""
    outputs = provider_outputs(node.type, node.name, node.inputs)
    # A log stream's name means something in its group only.
    return set() if node.type.endswith(":LogStream") else set(outputs.values())


def test_pipelines_whose_names_overlap_get_resources_of_their_own(graph: Graph) -> None:
    each = {
        name: sorted(
            (node.type, node.name.removeprefix(name))
            for node in graph.custom
            if pipeline_of(node, graph) == name
        )
        for name in NAMES
    }
    assert all(resources == each["orders"] for resources in each.values())
    counted = Counter((node.type, node.name) for node in graph.nodes)
    assert max(counted.values()) == 1


def test_no_two_resources_have_the_same_name_in_aws(graph: Graph) -> None:
    counted = Counter(
        (node.type, name)
        for node in graph.custom
        for name in names_of(node)
        # Its name means something in its database only.
        if not node.type.endswith(":CatalogTable")
    )
    assert max(counted.values()) == 1
    metrics = [node.inputs["metricTransformation"] for node in graph.of("LogMetricFilter")]
    assert len({metric["name"] for metric in metrics}) == len(NAMES)


def test_no_resource_refers_to_one_of_another_pipeline(graph: Graph) -> None:
    owners = {name: pipeline_of(node, graph) for node in graph.custom for name in names_of(node)}
    parts = re.compile(
        "|".join(
            rf"(?<![a-z0-9_-]){re.escape(name)}(?![a-z0-9_-])"
            for name in sorted(owners, key=len, reverse=True)
        )
    )
    found = dict.fromkeys(NAMES, 0)
    for node in graph.custom:
        own = pipeline_of(node, graph)
        for name in parts.findall(json.dumps(node.inputs)):
            assert owners[name] == own, f"{node.name} refers to {name}"
            found[own] += 1
    # The search does find what a pipeline's resources say of each other.
    assert set(found.values()) == {found["orders"]}
    assert found["orders"] > 50


def test_pipelines_that_share_bucket_database_and_topic_keep_to_their_own_folders(
    pipelines: Pipelines,
) -> None:
    shared = build_all(
        pipelines,
        lake=LakeArgs(bucket_name="shared"),
        database_name="shared",
        monitoring=MonitoringArgs(alarm_topic_arn="arn:aws:sns:ap-northeast-1:123456789012:shared"),
    )
    prefixes = [
        node.inputs["extendedS3Configuration"][prefix].split("!")[0].removesuffix("year=")
        for node in shared.of("FirehoseDeliveryStream")
        for prefix in ("prefix", "errorOutputPrefix")
    ]
    assert sorted(prefixes) == sorted(
        f"{kind}/shared/table_of_{name.replace('-', '_')}/"
        for name in NAMES
        for kind in ("data", "errors")
    )
    results = {
        node.inputs["configuration"]["resultConfiguration"]["outputLocation"]
        for node in shared.of("Workgroup")
    }
    assert results == {f"s3://shared/athena-results/{name}-test/" for name in NAMES}
    written = [
        resource
        for name in NAMES
        for resource in shared[f"{name}-delivery-policy"].policy()["Statement"][1]["Resource"]
    ]
    assert sorted(written) == sorted(f"arn:aws:s3:::shared/{prefix}*" for prefix in prefixes)
    watched = [
        path["prefix"]
        for name in NAMES
        for kind in ("failed-batches", "error-records")
        for path in shared[f"{name}-watch-{kind}"].policy("eventPattern")["detail"]["object"]["key"]
    ]
    assert sorted(watched) == sorted(
        [
            *(prefix for prefix in prefixes if prefix.startswith("errors/")),
            *(f"aws/lambda/uuid-of-{name}-forwarder-mapping/" for name in NAMES),
        ]
    )


def test_a_pipeline_of_another_region_asks_and_builds_through_its_own_provider(
    pipelines: Pipelines,
) -> None:
    def program() -> None:
        provider = aws.Provider("osaka", region="ap-northeast-3")
        opts = pulumi.ResourceOptions(providers=[provider])
        StreamingEtlPipeline("shop", pipelines.args(catalog="crawler"), opts)

    graph = build(program)
    used = {node.provider for node in graph.custom if not node.type.startswith("pulumi:")}
    looked_up = {provider for _, provider in graph.calls}
    assert used == looked_up
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
