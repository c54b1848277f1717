"""Every input, nested ones included, is one that the AWS provider knows."""

import pytest

from streaming_etl import (
    BackfillArgs,
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    PartitionArgs,
    SourceArgs,
    TransformArgs,
)
from streaming_etl.stack.recorder import Graph, Node
from tests.components.pipelines import TRANSFORM, Pipelines, dev_stack
from tests.components.provider_types import arguments_of, misfits

NODES = sorted(dev_stack().custom, key=lambda node: node.name)


@pytest.mark.parametrize("node", NODES, ids=[node.name for node in NODES])
def test_the_provider_knows_every_input_of_the_example_stack(node: Node) -> None:
    assert misfits(node.type, node.inputs) == []


def every_misfit(graph: Graph) -> dict[str, list[str]]:
    return {node.name: found for node in graph.custom if (found := misfits(node.type, node.inputs))}


def test_the_provider_knows_every_input_of_a_pipeline_with_all_options(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(
        format="csv",
        catalog="crawler",
        partitions=PartitionArgs(dynamic_partition_keys={"store_id": []}, partition_time="event"),
        source=SourceArgs(range_key="at", read_capacity=1, write_capacity=1, ttl_attribute="ttl"),
        forwarder=ForwarderArgs(filter_patterns=['{"dynamodb": {"Keys": {}}}']),
        transform=TransformArgs(buffer_mib=0.5, buffer_seconds=30, maximum_retry_attempts=1),
        delivery=DeliveryArgs(compression="UNCOMPRESSED"),
        lake=LakeArgs(
            kms_key_arn="arn:aws:kms:ap-northeast-1:123456789012:key/k",
            data_retention_days=1,
            failures_retention_days=1,
        ),
        backfill=BackfillArgs(enabled=True),
    )
    assert every_misfit(graph) == {}


def test_the_provider_knows_every_input_of_a_crawler_without_columns(
    pipelines: Pipelines,
) -> None:
    assert every_misfit(pipelines.build(module=TRANSFORM, catalog="crawler")) == {}


@pytest.mark.parametrize(
    ("inputs", "misfit"),
    [
        ({"forceDestroys": True}, ".forceDestroys is unknown to BucketArgs"),
        ({"forceDestroy": "true"}, ".forceDestroy is no bool"),
        ({"tags": {"a": 1}}, ".tags.a is no str"),
        ({"tags": ["a"]}, ".tags is no map"),
    ],
)
def test_the_search_finds_what_the_provider_would_refuse(
    inputs: dict[str, object], misfit: str
) -> None:
    assert misfits("aws:s3/bucket:Bucket", inputs) == [misfit]


def test_the_search_finds_nested_misspellings_and_gaps() -> None:
    inputs = {
        "destination": "extended_s3",
        "extendedS3Configuration": {
            "roleArn": "r",
            "processingConfiguration": {"processors": [{"type": "Lambda", "parameter": []}]},
        },
    }
    found = misfits("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", inputs)
    path = ".extendedS3Configuration"
    name = "FirehoseDeliveryStreamExtendedS3Configuration"
    assert found == [
        f"{path}.processingConfiguration.processors.0.parameter is unknown to"
        f" {name}ProcessingConfigurationProcessorArgs",
        f"{path}.bucketArn is required by {name}Args",
    ]


def test_tags_are_told_from_the_provider() -> None:
    assert "tags" in arguments_of("aws:lambda/eventSourceMapping:EventSourceMapping")
    assert "tags" not in arguments_of("aws:glue/catalogTable:CatalogTable")
