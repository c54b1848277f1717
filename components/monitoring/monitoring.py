"""Who is told when a pipeline hurts: a topic, the alarms on every stage, and the dashboard."""

import hashlib
from dataclasses import dataclass
from typing import Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.monitoring.alarms import (
    METRIC_NAMESPACE,
    PERIOD_SECONDS,
    REFUSED_PATTERN,
    SUBJECTS,
    WARM_UP_MINUTES,
    Alarm,
    Subject,
    alarms,
    refused_metric,
)
from streaming_etl.components.monitoring.dashboard import (
    Names,
    dashboard_body,
    default_dashboard_name,
)
from streaming_etl.components.monitoring.failure_events import create_rules, happenings
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.document import document
from streaming_etl.components.stages.lambda_function import Function
from streaming_etl.components.stages.references import LakeBucket, Pipeline


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What of the other stages is watched."""

    forwarder: Function
    mapping_id: pulumi.Output[str]
    transform: Function
    stream_name: pulumi.Output[str]
    bucket: LakeBucket
    failed_batches_path: pulumi.Output[str]
    errors_path: pulumi.Output[str]
    crawler_name: Optional[pulumi.Output[str]]
    state_machine_arn: Optional[pulumi.Output[str]]

    def subjects(self) -> dict[Subject, pulumi.Input[str]]:
        """The value of each subject's dimension."""
        found: dict[Subject, pulumi.Input[str]] = {
            "mapping": self.mapping_id,
            "forwarder": self.forwarder.resource.name,
            "transform": self.transform.resource.name,
            "counts": self.transform.resource.name,
            "stream": self.stream_name,
        }
        if self.state_machine_arn is not None:
            found["machine"] = self.state_machine_arn
        return found


class Monitoring(pulumi.ComponentResource):
    """Outputs: `alarm_topic_arn`, `failure_events_topic_arn`; `dashboard_name` if there is a dashboard."""

    alarm_topic_arn: pulumi.Output[str]
    failure_events_topic_arn: pulumi.Output[str]
    dashboard_name: Optional[pulumi.Output[str]] = None

    def __init__(self, pipeline: Pipeline, watched: Watched, opts: pulumi.ResourceOptions) -> None:
        name, args = f"{pipeline.name}-monitoring", pipeline.args
        super().__init__("streaming-etl:index:Monitoring", name, None, opts)
        self.tags = pipeline.tags
        if args.monitoring.alarm_topic_arn is not None:
            self.alarm_topic_arn = pulumi.Output.from_input(args.monitoring.alarm_topic_arn)
        else:
            self.alarm_topic_arn = self.create_topic(f"{name}-topic", pipeline.account)
            for email in args.monitoring.alarm_emails:
                self.subscribe(f"{name}-email", email)
        waited_for = happenings(
            watched.bucket.name,
            watched.failed_batches_path,
            watched.errors_path,
            watched.crawler_name,
        )
        self.failure_events_topic_arn, rules = create_rules(pipeline, waited_for, self)
        self.count_refused(f"{name}-refused-metric", pipeline.name, watched.transform)
        names = Names(
            pipeline=pipeline.name,
            region=pipeline.account.region,
            subjects=watched.subjects(),
            rules={kind: rule.name for kind, rule in rules.items()},
        )
        made = [
            self.create_alarm(f"{name}-{alarm.kind}", alarm, names)
            for alarm in alarms(args, pipeline.name, pulumi.get_stack())
        ]
        if args.monitoring.dashboard:
            body = dashboard_body(args, names, [alarm.arn for alarm in made])
            self.dashboard_name = aws.cloudwatch.Dashboard(
                f"{name}-dashboard",
                dashboard_name=default_dashboard_name(pipeline.name),
                dashboard_body=document(body),
                opts=pulumi.ResourceOptions(parent=self),
            ).dashboard_name
        self.register_outputs(
            {
                "alarmTopicArn": self.alarm_topic_arn,
                "failureEventsTopicArn": self.failure_events_topic_arn,
            }
        )

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
            policy=iam.policy([publish]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return topic.arn

    def subscribe(self, name: str, email: str) -> None:
        """Mail the alarms to an address, once its owner has confirmed.

        The name holds a hash of the address: dropping one address leaves the others as they are.
        """
        digest = hashlib.sha256(email.encode()).hexdigest()[:8]
        aws.sns.TopicSubscription(
            f"{name}-{digest}",
            topic=self.alarm_topic_arn,
            protocol="email",
            endpoint=email,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def count_refused(self, name: str, pipeline: str, transform: Function) -> None:
        """Make a metric of the lines by which the transform tells of a change it set aside."""
        aws.cloudwatch.LogMetricFilter(
            name,
            log_group_name=transform.log_group.name,
            pattern=REFUSED_PATTERN,
            metric_transformation=aws.cloudwatch.LogMetricFilterMetricTransformationArgs(
                namespace=METRIC_NAMESPACE,
                name=refused_metric(pipeline, pulumi.get_stack()),
                value="1",
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def create_alarm(self, name: str, alarm: Alarm, names: Names) -> aws.cloudwatch.MetricAlarm:
        """The alarm in AWS's terms."""
        namespace, dimension = SUBJECTS[alarm.subject]
        warm_up = aws.cloudwatch.MetricAlarmWarmUpConfigurationArgs(
            warm_up_period_duration_in_minutes=WARM_UP_MINUTES
        )
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=(
                f"{names.pipeline}: {alarm.meaning}"
                f" What to do: docs/runbook.md, section {alarm.kind}."
            ),
            namespace=namespace,
            metric_name=alarm.metric,
            dimensions=None if dimension is None else {dimension: names.of(alarm)},
            statistic=alarm.statistic,
            period=PERIOD_SECONDS,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.failing,
            comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            threshold=alarm.threshold,
            treat_missing_data="breaching" if alarm.missing_rings else "notBreaching",
            # A new mapping has counted nothing yet, which is no failure.
            warm_up_configuration=warm_up if alarm.missing_rings else None,
            alarm_actions=[self.alarm_topic_arn],
            ok_actions=[self.alarm_topic_arn] if alarm.lasts else None,
            tags=dict(self.tags),
            opts=pulumi.ResourceOptions(parent=self),
        )
