"""CloudWatch alarms and dashboards."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case, pascal_case, tag_list
from local.deploy.resources.resource_type import (
    GoneError,
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError


class MetricAlarm(ResourceType):
    token = "aws:cloudwatch/metricAlarm:MetricAlarm"
    max_name = 255
    removable = None

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.tags()
        put_alarm(clients, name, inputs)
        arn = f"arn:aws:cloudwatch:{clients.region}:{ACCOUNT}:alarm:{name}"
        if tags:
            clients("cloudwatch").tag_resource(ResourceARN=arn, Tags=tags)
        return {"id": name, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        cloudwatch = clients("cloudwatch")
        alarms = cloudwatch.describe_alarms(AlarmNames=[state["name"]])["MetricAlarms"]
        if not alarms:
            raise GoneError
        [alarm] = alarms
        keys = (
            "AlarmActions",
            "AlarmDescription",
            "ComparisonOperator",
            "DatapointsToAlarm",
            "EvaluationPeriods",
            "ExtendedStatistic",
            "MetricName",
            "Namespace",
            "OKActions",
            "Period",
            "Statistic",
            "Threshold",
            "TreatMissingData",
        )
        found = {key: alarm.get(key) for key in keys}
        if alarm.get("MetricName") is None:
            # ministack stores no formula, but defaults of the metric.
            found |= {"Period": None, "Statistic": None}
        properties: Properties = camel_case(found, okActions="OKActions")
        tags = cloudwatch.list_tags_for_resource(ResourceARN=state["arn"])["Tags"]
        return {
            **properties,
            "dimensions": tag_map(alarm.get("Dimensions", []), "Name", "Value"),
            "tags": tag_map(tags),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        cloudwatch, tags = clients("cloudwatch"), inputs.take("tags", {})
        put_alarm(clients, state["name"], inputs)
        update_tags(
            state.get("tags"),
            tags,
            lambda tags: cloudwatch.tag_resource(ResourceARN=state["arn"], Tags=tag_list(tags)),
            lambda keys: cloudwatch.untag_resource(ResourceARN=state["arn"], TagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("cloudwatch").delete_alarms(AlarmNames=[state["name"]])


def put_alarm(clients: Clients, name: str, inputs: Inputs) -> None:
    dimensions = inputs.take("dimensions", {})
    # Delays an alarm's first evaluation; ministack evaluates none.
    inputs.take("warmUpConfiguration")
    queries = inputs.take("metricQueries", [])
    clients("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Dimensions=dimension_list(dimensions),
        # ministack ignores a formula, whose names boto3 checks.
        Metrics=[metric_query(query) for query in queries],
        **inputs.remaining(okActions="OKActions"),
    )


def dimension_list(dimensions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": key, "Value": value} for key, value in dimensions.items()]


def metric_query(query: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a part of an alarm's formula to boto3's spelling."""
    if "metric" not in query:
        converted: dict[str, Any] = pascal_case(query)
        return converted
    metric = query["metric"]
    return {
        "Id": query["id"],
        "ReturnData": False,
        "MetricStat": {
            "Metric": {
                "Namespace": metric["namespace"],
                "MetricName": metric["metricName"],
                "Dimensions": dimension_list(metric["dimensions"]),
            },
            "Period": metric["period"],
            "Stat": metric["stat"],
        },
    }


class Dashboard(ResourceType):
    token = "aws:cloudwatch/dashboard:Dashboard"
    replace = ("dashboardName",)
    auto_name = None
    computed = ("dashboardArn",)

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.take("dashboardName")
        put_dashboard(clients, name, inputs)
        arn = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"
        return {"id": name, "dashboardArn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        dashboard = clients("cloudwatch").get_dashboard(DashboardName=state["id"])
        return {"dashboardBody": dashboard["DashboardBody"]}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        put_dashboard(clients, state["id"], inputs)

    def delete(self, clients: Clients, state: State) -> None:
        clients("cloudwatch").delete_dashboards(DashboardNames=[state["id"]])


def put_dashboard(clients: Clients, name: str, inputs: Inputs) -> None:
    body = inputs.take("dashboardBody")
    response = clients("cloudwatch").put_dashboard(DashboardName=name, DashboardBody=body)
    if messages := response["DashboardValidationMessages"]:
        raise CommandError(
            f"CloudWatch reports problems of the dashboard {name}: {messages}",
            code="invalid-dashboard",
            messages=messages,
        )


TYPES = (MetricAlarm(), Dashboard())
