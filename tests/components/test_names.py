"""Names derived from valid table and pipeline names are legal."""

import re

import pytest

from streaming_etl import BackfillArgs, LakeTableQueryArgs, MergeArgs, MonitoringArgs, PartitionArgs
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import Pipelines, dev_stack
from tests.support.problems import places
from tests.support.provider_inputs import input_names

# Pulumi appends `-` and seven characters to a generated name.
SUFFIX = 8

# Longest names of resources that Pulumi names.
AUTO_NAMED = {
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    "aws:s3/bucket:Bucket": 63,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    "aws:iam/role:Role": 64,
    "aws:iam/rolePolicy:RolePolicy": 128,
    # https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    "aws:lambda/function:Function": 64,
    # https://docs.aws.amazon.com/firehose/latest/APIReference/API_CreateDeliveryStream.html
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": 64,
    # https://docs.aws.amazon.com/glue/latest/webapi/API_CreateCrawler.html
    "aws:glue/crawler:Crawler": 255,
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html
    "aws:cloudwatch/logGroup:LogGroup": 512,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    "aws:cloudwatch/eventRule:EventRule": 64,
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
    "aws:sfn/stateMachine:StateMachine": 80,
    # https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html
    "aws:scheduler/schedule:Schedule": 64,
    # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    "aws:sns/topic:Topic": 256,
}

# Legal names of resources that the components name.
NAMED = {
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
    "aws:dynamodb/table:Table": r"[a-zA-Z0-9_.-]{3,255}",
    # https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
    "aws:glue/catalogDatabase:CatalogDatabase": r"[a-z0-9_]{1,255}",
    "aws:glue/catalogTable:CatalogTable": r"[a-z0-9_]{1,255}",
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html
    "aws:athena/workgroup:Workgroup": r"[a-zA-Z0-9._-]{1,128}",
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html
    "aws:athena/namedQuery:NamedQuery": r".{1,128}",
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
    "aws:cloudwatch/logStream:LogStream": r"[^:*]{1,512}",
}

LONGEST = "a" * 35
BACKFILL = BackfillArgs(enabled=True, on_create=True)


def illegal_names(graph: Graph) -> list[str]:
    """Resources whose name AWS rejects."""
    illegal = []
    for node in graph.custom:
        if "name" in node.inputs:
            if not re.fullmatch(NAMED[node.type], node.inputs["name"]):
                illegal.append(f"{node.type} {node.inputs['name']}")
        elif "name" in input_names(node.type):
            if len(node.name) + SUFFIX > AUTO_NAMED[node.type]:
                illegal.append(f"{node.type} {node.name}")
        elif node.type == "aws:s3/bucket:Bucket" and not re.fullmatch(r"[a-z0-9-]+", node.name):
            illegal.append(f"{node.type} {node.name}")
    return illegal


def test_the_names_of_the_example_stack_are_legal() -> None:
    assert illegal_names(dev_stack()) == []


def test_the_names_of_the_longest_pipeline_are_legal(pipelines: Pipelines) -> None:
    assert len(LONGEST) == 35
    graph = pipelines.build(LONGEST, catalog="crawler", backfill=BACKFILL)
    assert illegal_names(graph) == []
    # The longest name has exactly the limit.
    assert len(f"{LONGEST}-catalog-crawler-role") + SUFFIX == AUTO_NAMED["aws:iam/role:Role"]
    # A lake table with a crawler has no merge stage.
    assert illegal_names(pipelines.build(LONGEST, merge=MergeArgs(enabled=True))) == []


@pytest.mark.parametrize("pipeline", ["a", "a" * 33])
def test_the_names_of_the_longest_lake_table_are_legal(pipelines: Pipelines, pipeline: str) -> None:
    most = len(LONGEST) - len(pipeline) - 1
    every = {
        "catalog": "crawler",
        "format": "parquet",
        "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
        "query": LakeTableQueryArgs(saved_queries=True),
    }
    shared = {"monitoring": MonitoringArgs(alarms="all"), "backfill": BACKFILL}
    graph = pipelines.build(pipeline, **shared, **pipelines.lake_tables(**{"t" * most: every}))
    assert illegal_names(graph) == []
    longest = f"{pipeline}-{'t' * most}-catalog-crawler-role"
    assert longest in {node.name for node in graph.nodes}
    assert len(longest) + SUFFIX == AUTO_NAMED["aws:iam/role:Role"]

    tables = pipelines.lake_tables(**{"t" * most: {}, "t" * (most + 1): {}})
    [problem] = pipelines.problems(pipeline, **tables)
    assert (problem.rule, problem.value) == ("lake-table-name-length", "t" * (most + 1))
    assert problem.details == {"length": most + 1, "most": most, "pipeline": pipeline}


def test_a_lake_table_with_the_longest_glue_table_has_legal_names(pipelines: Pipelines) -> None:
    tables = pipelines.lake_tables(orders={"glue_table_name": "g" * 240})
    assert illegal_names(pipelines.build(**tables)) == []
    [problem] = pipelines.problems(**tables, database_name="d" * 240)
    assert (problem.rule, problem.value) == ("prefix-length", "orders")


def test_any_table_name_gives_legal_names_and_prefixes(pipelines: Pipelines) -> None:
    graph = pipelines.build(LONGEST, table_name="A" * 255)
    assert illegal_names(graph) == []
    assert graph[f"{LONGEST}-source-table"].inputs["name"] == "A" * 255
    destination = graph[f"{LONGEST}-delivery-stream"].inputs["extendedS3Configuration"]
    for prefix in (destination["prefix"], destination["errorOutputPrefix"]):
        # The longest of Firehose's error types; a time pattern is as long as its value.
        evaluated = prefix.replace("!{firehose:error-output-type}", "format-conversion-failed")
        evaluated = re.sub(r"!{timestamp:([^}]*)}", r"\1", evaluated)
        assert "!" not in evaluated
        # https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        assert len(evaluated) <= 512


def test_rejects_an_invalid_pipeline_name(pipelines: Pipelines) -> None:
    assert places(pipelines.problems("Orders")) == [("", "name", "pipeline-name")]
