"""One pipeline as a Mermaid flowchart, drawn from what its resources refer to."""

from typing import Optional

from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.recorder import Graph
from tools.graph.drawing import Drawing
from tools.graph.edges import Pipeline
from tools.graph.ordering import STAGES, Flow, kind
from tools.graph.references import References, referenced

SHOWN = {
    "athena.Workgroup": "Athena workgroup",
    "cloudwatch.Dashboard": "Dashboard",
    "dynamodb.Table": "DynamoDB table",
    "glue.CatalogTable": "Glue table",
    "glue.Crawler": "Glue crawler",
    "kinesis.FirehoseDeliveryStream": "Firehose",
    "lambda.Function": "Lambda",
    "sfn.StateMachine": "Step Functions",
    "sns.Topic": "SNS topic",
}
GROUPED = {
    "cloudwatch.EventRule": "EventBridge rules",
    "cloudwatch.MetricAlarm": "alarms",
    "sns.TopicSubscription": "mails",
}
"""Types of which a pipeline has many: one box with their number."""
OUTSIDE = "Outside"
SERVICES = {"dynamodb": "DynamoDB", "sns": "SNS topic"}


def picture(graph: Graph, pipeline: str) -> str:
    """The flowchart of one pipeline; raises CommandError when there is none of that name."""
    known = Flow(graph).pipelines()
    if pipeline not in known:
        raise CommandError(
            f"There is no pipeline {pipeline}; there are {', '.join(known) or 'none'}."
        )
    return Picture(graph, pipeline).drawing.mermaid(STAGES)


class Picture:
    """Boxes first, then the arrows between them; what has no box is left out."""

    def __init__(self, graph: Graph, pipeline: str) -> None:
        flow, references = Flow(graph), References(graph)
        nodes = list(flow.of_pipeline(pipeline))
        told = {node.name: references.told(node.inputs) for node in nodes}
        self.drawing = Drawing()
        self.boxes: dict[str, str] = {}
        """The box that stands for a resource, by its name."""
        for node in nodes:
            what, stage = kind(node), kind(flow.chain(node)[-2])
            if what in GROUPED:
                many = sum(kind(other) == what for other in nodes)
                self.drawing.box(what, stage, f"{many} {GROUPED[what]}")
                self.boxes[node.name] = what
            elif what in SHOWN:
                view = "viewOriginalText" in node.inputs
                label = "View" if view else SHOWN[what]
                self.drawing.box(node.name, stage, label, node.name.removeprefix(f"{pipeline}-"))
                self.boxes[node.name] = node.name
            elif what == "lambda.EventSourceMapping":
                [function] = referenced(told[node.name]["functionName"])
                self.boxes[node.name] = function
        for arrow in Pipeline(nodes, told).arrows():
            start, end = self.end(arrow.start), self.end(arrow.end)
            if start is not None and end is not None:
                self.drawing.arrow(arrow._replace(start=start, end=end))

    def end(self, text: str) -> Optional[str]:
        """The box that an end of an arrow means."""
        if text.startswith("s3://"):
            return self.folder(text)
        if names := referenced(text):
            return next((self.boxes[name] for name in sorted(names) if name in self.boxes), None)
        return self.outside(text) if text.startswith("arn:") else None

    def folder(self, location: str) -> str:
        """A folder of the bucket, or the one that it lies in."""
        for name in self.drawing.boxes:
            if name.startswith("s3://") and location.startswith(name):
                return name
        self.drawing.box(location, "Lake", "S3", location.split("/", 3)[3])
        return location

    def outside(self, arn: str) -> str:
        """What is not of this stack, such as a table that was there before."""
        _, _, service, _, _, name = arn.partition("/stream/")[0].split(":", 5)
        self.drawing.box(arn, OUTSIDE, SERVICES.get(service, service), name)
        return arn
