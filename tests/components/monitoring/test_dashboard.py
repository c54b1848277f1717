"""The dashboard: layout, metrics and names; tests/golden has its body and texts."""

import json
import math
import re
from typing import Any

import pytest

from streaming_etl import MergeArgs, MonitoringArgs, StreamingEtlPipeline
from streaming_etl.components.monitoring.dashboard import COLUMNS, shortened
from streaming_etl.stack.recorder import Graph, build
from tests.components.monitoring.aws_metrics import METRICS, metric_of
from tests.support.pipelines import Pipelines

NAME = "shop-monitoring-dashboard"
LAKE_TABLES = ("items", "orders", "orders-catalog")


@pytest.fixture(scope="module", params=["minimal", "every_alarm", "no_alarm", "several", "merging"])
def graph(request: pytest.FixtureRequest) -> Graph:
    graph: Graph = request.getfixturevalue(request.param)
    return graph


def widgets(graph: Graph) -> list[dict[str, Any]]:
    body: dict[str, Any] = json.loads(graph[NAME].inputs["dashboardBody"])
    return body["widgets"]


def graphs(graph: Graph) -> list[dict[str, Any]]:
    found = [widget["properties"] for widget in widgets(graph) if widget["type"] == "metric"]
    return [{**properties, "metrics": expanded(properties["metrics"])} for properties in found]


def expanded(lines: list[list[Any]]) -> list[list[Any]]:
    """Lines without the shorthand of CloudWatch."""
    previous: list[Any] = []
    result = []
    for line in lines:
        previous = [previous[index] if part == "." else part for index, part in enumerate(line)]
        result.append(previous)
    return result


def metrics(graph: Graph) -> set[tuple[str, ...]]:
    """Namespace, metric, dimension and its value of every line; no expressions."""
    lines = [line for properties in graphs(graph) for line in properties["metrics"]]
    return {tuple(line[:-1]) for line in lines if len(line) > 1}


def test_the_widgets_fill_the_grid_without_overlap(graph: Graph) -> None:
    cells = [
        (column, row)
        for widget in widgets(graph)
        for column in range(widget["x"], widget["x"] + widget["width"])
        for row in range(widget["y"], widget["y"] + widget["height"])
    ]
    height = max(row for _, row in cells) + 1
    assert sorted(cells) == [(column, row) for column in range(COLUMNS) for row in range(height)]


def test_every_metric_is_one_of_aws_and_of_a_resource_of_the_pipeline(graph: Graph) -> None:
    values = {f"{node.name}-0000000" for node in graph.custom} | {
        "uuid-of-shop-forwarder-mapping",
        "shop-test-merge",
    }
    offenders = []
    for namespace, metric, dimension, value in metrics(graph):
        # Of a state machine the ARN, whose last part is the name.
        name = value.rpartition(":")[2]
        if metric not in METRICS[namespace, dimension] or name not in values:
            offenders.append((namespace, metric, dimension, value))
    assert offenders == []


def test_the_metric_of_every_alarm_is_drawn(graph: Graph) -> None:
    undrawn = {
        node.name.removeprefix("shop-monitoring-")
        for node in graph.custom
        if node.type.endswith(":MetricAlarm") and metric_of(node) not in metrics(graph)
    }
    # The dashboard has the number of partitions and the quota instead, and no backfills.
    assert {name.rpartition("monitoring-")[2] for name in undrawn} <= {
        "partition-limit",
        "backfill-failed",
    }


@pytest.mark.parametrize("level", ["minimal", "every_alarm", "several"])
def test_the_dashboard_lists_every_alarm(level: str, request: pytest.FixtureRequest) -> None:
    graph: Graph = request.getfixturevalue(level)
    [status] = [widget for widget in widgets(graph) if widget["type"] == "alarm"]
    names = [arn.rpartition(":")[2] for arn in status["properties"]["alarms"]]
    assert sorted(names) == sorted(f"{node.name}-0000000" for node in graph.of("MetricAlarm"))


def test_the_dashboard_without_alarms_has_no_list_of_alarms(no_alarm: Graph) -> None:
    assert [widget for widget in widgets(no_alarm) if widget["type"] == "alarm"] == []


@pytest.mark.parametrize(
    ("level", "thresholds"),
    [
        ("minimal", ["iterator-age", "data-freshness"]),
        ("every_alarm", ["lag", "iterator-age", "transform-duration", "data-freshness"]),
        ("no_alarm", []),
        (
            "several",
            [
                "iterator-age",
                *(f"{name}: transform-duration" for name in LAKE_TABLES),
                *(f"{name}: data-freshness" for name in LAKE_TABLES),
            ],
        ),
    ],
)
def test_the_graphs_of_ages_have_the_thresholds_of_existing_alarms(
    level: str, thresholds: list[str], request: pytest.FixtureRequest
) -> None:
    lines = [
        line["label"]
        for properties in graphs(request.getfixturevalue(level))
        for line in properties.get("annotations", {}).get("horizontal", ())
    ]
    assert lines == thresholds


def test_the_graph_of_the_lag_has_percentiles_of_each_lake_table(several: Graph) -> None:
    [lag] = [
        each["metrics"] for each in graphs(several) if each["metrics"][0][1:2] == ["ChangeLag"]
    ]
    assert [(line[-1]["label"], line[-1]["stat"]) for line in lag] == [
        (f"{name}: {percentile}", percentile)
        for name in LAKE_TABLES
        for percentile in ("p50", "p90", "p99")
    ]


def test_expressions_refer_to_metrics_of_their_graph(graph: Graph) -> None:
    for properties in graphs(graph):
        ids = {line[-1]["id"] for line in properties["metrics"] if "id" in line[-1]}
        for line in properties["metrics"]:
            if len(line) == 1:
                assert set(re.findall(r"[a-z]\w*", line[0]["expression"])) <= ids
                # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
                assert re.fullmatch(r"[a-z][a-zA-Z0-9_]*", line[0]["id"])


def test_each_line_of_a_graph_has_another_id_and_another_label(graph: Graph) -> None:
    for properties in graphs(graph):
        for option in ("id", "label"):
            shown = [line for line in properties["metrics"] if line[-1].get("visible", True)]
            lines = properties["metrics"] if option == "id" else shown
            names = [line[-1][option] for line in lines if option in line[-1]]
            assert len(names) == len({*names}), properties["title"]


def test_each_lake_table_has_its_lines(several: Graph, minimal: Graph) -> None:
    lines: dict[str, set[tuple[str, str]]] = {name: set() for name in LAKE_TABLES}
    for properties in graphs(several):
        for line in properties["metrics"]:
            name, _, label = line[-1]["label"].partition(": ")
            if name in lines and len(line) > 1:
                lines[name].add((line[1], label))
                kind = "transform" if line[2] == "FunctionName" else "delivery"
                assert line[3].startswith(f"shop-{name}-{kind}-")
    conversions = {("FailedConversion.Records", "failed conversions")}
    partitions = {
        ("PartitionCount", "active partitions"),
        ("ActivePartitionsLimit", "quota of active partitions"),
    }
    assert len(lines["orders"]) > 10
    assert lines["orders"] == lines["items"] == lines["orders-catalog"] - conversions - partitions
    # With one lake table its name is in no label.
    labels = [line[-1]["label"] for each in graphs(minimal) for line in each["metrics"]]
    assert [label for label in labels if ": " in label] == []


def test_lake_tables_with_a_merge_stage_have_its_lines(merging: Graph, minimal: Graph) -> None:
    graphs_of_merges = graphs(merging)[-4:]
    assert [each["title"] for each in graphs_of_merges] == [
        "Merges in an hour",
        "Failures of merges",
        "Duration of merges",
        "Cost: bytes that merges scan in an hour",
    ]
    labels = [[line[-1]["label"] for line in each["metrics"]] for each in graphs_of_merges]
    assert labels[2:] == [["items: ms", "orders: ms"], ["scanned"]]
    names = {"ExecutionsStarted", "ExecutionsSucceeded"}
    assert {line[1] for line in graphs_of_merges[0]["metrics"]} == names
    namespaces = {line[0] for each in graphs(minimal) for line in each["metrics"] if len(line) > 1}
    assert not {"AWS/States", "AWS/Athena"} & namespaces


def test_the_merge_stage_of_the_only_lake_table_has_lines_without_its_name(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(merge=MergeArgs(enabled=True))
    [line] = graphs(graph)[-2]["metrics"]
    assert line[-1]["label"] == "ms"


def test_unmatched_changes_are_drawn_if_there_can_be_some(
    pipelines: Pipelines, several: Graph, minimal: Graph
) -> None:
    unmatched = ("StreamingEtl", "ChangesUnmatched", "FunctionName")
    forwarder = "shop-forwarder-function-0000000"
    assert (*unmatched, forwarder) in metrics(several)
    with_rest = pipelines.build(**pipelines.lake_tables(orders={"where": {"a": [1]}}, rest={}))
    for graph in (minimal, with_rest):
        assert (*unmatched, forwarder) not in metrics(graph)


def test_the_bounds_of_several_lake_tables_are_sums_with_zero_for_no_traffic(
    pipelines: Pipelines,
) -> None:
    tables = {f"t{number}": {"where": {"a": [number]}} for number in range(20)}
    graph = pipelines.build(**pipelines.lake_tables(**tables))
    expressions = {
        line[0]["id"]: line[0]["expression"]
        for properties in graphs(graph)
        for line in properties["metrics"]
        if len(line) == 1
    }
    parts = expressions["most"].split(" + ")
    assert parts[:2] == ["FILL(sent, 0)", "FILL(records, 0) * 5120"]
    assert parts[-2:] == ["FILL(sent19, 0)", "FILL(records19, 0) * 5120"]
    assert expressions["least"].count("IF(") == 20
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html
    assert max(map(len, expressions.values())) <= 2048


def test_the_bytes_that_firehose_bills_are_between_the_two_bounds(minimal: Graph) -> None:
    expressions = {
        line[0]["id"]: line[0]["expression"]
        for properties in graphs(minimal)
        for line in properties["metrics"]
        if len(line) == 1
    }
    assert expressions["least"] == "IF(sent > records * 5120, sent, records * 5120)"
    assert expressions["most"] == "sent + records * 5120"
    for sizes in ([300] * 50, [5120, 5121], [256 * 1024], [1, 5120, 300_000], [5119] * 3):
        sent, records = sum(sizes), len(sizes)
        billed = sum(math.ceil(size / 5120) * 5120 for size in sizes)
        assert max(sent, records * 5120) <= billed <= sent + records * 5120


def test_the_name_has_only_characters_that_cloudwatch_allows(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = pipelines.args()
    monkeypatch.setattr("pulumi.get_stack", lambda: "acme.prod v2")
    graph = build(lambda: StreamingEtlPipeline("shop", args))
    assert graph[NAME].inputs["dashboardName"] == "shop-acme-prod-v2"


def test_without_a_dashboard_its_output_is_none(pipelines: Pipelines) -> None:
    graph = pipelines.build(monitoring=MonitoringArgs(dashboard=False))
    assert NAME not in {node.name for node in graph.nodes}
    assert graph.exports["pipeline"]["dashboard"] is None


def test_a_line_repeats_nothing_of_the_line_before() -> None:
    lines = [
        ["AWS/Lambda", "Errors", "FunctionName", "f", {"label": "errors"}],
        ["AWS/Lambda", "Throttles", "FunctionName", "f", {"label": "throttles"}],
        [{"expression": "a + b"}],
        ["AWS/Lambda", "Throttles", "FunctionName", "f", {"label": "errors"}],
    ]
    assert shortened(lines) == [
        lines[0],
        [".", "Throttles", ".", ".", {"label": "throttles"}],
        [{"expression": "a + b"}],
        lines[3],
    ]
    assert expanded(shortened(lines)) == lines
