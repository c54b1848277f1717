"""Resources with data are protected, or retained with access to it."""

from typing import Any

import pulumi
import pytest

from streaming_etl import BackfillArgs, LakeArgs, MergeArgs, SourceArgs, StreamingEtlPipeline
from streaming_etl.stack.recorder import Graph, build
from tests.support.pipelines import Pipelines, existing_table

ALL_STAGES: dict[str, Any] = {
    "catalog": "crawler",
    "backfill": BackfillArgs(enabled=True),
    "lake": LakeArgs(kms_key_arn="arn:aws:kms:ap-northeast-1:123456789012:key/k"),
}
DATA = ["shop-catalog-database", "shop-lake-bucket", "shop-source-table"]
SERVICES_WITH_DATA = ("aws:athena/", "aws:dynamodb/", "aws:s3/")
CATALOG = ("aws:glue/catalogDatabase:CatalogDatabase", "aws:glue/catalogTable:CatalogTable")


def with_option(graph: Graph, option: str) -> list[str]:
    return sorted(node.name for node in graph.nodes if option in node.options)


@pytest.mark.parametrize("settings", [{}, ALL_STAGES], ids=["minimal", "all stages"])
def test_protects_table_bucket_and_database_by_default(
    pipelines: Pipelines, settings: dict[str, Any]
) -> None:
    graph = pipelines.build(**settings)
    assert with_option(graph, "protect") == DATA
    assert with_option(graph, "retainOnDelete") == []


def test_protects_and_retains_the_merged_table(pipelines: Pipelines) -> None:
    merge = MergeArgs(enabled=True)
    assert "shop-merged-table" in with_option(pipelines.build(merge=merge), "protect")
    retained = with_option(pipelines.build(merge=merge, retain=True), "retainOnDelete")
    assert "shop-merged-table" in retained


def test_protects_only_what_the_pipeline_creates(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        tables=existing_table(),
        source=SourceArgs(use_existing=True),
        lake=LakeArgs(bucket_name="shared"),
    )
    assert with_option(graph, "protect") == ["shop-catalog-database"]


@pytest.mark.parametrize("settings", [{}, ALL_STAGES], ids=["minimal", "all stages"])
def test_retains_everything_that_holds_shields_or_queries_data(
    pipelines: Pipelines, settings: dict[str, Any]
) -> None:
    graph = pipelines.build(retain=True, **settings)
    expected = [
        node.name
        for node in graph.nodes
        if node.type.startswith(SERVICES_WITH_DATA) or node.type in CATALOG
    ]
    assert with_option(graph, "retainOnDelete") == sorted(expected)
    assert len(expected) > len(DATA)
    # The engine checks the protection before it retains.
    assert with_option(graph, "protect") == []


def test_without_protection_options_of_the_program_apply(pipelines: Pipelines) -> None:
    args = pipelines.args(protect=False)
    opts = pulumi.ResourceOptions(protect=True)
    graph = build(lambda: StreamingEtlPipeline("shop", args, opts))
    assert with_option(graph, "protect") == sorted(node.name for node in graph.nodes)
    assert with_option(build(lambda: StreamingEtlPipeline("shop", args)), "protect") == []
