"""The dashboard over all pipelines of a stack."""

import json
from collections import Counter
from typing import Any

import pytest

from streaming_etl import StackDashboard
from streaming_etl.components.monitoring.dashboard import MetricDimensions
from streaming_etl.components.monitoring.stack_dashboard import (
    MAX_ALARMS,
    MAX_LINES,
    PipelineMetrics,
    stack_dashboard_body,
)
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import UNKNOWN, Graph
from tests.support.pipelines import dev_config, dev_stack
from tests.support.problems import problems_of

KEY = "streaming-etl:stack_dashboard"


def body(graph: Graph) -> dict[str, Any]:
    return json.loads(graph["all_pipelines-dashboard"].inputs["dashboardBody"])


def names(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def metrics(body: dict[str, Any]) -> dict[str, list[list[Any]]]:
    """The lines of each graph, without the shorthand."""
    graphs = {}
    for widget in body["widgets"]:
        if widget["type"] == "metric":
            lines: list[list[Any]] = []
            for line in widget["properties"]["metrics"]:
                full = [
                    lines[-1][index] if part == "." else part for index, part in enumerate(line)
                ]
                lines.append(full)
            graphs[widget["properties"]["title"]] = lines
    return graphs


def test_every_pipeline_and_lake_table_is_on_it() -> None:
    graphs = metrics(body(dev_stack()))
    tables = ["orders", "shipments", "shop.customers", "shop.leads", "shop.orders"]
    pipelines = ["orders", "shipments", "shop"]
    assert {title: [line[-1]["label"] for line in lines] for title, lines in graphs.items()} == {
        "Changes read from the streams": pipelines,
        "Records delivered to S3": tables,
        "Age on the stream, ms": pipelines,
        "Age in Firehose, s": tables,
        "Lag from a change to its transform, s, p90": tables,
        "Dead-lettered objects": pipelines,
        "Failed changes": tables,
    }
    stream = dev_stack().exports["shop"]["lake_tables"]["leads"]["delivery_stream"]
    [line] = [line for line in graphs["Records delivered to S3"] if line[3] == stream]
    assert line[:3] == ["AWS/Firehose", "DeliveryToS3.Records", "DeliveryStreamName"]
    assert line[-1] == {"label": "shop.leads"}
    lag = graphs["Lag from a change to its transform, s, p90"]
    assert {each[-1]["stat"] for each in lag} == {"p90"}


def test_every_alarm_is_on_it() -> None:
    shown = [
        arn
        for widget in body(dev_stack())["widgets"]
        if widget["type"] == "alarm"
        for arn in widget["properties"]["alarms"]
    ]
    alarms = [node for node in dev_stack().nodes if node.type.endswith(":MetricAlarm")]
    assert len(shown) == len(set(shown)) == len(alarms)


def test_it_is_the_only_resource_that_the_setting_changes() -> None:
    off = program_graph({**dev_config(), KEY: "false"})
    assert names(dev_stack()) - names(off) == {"all_pipelines", "all_pipelines-dashboard"}
    assert names(off) - names(dev_stack()) == set()
    assert "stack_dashboard" not in off.exports
    assert dev_stack().exports["stack_dashboard"] == "all_pipelines-test"


def test_a_stack_with_one_pipeline_has_none() -> None:
    config = dev_config()
    tables = json.loads(config["streaming-etl:tables"])
    one = {**config, "streaming-etl:tables": json.dumps({"orders": tables["orders"]}), KEY: "true"}
    assert "all_pipelines" not in names(program_graph(one))


def test_rejects_a_dashboard_without_pipelines() -> None:
    [problem] = problems_of(StackDashboard, "all", [])
    assert (problem.field, problem.rule) == ("pipelines", "too-few")


def test_it_is_in_a_preview() -> None:
    graph = program_graph(dev_config(), preview=True)
    assert graph["all_pipelines-dashboard"].inputs == {
        "dashboardName": "all_pipelines-test",
        "dashboardBody": UNKNOWN,
    }


@pytest.mark.parametrize("count", [1, MAX_LINES, 1000])
def test_it_is_within_the_limits_of_cloudwatch(count: int) -> None:
    pipelines = [
        PipelineMetrics(
            dimensions=MetricDimensions(
                pipeline=f"pipeline-{number}",
                region="eu-west-1",
                values={"mapping": f"m{number}", "forwarder": f"f{number}"},
                lake_tables={
                    "lake-table": {
                        "transform": f"t{number}",
                        "transform_counts": f"t{number}",
                        "delivery_stream": f"d{number}",
                    }
                },
                rules={"dead-lettered": f"r{number}"},
            ),
            alarm_arns=[f"arn:{number}:{alarm}" for alarm in range(6)],
        )
        for number in range(count)
    ]
    shown = stack_dashboard_body("all", pipelines)
    kinds = Counter(widget["type"] for widget in shown["widgets"])
    assert sum(kinds.values()) <= 500
    lines = [len(each) for each in metrics(shown).values()]
    assert max(lines) == min(lines) == min(count, MAX_LINES) <= 500
    assert sum(lines) <= 2500
    alarms = [
        widget["properties"]["alarms"] for widget in shown["widgets"] if widget["type"] == "alarm"
    ]
    assert sum(map(len, alarms)) == 6 * count
    assert max(map(len, alarms)) <= MAX_ALARMS
