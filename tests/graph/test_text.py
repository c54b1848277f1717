"""How the text tells what: each kind of setting in a form that a reviewer can read."""

import json
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl.stack.recorder import build
from tests.graph.graphs import example
from tools.graph.flatten import facts
from tools.graph.text import text


def lines_of(name: str) -> list[str]:
    """What the text of the example stack tells of one resource, without its name."""
    start = f"dev/{name}"
    lines = [line for line in text(example(), "dev").splitlines() if line.startswith(start)]
    rest = [line.removeprefix(start) for line in lines]
    return [line for line in rest if line[:1] in (":", ".")]


def test_pipelines_and_stages_stand_as_the_changes_flow() -> None:
    heads = [line for line in text(example(), "dev").splitlines() if line.endswith(" in orders")]
    assert heads == [
        f"dev/orders-{stage.lower()}: {stage} in orders"
        for stage in (
            "Source",
            "Forwarder",
            "Delivery",
            "Lake",
            "Catalog",
            "Query",
            "Monitoring",
        )
    ]


def test_a_resource_is_told_by_type_stage_and_options_then_by_its_inputs() -> None:
    waits_for = [
        "forwarder-policy",
        *(
            f"lake-{part}"
            for part in (
                "encryption",
                "lifecycle",
                "ownership",
                "policy",
                "public-access",
                "versioning",
            )
        ),
        "transform-put-back-policy",
    ]
    assert lines_of("orders-forwarder-mapping") == [
        ": lambda.EventSourceMapping in orders-forwarder, tagged, deleted before it is replaced",
        *(f".after: orders-{name}" for name in waits_for),
        ".batchSize: 500",
        ".bisectBatchOnFunctionError: true",
        ".destinationConfig.onFailure.destinationArn: {orders-lake-bucket.arn}",
        ".eventSourceArn: {orders-source-table.streamArn}",
        ".functionName: {orders-forwarder-function.arn}",
        ".functionResponseTypes[]: ReportBatchItemFailures",
        ".maximumBatchingWindowInSeconds: 5",
        ".maximumRecordAgeInSeconds: 43200",
        ".maximumRetryAttempts: 3",
        ".metricsConfig.metrics[]: EventCount",
        ".parallelizationFactor: 2",
        ".startingPosition: TRIM_HORIZON",
    ]


def test_a_policy_is_a_line_for_each_action() -> None:
    account = "if s3:ResourceAccount StringEquals {account}"
    assert lines_of("orders-forwarder-policy") == [
        ": iam.RolePolicy in orders-forwarder",
        ".policy: Allow dynamodb:DescribeStream on {orders-source-table.streamArn}",
        ".policy: Allow dynamodb:GetRecords on {orders-source-table.streamArn}",
        ".policy: Allow dynamodb:GetShardIterator on {orders-source-table.streamArn}",
        ".policy: Allow dynamodb:ListStreams on *",
        ".policy: Allow firehose:PutRecordBatch on {orders-delivery-stream.arn}",
        f".policy: Allow s3:PutObject on {{orders-lake-bucket.arn}}/aws/lambda/* {account}",
        f".policy: Allow s3:ListBucket on {{orders-lake-bucket.arn}} {account}",
        ".role: {orders-forwarder-role}",
    ]
    assert lines_of("orders-forwarder-role")[1:] == [
        ".assumeRolePolicy: Allow sts:AssumeRole by Service lambda.amazonaws.com"
        " if aws:SourceAccount StringEquals {account}"
    ]


def test_an_alarm_is_told_by_when_it_rings() -> None:
    assert lines_of("orders-monitoring-delivery-failed") == [
        ": cloudwatch.MetricAlarm in orders-monitoring, tagged",
        ".rings: Average AWS/Firehose DeliveryToS3.Success of DeliveryStreamName"
        " {orders-delivery-stream} < 1 in 2 of 3 periods of 300 s, missing data notBreaching",
        ".alarmActions[]: {orders-monitoring-topic.arn}",
        ".alarmDescription: orders: Firehose's writes to the bucket keep failing; it keeps a"
        " record for 24 h. What to do: docs/runbook.md, section delivery-failed.",
        ".okActions[]: {orders-monitoring-topic.arn}",
    ]


def test_a_dashboard_is_told_by_its_widgets() -> None:
    told = [line.partition(", digest ")[0] for line in lines_of("orders-monitoring-dashboard")]
    assert told[:4] == [
        ": cloudwatch.Dashboard in orders-monitoring",
        ".widgets[# orders]: text",
        ".widgets[Alarms]: alarm",
        ".widgets[1 Changes in]: metric",
    ]
    assert told[-2:] == [".dashboardBody.periodOverride: inherit", ".dashboardName: orders-dev"]


def test_columns_and_partition_keys_stand_one_on_a_line() -> None:
    columns = [line for line in lines_of("shipments-catalog-table") if "].type: " in line]
    assert columns[:8] == [
        ".partitionKeys[carrier].type: string",
        ".partitionKeys[year].type: string",
        ".partitionKeys[month].type: string",
        ".partitionKeys[day].type: string",
        ".partitionKeys[hour].type: string",
        ".storageDescriptor.columns[id].type: string",
        ".storageDescriptor.columns[status].type: string",
        ".storageDescriptor.columns[weight_kg].type: decimal(9,3)",
    ]


def test_a_saved_query_is_told_line_by_line() -> None:
    query = [line for line in lines_of("orders-query-latest-changes") if ".query" in line]
    assert query == [
        ".query| SELECT *",
        '.query| FROM "orders_dev"."orders"',
        ".query| ORDER BY lpad(\"_sequence_number\", 40, '0') DESC",
        ".query| LIMIT 100",
    ]


def test_a_function_tells_its_module_and_what_all_functions_carry_only_once() -> None:
    code = [line for line in lines_of("orders-transform-function") if line.startswith(".code")]
    assert code[:2] == [".code.handlers: shared", ".code.wheels: shared"]
    assert code[2] == ".code[transform.json].columns[id].type: string"
    assert code[-1].startswith(".code[transform_module.py]: transforms/orders.py, digest ")
    shared = [line for line in text(example(), "dev").splitlines() if "/shared." in line]
    assert [line.partition(":")[0] for line in shared] == [
        "dev/shared.handlers",
        "dev/shared.wheels",
    ]
    assert "msgspec " in shared[1]


def test_a_module_from_outside_is_told_by_its_content_alone(tmp_path: Path) -> None:
    module = tmp_path / "theirs.py"
    module.write_text("def transform(change): ...\n")

    def program() -> None:
        code = pulumi.AssetArchive({"transform_module.py": pulumi.FileAsset(str(module))})
        aws.lambda_.Function("theirs", code=code, role="r")

    told = text(build(program), "dev")
    assert "dev/theirs.code[transform_module.py]: digest " in told
    assert "tmp" not in told


def test_what_holds_a_deletion_or_a_replacement_back_is_told() -> None:
    def program() -> None:
        kept = pulumi.ResourceOptions(
            protect=True, retain_on_delete=True, ignore_changes=["displayName"]
        )
        first = aws.sns.Topic("first", opts=kept)
        with_it = pulumi.ResourceOptions(
            deleted_with=first, replace_on_changes=["name"], delete_before_replace=True
        )
        aws.sns.Topic("second", name="given", tags={"team": "shop"}, opts=with_it)
        pulumi.export("both", [first.arn, first.name])

    assert text(build(program), "dev") == (
        "dev/first: sns.Topic\n"
        "dev/first.ignoreChanges[]: displayName\n"
        "dev/first.protect: true\n"
        "dev/first.retainOnDelete: true\n"
        "\n"
        "dev/second: sns.Topic, deleted before it is replaced\n"
        "dev/second.deletedWith: first\n"
        "dev/second.replaceOnChanges[]: name\n"
        "dev/second.name: given\n"
        "dev/second.tags.team: shop\n"
        "\n"
        "dev/exports.both[]: {first.arn}\n"
        "dev/exports.both[]: {first}\n"
    )


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        (500, ["at: 500"]),
        (500.0, ["at: 500"]),
        ("500", ['at: "500"']),
        (True, ["at: true"]),
        ("true", ['at: "true"']),
        (None, ["at: null"]),
        ("", ['at: ""']),
        (" x", ['at: " x"']),
        ("\x01", ['at: "\\u0001"']),
        ('"x"', ['at: "\\"x\\""']),
        ("a: b", ["at: a: b"]),
        ("a\n b", ["at| a", "at|  b"]),
        ({}, ["at: {}"]),
        ([], ["at: []"]),
        (["a", 1], ["at[]: a", "at[]: 1"]),
        ({"b": 1, "a": {"c": 2}}, ["at.a.c: 2", "at.b: 1"]),
        ([{"id": "x", "n": 1}, {"id": "y", "n": 2}], ["at[x].n: 1", "at[y].n: 2"]),
        # What is not told apart by its name is told apart by its place.
        ([{"id": "x", "n": 1}, {"id": "x", "n": 2}], ["at[0].id: x", "at[0].n: 1"]),
        (json.dumps({"a": [1]}), ["at.a[]: 1"]),
        ('{ $.message = "refused" }', ['at: { $.message = "refused" }']),
        ({"Statement": [{"Effect": "Deny", "NotAction": "a:B"}]}, ["at.Statement[0].Effect: Deny"]),
    ],
    ids=str,
)
def test_a_value_is_told_so_that_no_other_reads_the_same(value: object, lines: list[str]) -> None:
    assert list(facts("at", value))[: len(lines)] == lines
