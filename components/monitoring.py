"""Who is told when a change is given up, refused, or late: a topic and the alarms on it."""

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components import iam
from components.function import Function
from components.handles import Pipeline

METRIC_NAMESPACE = "StreamingEtl"
# The line by which handlers/transform.py tells of a change that it set aside.
REFUSED_PATTERN = '{ $.message = "change refused" }'
LATE_SECONDS = 900


class Monitoring(pulumi.ComponentResource):
    """Outputs: `topic_arn`. Every alarm treats missing data as well: no traffic is no failure."""

    topic_arn: pulumi.Output[str]

    def __init__(
        self,
        pipeline: Pipeline,
        forwarder: Function,
        mapping_id: pulumi.Output[str],
        transform: Function,
        stream_name: pulumi.Output[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        name, args = f"{pipeline.name}-monitoring", pipeline.args
        super().__init__("streaming-etl:index:Monitoring", name, None, opts)
        self.tags = pipeline.tags
        if args.alarm_topic_arn is not None:
            self.topic_arn = pulumi.Output.from_input(args.alarm_topic_arn)
        else:
            self.topic_arn = self.create_topic(f"{name}-topic", pipeline.account)
        mapping = {"EventSourceMappingUUID": mapping_id}
        function = {"FunctionName": forwarder.resource.name}
        stream = {"DeliveryStreamName": stream_name}
        # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
        self.alarm(
            f"{name}-given-up",
            "Changes were given up: whole batches lie below the failed-batches location.",
            "AWS/Lambda",
            "OnFailureDestinationDeliveredEventCount",
            mapping,
        )
        self.alarm(
            f"{name}-dropped",
            "Changes were dropped without being set aside: they are in the stream for 24 h only.",
            "AWS/Lambda",
            "DroppedEventCount",
            mapping,
        )
        self.count_refused(f"{name}-refused", pipeline.name, transform)
        self.alarm(
            f"{name}-late-forwarding",
            "The forwarder is behind the stream, which forgets a change after 24 h.",
            "AWS/Lambda",
            "IteratorAge",
            function,
            statistic="Maximum",
            threshold=LATE_SECONDS * 1000,
        )
        # https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
        self.alarm(
            f"{name}-late-delivery",
            "Firehose cannot write to the bucket; it keeps a record for 24 h.",
            "AWS/Firehose",
            "DeliveryToS3.DataFreshness",
            stream,
            statistic="Maximum",
            threshold=LATE_SECONDS + args.delivery.buffer_seconds + args.transform.buffer_seconds,
        )
        self.register_outputs({"topicArn": self.topic_arn})

    def create_topic(self, name: str, account: iam.Account) -> pulumi.Output[str]:
        """A topic that CloudWatch may publish to, for this account's alarms only.

        Not encrypted with alias/aws/sns, whose key policy would keep the alarms out. An alarm
        tells names and numbers, never a change.
        """
        topic = aws.sns.Topic(name, tags=dict(self.tags), opts=pulumi.ResourceOptions(parent=self))
        publish = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic.arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
        }
        aws.sns.TopicPolicy(
            f"{name}-policy",
            arn=topic.arn,
            policy=iam.document([publish]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return topic.arn

    def count_refused(self, name: str, pipeline: str, transform: Function) -> None:
        """Alarm on the transform's own word: Firehose has no metric for ProcessingFailed."""
        metric = aws.cloudwatch.LogMetricFilter(
            f"{name}-metric",
            log_group_name=transform.log_group.name,
            pattern=REFUSED_PATTERN,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=METRIC_NAMESPACE,
                # A metric of a filter without dimensions carries the pipeline in its name.
                name=f"changes-refused/{pipeline}/{pulumi.get_stack()}",
                value="1",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.alarm(
            name,
            "The transform refused changes: each lies whole below the errors location.",
            METRIC_NAMESPACE,
            metric.metric_transformation.name,
            {},
        )

    def alarm(
        self,
        name: str,
        description: str,
        namespace: str,
        metric_name: pulumi.Input[str],
        dimensions: Mapping[str, pulumi.Input[str]],
        statistic: str = "Sum",
        threshold: float = 0,
    ) -> None:
        """Tell the topic when the metric exceeds `threshold` over five minutes, and at the end."""
        aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=description,
            namespace=namespace,
            metric_name=metric_name,
            dimensions=dict(dimensions) or None,
            statistic=statistic,
            period=300,
            evaluation_periods=1,
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            tags=dict(self.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
