"""Dependencies order the resources as AWS needs it."""

from typing import Any

import pytest

from streaming_etl import (
    BackfillArgs,
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    QueryArgs,
    SourceArgs,
)
from streaming_etl.stack.recorder import Graph
from tests.support.deployment_order import RULES, graph_resources, pairs, unordered
from tests.support.pipelines import (
    TRANSFORM,
    Pipelines,
    dev_stack,
    existing_table,
    several_lake_tables,
)

VARIATIONS: dict[str, dict[str, Any]] = {
    "minimal": {},
    "all stages": {
        "format": "parquet",
        "catalog": "crawler",
        "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        "backfill": BackfillArgs(enabled=True, on_create=True),
        "lake": LakeArgs(kms_key_arn="arn:aws:kms:ap-northeast-1:123456789012:key/k"),
    },
    "crawler without COLUMNS": {"catalog": "crawler", "module": TRANSFORM},
    "shared bucket and database": {
        "lake": LakeArgs(bucket_name="shared"),
        "database_name": "shared",
        "backfill": BackfillArgs(enabled=True),
    },
    "existing table": {
        "source": SourceArgs(use_existing=True),
        "tables": existing_table(),
        "backfill": BackfillArgs(enabled=True),
    },
    "view of partitions": {"query": QueryArgs(current_state_source="partitions")},
    "subscribed topic": {"monitoring": MonitoringArgs(alarm_emails=["a@example.com"])},
    "shared topic": {
        "monitoring": MonitoringArgs(alarm_topic_arn="arn:aws:sns:ap-northeast-1:123456789012:a")
    },
}


@pytest.fixture(scope="module")
def graphs(pipelines: Pipelines) -> dict[str, Graph]:
    variations = {name: pipelines.build(**settings) for name, settings in VARIATIONS.items()}
    several = pipelines.build(**several_lake_tables(pipelines))
    return {"example stack": dev_stack(), "several lake tables": several, **variations}


def test_every_resource_depends_on_what_aws_needs_first(graphs: dict[str, Graph]) -> None:
    offenders = {name: [str(pair) for pair in unordered(graph)] for name, graph in graphs.items()}
    assert {name: found for name, found in offenders.items() if found} == {}


def test_every_rule_finds_resources_of_each_of_its_types(graphs: dict[str, Graph]) -> None:
    found = {
        (pair.rule, pair.resource.type)
        for graph in graphs.values()
        for pair in pairs(graph_resources(graph))
    }
    unused = [
        (rule.needs.__name__, type_)
        for rule in RULES
        for type_ in rule.types
        if (rule, type_) not in found
    ]
    assert unused == []
