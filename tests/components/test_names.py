"""Names: whatever DynamoDB and the pipeline allow, AWS takes what derives from it."""

import re

import pytest

from streaming_etl import BackfillArgs
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines, dev_stack
from tests.components.provider_types import arguments_of

# Pulumi appends `-` and seven characters to a name that it makes up.
SUFFIX = 8

# Characters in the names that AWS takes, of what Pulumi names.
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
    # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
    "aws:cloudwatch/logMetricFilter:LogMetricFilter": 512,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    "aws:cloudwatch/metricAlarm:MetricAlarm": 255,
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
    "aws:cloudwatch/eventRule:EventRule": 64,
    # https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
    "aws:sfn/stateMachine:StateMachine": 80,
    # https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
    "aws:sns/topic:Topic": 256,
}

# And of what the components name.
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


def illegal_names(graph: Graph) -> list[str]:
    """Every resource whose name AWS would refuse, and every type whose limit nobody knows."""
    found = []
    for node in graph.custom:
        if "name" in node.inputs:
            if not re.fullmatch(NAMED[node.type], node.inputs["name"]):
                found.append(f"{node.type} {node.inputs['name']}")
        elif "name" in arguments_of(node.type):
            if len(node.name) + SUFFIX > AUTO_NAMED[node.type]:
                found.append(f"{node.type} {node.name}")
        elif node.type == "aws:s3/bucket:Bucket" and not re.fullmatch(r"[a-z0-9-]+", node.name):
            found.append(f"{node.type} {node.name}")
    return found


def test_the_names_of_the_example_stack_are_legal() -> None:
    assert illegal_names(dev_stack()) == []


def test_the_names_of_the_longest_pipeline_are_legal(pipelines: Pipelines) -> None:
    assert len(LONGEST) == 35
    graph = pipelines.build(LONGEST, catalog="crawler", backfill=BackfillArgs(enabled=True))
    assert illegal_names(graph) == []
    # The name that sets the limit has no character to spare.
    assert len(f"{LONGEST}-catalog-crawler-role") + SUFFIX == AUTO_NAMED["aws:iam/role:Role"]


@pytest.mark.parametrize(
    ("table_name", "glue_name"),
    [
        ("orders", "orders"),
        ("Orders", "orders"),
        ("my-app.Orders_v2", "my_app_orders_v2"),
        ("123", "123"),
        ("A" * 240, "a" * 240),
        # Cut, and told apart by a hash of the whole name.
        ("A" * 255, "a" * 231 + "_ae53ef4f"),
        ("A" * 254 + "B", "a" * 231 + "_d39a8fc3"),
    ],
)
def test_any_name_of_a_table_makes_a_legal_lake_table(
    pipelines: Pipelines, table_name: str, glue_name: str
) -> None:
    graph = pipelines.build(table_name=table_name)
    assert graph["shop-source-table"].inputs["name"] == table_name
    outputs = graph.exports["pipeline"]
    assert (outputs["table"], outputs["view"]) == (glue_name, f"{glue_name}_current")
    for name in ("shop-catalog-table", "shop-query-view"):
        assert re.fullmatch(NAMED[graph[name].type], graph[name].inputs["name"])


def test_the_longest_table_name_leaves_the_prefixes_legal(pipelines: Pipelines) -> None:
    graph = pipelines.build(LONGEST, table_name="A" * 255)
    destination = graph[f"{LONGEST}-delivery-stream"].inputs["extendedS3Configuration"]
    for prefix in (destination["prefix"], destination["errorOutputPrefix"]):
        # The longest of Firehose's error types; time patterns are as long as what they become.
        evaluated = prefix.replace("!{firehose:error-output-type}", "format-conversion-failed")
        evaluated = re.sub(r"!{timestamp:([^}]*)}", r"\1", evaluated)
        assert "!" not in evaluated
        # https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        assert len(evaluated) <= 512


NO_NAME = (
    " is no pipeline name: a-z 0-9 and single - between them, a letter first, because bucket names"
    " derive from it; use lower case."
)


@pytest.mark.parametrize(
    "name",
    [
        *("Orders", "orders_v2", "orders.v2", "-orders", "orders-", "or--ders", "1orders"),
        *("", "órders", "orders\n", "my orders"),
    ],
)
def test_a_pipeline_name_that_makes_no_bucket_name_is_refused(
    pipelines: Pipelines, name: str
) -> None:
    assert pipelines.refusal(name) == f"name={name!r}{NO_NAME}"


def test_a_pipeline_name_that_is_no_text_is_refused(pipelines: Pipelines) -> None:
    assert pipelines.refusal(7) == f"name=7{NO_NAME}"  # type: ignore[arg-type]


def test_a_pipeline_name_too_long_for_the_names_derived_from_it_is_refused(
    pipelines: Pipelines,
) -> None:
    assert pipelines.refusal("a" * 36) == (
        f"name='{'a' * 36}' is too long: 36 characters, and AWS names derived from it leave room"
        " for 35; use 35 or fewer."
    )


@pytest.mark.parametrize("name", ["ab", "a" * 256, "my orders", "orders/eu", "", None, 7])
def test_a_table_name_that_dynamodb_does_not_know_is_refused(
    pipelines: Pipelines, name: object
) -> None:
    assert pipelines.refusal(table_name=name) == (
        f"table_name={name!r} is no DynamoDB table name: 3 to 255 of a-z A-Z 0-9 _ . -;"
        " use the table's name."
    )


@pytest.mark.parametrize("field", ["glue_table_name", "database_name"])
@pytest.mark.parametrize("name", ["Orders", "my-orders", "", "a" * 241, 5])
def test_a_name_that_glue_would_change_is_refused(
    pipelines: Pipelines, field: str, name: str
) -> None:
    assert pipelines.refusal(**{field: name}) == (
        f"{field}={name!r} is no Glue name: a-z 0-9 _, at most 240; use lower case."
    )
