"""AWS as `streaming-etl status` reads it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.ops.status.collect import StackStatus, StatusReader
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack
from tests.support.deployed import MAPPING, deployed_pipeline

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)


class FakeAws:
    """Every client; `rejected` are the operations that AWS rejects."""

    region, endpoint = "ap-northeast-1", None

    def __init__(self, *pipelines: DeployedPipeline) -> None:
        self.pipelines = pipelines or (deployed_pipeline(),)
        self.rejected: set[str] = set()
        self.points: dict[tuple[str, str], list[tuple[datetime, float]]] = {}
        """Of a metric and the value of its dimension."""
        self.queries: list[int] = []
        """Metrics of each call."""
        self.states = {name: "OK" for each in self.pipelines for name in each.alarm_names or ()}
        self.keys: list[tuple[str, datetime]] = []
        self.mapping_state = "Enabled"
        self.crawl: dict[str, Any] = {}
        self.executions: list[dict[str, Any]] = []

    def __call__(self, _: str) -> "FakeAws":
        return self

    def read(self, stack: DeployedStack | None = None) -> StackStatus:
        """Read the status."""
        exports = {each.name: each.outputs for each in self.pipelines}
        reader = StatusReader(stack or DeployedStack("prod", exports), self.pipelines)
        return reader.read(NOW)

    def put(self, metric: str, value: str, *points: tuple[float, float]) -> None:
        """Add data points: minutes ago, and the number."""
        self.points[metric, value] = [
            (NOW - timedelta(minutes=minutes), number) for minutes, number in points
        ]

    def get_paginator(self, operation: str) -> Any:
        if operation in self.rejected:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)
        return {"get_metric_data": FakePages(self.metric_data)}.get(
            operation, FakePages(self.objects)
        )

    def metric_data(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["EndTime"] - request["StartTime"] == timedelta(days=1)
        queries = request["MetricDataQueries"]
        self.queries.append(len(queries))
        for query in queries:
            metric = query["MetricStat"]["Metric"]
            [dimension] = metric["Dimensions"]
            points = self.points.get((metric["MetricName"], dimension["Value"]), [])
            # A page for each data point.
            for time, number in points:
                result = {"Id": query["Id"], "Timestamps": [time], "Values": [number]}
                yield {"MetricDataResults": [result]}

    def objects(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request["Bucket"] == "lake"
        for key, written in self.keys:
            if key.startswith(request["Prefix"]):
                yield {"Contents": [{"Key": key, "Size": 1, "LastModified": written}]}

    def describe_alarms(self, **request: Any) -> dict[str, Any]:
        self.check("DescribeAlarms")
        names = request["AlarmNames"]
        assert len(names) <= 100
        return {
            "MetricAlarms": [
                {"AlarmName": name, "StateValue": self.states[name], "StateUpdatedTimestamp": NOW}
                for name in names
                if name in self.states
            ]
        }

    def get_event_source_mapping(self, **request: Any) -> dict[str, Any]:
        self.check("GetEventSourceMapping")
        assert request == {"UUID": MAPPING}
        return {"State": self.mapping_state}

    def get_crawler(self, **_: Any) -> dict[str, Any]:
        self.check("GetCrawler")
        return {"Crawler": self.crawl}

    def list_executions(self, **request: Any) -> dict[str, Any]:
        self.check("ListExecutions")
        assert request["maxResults"] == 100
        return {"executions": self.executions}

    def check(self, operation: str) -> None:
        if operation in self.rejected:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


class FakePages:
    """A paginator."""

    def __init__(self, pages: Any) -> None:
        self.paginate = pages
