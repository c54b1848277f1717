"""What a resource's inputs say of others: where the data goes, and who watches it."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from streaming_etl.components.table.lake_table import FAILED_BATCHES_PREFIX
from streaming_etl.stack.recorder import Node
from tools.graph.drawing import BOTH, DOTTED, SOLID, Arrow
from tools.graph.flatten import view_of
from tools.graph.ordering import kind

Inputs = Mapping[str, Any]
"""Of a resource, with references in place of what AWS makes up."""


@dataclass(frozen=True)
class Pipeline:
    """The resources of one pipeline in order, and their inputs."""

    nodes: list[Node]
    told: Mapping[str, Inputs]

    def of(self, what: str, **given: Any) -> list[Node]:
        """Those of a type whose inputs are as given."""
        return [
            node
            for node in self.nodes
            if kind(node) == what and given.items() <= self.told[node.name].items()
        ]

    def arrows(self) -> Iterator[Arrow]:
        """From end to end; an end is a text with references, or an `s3://` location."""
        for node in self.nodes:
            if tell := TELLERS.get(kind(node)):
                yield from tell(self, node, self.told[node.name])


def mapping(_: Pipeline, __: Node, inputs: Inputs) -> Iterator[Arrow]:
    yield Arrow(inputs["eventSourceArn"], inputs["functionName"], SOLID, "stream")
    bucket = inputs["destinationConfig"]["onFailure"]["destinationArn"]
    failed = location(bucket, FAILED_BATCHES_PREFIX)
    yield Arrow(inputs["functionName"], failed, DOTTED, "given up")


def function(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    stream = inputs.get("environment", {}).get("variables", {}).get("DELIVERY_STREAM")
    if stream is not None:
        yield Arrow(this(node), stream, SOLID, "records")


def machine(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    states = inputs["definition"]["States"]
    export = states["Export"]["Parameters"]
    yield Arrow(export["TableArn"], this(node), DOTTED, "export")
    call = states["Files"]["ItemProcessor"]["States"]["File"]["Parameters"]
    yield Arrow(this(node), call["FunctionName"])


def stream(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    bucket = inputs["extendedS3Configuration"]
    for processor in bucket.get("processingConfiguration", {}).get("processors", []):
        for parameter in processor["parameters"]:
            if parameter["parameterName"] == "LambdaArn":
                yield Arrow(this(node), parameter["parameterValue"], BOTH)
    for key, style, label in (
        ("prefix", SOLID, "rows"),
        ("errorOutputPrefix", DOTTED, "refused"),
    ):
        fixed = bucket[key].partition("!{")[0].rpartition("/")[0]
        yield Arrow(this(node), location(bucket["bucketArn"], f"{fixed}/"), style, label)


def table(pipeline: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    place = inputs["storageDescriptor"].get("location")
    if place is not None:
        yield Arrow(place, this(node))
    view = view_of(node.inputs.get("viewOriginalText", ""))
    sql = json.loads(view)["originalSql"] if view else ""
    for other in pipeline.of("glue.CatalogTable", databaseName=inputs["databaseName"]):
        if f'"{inputs["databaseName"]}"."{other.inputs["name"]}"' in sql:
            yield Arrow(this(other), this(node))


def crawler(pipeline: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    for target in inputs.get("s3Targets", []):
        yield Arrow(target["path"], this(node))
    for target in inputs.get("catalogTargets", []):
        for name in target["tables"]:
            for other in pipeline.of(
                "glue.CatalogTable", databaseName=target["databaseName"], name=name
            ):
                yield Arrow(this(node), this(other), SOLID, "partitions")


def query(pipeline: Pipeline, _: Node, inputs: Inputs) -> Iterator[Arrow]:
    """Whatever lies in the database can be asked in the workgroup."""
    tables = pipeline.of("glue.CatalogTable", databaseName=inputs["database"])
    # Without COLUMNS the crawler makes the table.
    makers = tables or pipeline.of("glue.Crawler", databaseName=inputs["database"])
    for maker in makers:
        for workgroup in pipeline.of("athena.Workgroup", name=inputs["workgroup"]):
            yield Arrow(this(maker), this(workgroup))


def rule(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    detail = inputs["eventPattern"]["detail"]
    if "object" in detail:
        prefix = detail["object"]["key"][0]["prefix"]
        yield Arrow(location(detail["bucket"]["name"][0], prefix), this(node), DOTTED)
    else:
        yield Arrow(detail["crawlerName"][0], this(node), DOTTED)


def target(_: Pipeline, __: Node, inputs: Inputs) -> Iterator[Arrow]:
    yield Arrow(inputs["rule"], inputs["arn"])


def alarm(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    for watched in inputs.get("dimensions", {}).values():
        yield Arrow(watched, this(node), DOTTED)
    for topic in inputs["alarmActions"]:
        yield Arrow(this(node), topic)


def subscription(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    yield Arrow(inputs["topic"], this(node))


def dashboard(_: Pipeline, node: Node, inputs: Inputs) -> Iterator[Arrow]:
    for widget in inputs["dashboardBody"]["widgets"]:
        for shown in widget["properties"].get("alarms", []):
            yield Arrow(shown, this(node), DOTTED)


def this(node: Node) -> str:
    return f"{{{node.name}}}"


def location(bucket: str, path: str) -> str:
    """`s3://<bucket>/<path>` by the bucket's name or ARN."""
    name = bucket.removesuffix(".arn}") + "}" if bucket.endswith(".arn}") else bucket
    return f"s3://{name.rpartition(':')[2]}/{path}"


TELLERS: dict[str, Callable[[Pipeline, Node, Inputs], Iterator[Arrow]]] = {
    "athena.NamedQuery": query,
    "cloudwatch.Dashboard": dashboard,
    "cloudwatch.EventRule": rule,
    "cloudwatch.EventTarget": target,
    "cloudwatch.MetricAlarm": alarm,
    "glue.CatalogTable": table,
    "glue.Crawler": crawler,
    "kinesis.FirehoseDeliveryStream": stream,
    "lambda.EventSourceMapping": mapping,
    "lambda.Function": function,
    "sfn.StateMachine": machine,
    "sns.TopicSubscription": subscription,
}
