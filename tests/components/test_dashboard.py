"""The dashboard: it fills its grid, and draws only what AWS tells."""

import json
import math
import re
from typing import Any

import pytest

from streaming_etl import MonitoringArgs, StreamingEtlPipeline
from streaming_etl.components.monitoring.dashboard import COLUMNS
from streaming_etl.stack.recorder import Graph, build
from tests.components.alarm_cases import ALARMS, alarm_arns
from tests.components.pipelines import Pipelines
from tests.components.test_alarms import EVERYTHING, METRICS

NAME = "shop-monitoring-dashboard"
# What each graph of a minimal pipeline draws, from left to right and from top to bottom.
GRAPHS = {
    "1 Changes in": ["PolledEventCount", "FilteredOutEventCount"],
    "2 Forwarded to Firehose": ["InvokedEventCount", "IncomingRecords"],
    "3 Transformed": ["SucceedProcessing.Records", "Invocations"],
    "4 Delivered to S3": ["DeliveryToS3.Records"],
    "Age on the stream": ["IteratorAge"],
    "Time in the forwarder": ["Duration"],
    "Time in the transform": ["Duration"],
    "Age in Firehose": ["DeliveryToS3.DataFreshness"],
    "Failures on the stream": [
        *("FailedInvokeEventCount", "OnFailureDestinationDeliveredEventCount"),
        *("DroppedEventCount", "TriggeredRules"),
    ],
    "Failures of the forwarder": ["Errors", "Throttles", "ThrottledRecords"],
    "Failures of the transform": [
        *("Errors", "Throttles", "changes-refused/shop/test", "ChangesRequeued"),
    ],
    "Failures of the delivery": ["DeliveryToS3.Success", "TriggeredRules"],
    "Paid: bytes to Firehose, which bills each record rounded up to 5 KB": [
        *("IncomingBytes", "IncomingRecords", "least", "most"),
    ],
    "Paid: GB-seconds of Lambda": ["Duration", "forwarder", "Duration", "transform"],
    "Paid: bytes written to S3": ["DeliveryToS3.Bytes"],
}
OURS = {
    "shop-forwarder-function-0000000",
    "shop-transform-function-0000000",
    "shop-delivery-stream-0000000",
    "uuid-of-shop-forwarder-mapping",
    *(
        f"shop-watch-{kind}-0000000"
        for kind in ("failed-batches", "error-records", "crawler-failed")
    ),
}


@pytest.fixture(scope="module", params=[{}, EVERYTHING], ids=["minimal", "everything"])
def graph(request: pytest.FixtureRequest, pipelines: Pipelines) -> Graph:
    return pipelines.build(**request.param)


def body(graph: Graph) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(graph[NAME].inputs["dashboardBody"])
    return written


def graphs(graph: Graph) -> list[dict[str, Any]]:
    return [one["properties"] for one in body(graph)["widgets"] if one["type"] == "metric"]


def lines(graph: Graph) -> list[tuple[list[str], dict[str, Any]]]:
    """Every metric that is drawn, as its names and how it is drawn; no expressions."""
    drawn = [line for one in graphs(graph) for line in one["metrics"]]
    return [(line[:-1], line[-1]) for line in drawn if len(line) > 1]


def test_the_widgets_fill_the_grid_and_none_lies_on_another(graph: Graph) -> None:
    cells = [
        (column, row)
        for one in body(graph)["widgets"]
        for column in range(one["x"], one["x"] + one["width"])
        for row in range(one["y"], one["y"] + one["height"])
    ]
    height = max(row for _, row in cells) + 1
    assert sorted(cells) == [(column, row) for column in range(COLUMNS) for row in range(height)]


def test_the_graphs_read_like_the_flow(graph: Graph) -> None:
    placed = sorted(
        (one["y"], one["x"], one["properties"]["title"])
        for one in body(graph)["widgets"]
        if one["type"] == "metric"
    )
    assert [title for *_, title in placed] == list(GRAPHS)


def test_each_graph_draws_these(minimal: Graph) -> None:
    drawn = {
        one["title"]: [line[1] if len(line) > 1 else line[0]["id"] for line in one["metrics"]]
        for one in graphs(minimal)
    }
    assert drawn == GRAPHS


def test_every_resource_that_is_watched_is_drawn_by_its_own_name(minimal: Graph) -> None:
    named = {names[3] for names, _ in lines(minimal) if len(names) > 2}
    assert named == OURS - {"shop-watch-crawler-failed-0000000"}


def test_every_metric_that_is_drawn_is_one_that_aws_has(graph: Graph) -> None:
    for names, _ in lines(graph):
        namespace, metric, *dimension = names
        assert metric in METRICS[namespace, dimension[0] if dimension else None]
        assert set(dimension[1:]) <= OURS


def test_every_alarm_of_the_flow_is_on_a_metric_that_is_drawn(graph: Graph) -> None:
    drawn = {(names[0], names[1], *names[2:]) for names, _ in lines(graph)}
    watched = {
        node.name: (
            node.inputs["namespace"],
            node.inputs["metricName"],
            *next(iter((node.inputs.get("dimensions") or {}).items()), ()),
        )
        for node in graph.of("MetricAlarm")
    }
    undrawn = {name for name, metric in watched.items() if metric not in drawn}
    # Drawn instead is how near the limit is; and a backfill is no part of the flow.
    assert undrawn <= {"shop-monitoring-partition-limit", "shop-monitoring-backfill-failed"}


def test_the_dashboard_lists_every_alarm(graph: Graph) -> None:
    [status] = [one for one in body(graph)["widgets"] if one["type"] == "alarm"]
    kinds = [kind for kind in ALARMS if f"shop-monitoring-{kind}" in names_of(graph)]
    assert status["properties"] == {"title": "Alarms", "alarms": alarm_arns(kinds)}


def names_of(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def test_every_graph_says_where_and_how_it_sums(graph: Graph) -> None:
    for one in graphs(graph):
        assert (one["region"], one["view"], one["period"]) == ("ap-northeast-1", "timeSeries", 300)
        assert one["stat"] in ("Sum", "Maximum")
        assert one["yAxis"]["left"]["min"] == 0


def test_an_expression_uses_only_metrics_of_its_own_graph(graph: Graph) -> None:
    for one in graphs(graph):
        expressions = [line[0] for line in one["metrics"] if len(line) == 1]
        ids = {line[-1]["id"] for line in one["metrics"] if "id" in line[-1]}
        for expression in expressions:
            used = set(re.findall(r"[a-z]\w*", expression["expression"]))
            assert used <= ids
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
            assert re.fullmatch(r"[a-z][a-zA-Z0-9_]*", expression["id"])


def test_what_firehose_bills_is_drawn_between_two_bounds(graph: Graph) -> None:
    [firehose] = [one for one in graphs(graph) if one["title"].startswith("Paid: bytes to")]
    assert [line[-1].get("expression") for line in firehose["metrics"]] == [
        None,
        None,
        "IF(sent > records * 5120, sent, records * 5120)",
        "sent + records * 5120",
    ]
    for sizes in ([300] * 50, [5120, 5121], [256 * 1024], [1, 5120, 300_000], [5119] * 3):
        sent, records = sum(sizes), len(sizes)
        exact = sum(math.ceil(size / 5120) * 5120 for size in sizes)
        assert max(sent, records * 5120) <= exact <= sent + records * 5120


def test_a_dashboard_is_named_in_cloudwatchs_letters(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = pipelines.args()
    monkeypatch.setattr("pulumi.get_stack", lambda: "acme.prod v2")
    graph = build(lambda: StreamingEtlPipeline("shop", args))
    assert graph[NAME].inputs["dashboardName"] == "shop-acme-prod-v2"


def test_without_a_dashboard_there_is_none(pipelines: Pipelines) -> None:
    graph = pipelines.build(monitoring=MonitoringArgs(dashboard=False))
    assert NAME not in names_of(graph)
    assert graph.exports["pipeline"]["dashboard"] is None
