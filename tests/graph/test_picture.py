"""The picture follows the graph: what refers to what, and nothing that is not there."""

import re
from dataclasses import replace
from typing import Any

import pytest

from streaming_etl import BackfillArgs, LakeArgs, MonitoringArgs, SourceArgs
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines, existing_table
from tests.graph.graphs import example
from tools.graph.picture import picture

BOX = re.compile(r'    (n_\w+)\["([^"]+)"\]')
ARROW = re.compile(r'  (n_\w+) (-->|-\.->|<-->)(?:\|"([^"]+)"\|)? (n_\w+)')


def read(mermaid: str) -> tuple[dict[str, str], list[str]]:
    """Each box's label with its group, and each arrow by the labels of its boxes."""
    first, *lines = mermaid.splitlines()
    assert first == "flowchart TB"
    boxes: dict[str, str] = {}
    labels: dict[str, str] = {}
    arrows, group = [], ""
    for line in lines:
        if box := BOX.fullmatch(line):
            label = box[2].replace("<br/>", " ")
            assert label not in boxes
            labels[box[1]], boxes[label] = label, group
        elif arrow := ARROW.fullmatch(line):
            told = f" {arrow[3]}:" if arrow[3] else ""
            arrows.append(f"{labels[arrow[1]]} {arrow[2]}{told} {labels[arrow[4]]}")
        elif line != "  end":
            assert line.startswith("  subgraph ")
            group = line.removeprefix("  subgraph ")
    return boxes, arrows


def drawn(pipelines: Pipelines, **settings: Any) -> tuple[dict[str, str], list[str]]:
    return read(picture(pipelines.build(**settings), "shop"))


def test_the_example_s_picture_shows_the_way_from_the_table_to_athena() -> None:
    boxes, arrows = read(picture(example(), "orders"))
    assert boxes == {
        "DynamoDB table source-table": "Source",
        "Lambda forwarder-function": "Forwarder",
        "Firehose delivery-stream": "Delivery",
        "Lambda transform-function": "Delivery",
        "S3 aws/lambda/": "Lake",
        "S3 data/orders_dev/orders/": "Lake",
        "S3 errors/orders_dev/orders/": "Lake",
        "Glue crawler catalog-crawler": "Catalog",
        "Glue table catalog-table": "Catalog",
        "View query-view": "Query",
        "Athena workgroup query-workgroup": "Query",
        "17 alarms": "Monitoring",
        "Dashboard monitoring-dashboard": "Monitoring",
        "SNS topic monitoring-topic": "Monitoring",
        "3 EventBridge rules": "Monitoring",
        "SNS topic watch-topic": "Monitoring",
    }
    assert arrows == [
        "DynamoDB table source-table --> stream: Lambda forwarder-function",
        "Lambda forwarder-function --> records: Firehose delivery-stream",
        "Lambda forwarder-function -.-> given up: S3 aws/lambda/",
        "Lambda forwarder-function -.-> 17 alarms",
        "Firehose delivery-stream <--> Lambda transform-function",
        "Firehose delivery-stream --> rows: S3 data/orders_dev/orders/",
        "Firehose delivery-stream -.-> refused: S3 errors/orders_dev/orders/",
        "Firehose delivery-stream -.-> 17 alarms",
        "Lambda transform-function -.-> 17 alarms",
        "S3 aws/lambda/ -.-> 3 EventBridge rules",
        "S3 data/orders_dev/orders/ --> Glue table catalog-table",
        "S3 errors/orders_dev/orders/ -.-> 3 EventBridge rules",
        "Glue crawler catalog-crawler --> partitions: Glue table catalog-table",
        "Glue crawler catalog-crawler -.-> 3 EventBridge rules",
        "Glue table catalog-table --> View query-view",
        "Glue table catalog-table --> Athena workgroup query-workgroup",
        "View query-view --> Athena workgroup query-workgroup",
        "17 alarms -.-> Dashboard monitoring-dashboard",
        "17 alarms --> SNS topic monitoring-topic",
        "3 EventBridge rules -.-> 17 alarms",
        "3 EventBridge rules --> SNS topic watch-topic",
    ]


def test_a_pipeline_with_projection_has_no_crawler() -> None:
    boxes, arrows = read(picture(example(), "shipments"))
    assert [label for label in boxes if "crawler" in label] == []
    assert "S3 data/shipments_dev/shipments/ --> Glue table catalog-table" in arrows


def test_a_crawler_that_finds_the_table_stands_between_folder_and_athena(
    pipelines: Pipelines,
) -> None:
    boxes, arrows = drawn(
        pipelines, catalog="crawler", module="def transform(change):\n    return change.new\n"
    )
    assert [label for label in boxes if boxes[label] == "Catalog"] == [
        "Glue crawler catalog-crawler"
    ]
    assert "S3 data/shop_test/orders/ --> Glue crawler catalog-crawler" in arrows
    assert "Glue crawler catalog-crawler --> Athena workgroup query-workgroup" in arrows


def test_what_is_not_of_the_stack_stands_outside(pipelines: Pipelines) -> None:
    boxes, arrows = drawn(
        pipelines,
        source=SourceArgs(use_existing=True),
        tables=existing_table(),
        lake=LakeArgs(bucket_name="theirs"),
        monitoring=MonitoringArgs(
            alarm_topic_arn="arn:aws:sns:eu-west-1:111122223333:theirs", dashboard=False
        ),
    )
    outside = [label for label in boxes if boxes[label] == "Outside"]
    assert outside == ["DynamoDB table/orders", "SNS topic theirs"]
    assert "DynamoDB table/orders --> stream: Lambda forwarder-function" in arrows
    assert "16 alarms --> SNS topic theirs" in arrows
    assert "Firehose delivery-stream --> rows: S3 data/shop_test/orders/" in arrows
    assert [label for label in boxes if "Dashboard" in label] == []


def test_the_backfill_goes_from_the_table_through_its_own_function(pipelines: Pipelines) -> None:
    emails = MonitoringArgs(alarm_emails=["a@example.org", "b@example.org"])
    _, arrows = drawn(pipelines, backfill=BackfillArgs(enabled=True), monitoring=emails)
    machine, function = "Step Functions backfill-state-machine", "Lambda backfill-function"
    assert {
        f"DynamoDB table source-table -.-> export: {machine}",
        f"{machine} --> {function}",
        f"{function} --> records: Firehose delivery-stream",
        f"{machine} -.-> 17 alarms",
        "SNS topic monitoring-topic --> 2 mails",
    } <= {*arrows}


def test_an_arrow_is_there_because_a_resource_refers_to_another() -> None:
    before = example()
    node = before["orders-forwarder-mapping"]
    other = before["shipments-source-table"].inputs["name"]
    stream = node.inputs["eventSourceArn"].replace("table/orders/", f"table/{other}/")
    moved = replace(node, inputs={**node.inputs, "eventSourceArn": stream})
    nodes = [moved if it is node else it for it in before.nodes]
    for graph in (
        Graph(nodes),
        Graph([it for it in before.nodes if it is not node]),
    ):
        _, arrows = read(picture(graph, "orders"))
        assert [arrow for arrow in arrows if "stream:" in arrow] == []


def test_an_unknown_pipeline_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CommandError, match="no pipeline order; there are orders, shipments"):
        picture(example(), "order")
