"""Stage 6: alarm topic, alarms on every stage, failure events and dashboard."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.monitoring.alarms import (
    METRIC_SOURCES,
    Alarm,
    MetricSource,
    alarms,
)
from streaming_etl.components.monitoring.dashboard import (
    MetricDimensions,
    dashboard_body,
    default_dashboard_name,
)
from streaming_etl.components.monitoring.failure_events import create_rules, failure_events
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE, lake_table_title
from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import Function, LakeBucket, PipelineContext
from streaming_etl.components.table.layout import ERRORS_PREFIX, error_folders, resource_prefix


@dataclass(frozen=True, kw_only=True)
class MonitoredLakeTable:
    """The resources of one lake table that alarms and dashboard show."""

    transform: Function
    stream_name: pulumi.Output[str]
    crawler_name: Optional[pulumi.Output[str]]
    merge_state_machine_arn: Optional[pulumi.Output[str]]

    def dimension_values(self) -> dict[MetricSource, pulumi.Input[str]]:
        """Return the value of each metric source's dimension."""
        function = self.transform.resource.name
        values: dict[MetricSource, pulumi.Input[str]] = {
            "transform": function,
            "transform_counts": function,
            "delivery_stream": self.stream_name,
        }
        if self.merge_state_machine_arn is not None:
            values["merge_state_machine"] = self.merge_state_machine_arn
        return values


@dataclass(frozen=True, kw_only=True)
class MonitoredResources:
    """The resources of the other stages that alarms and dashboard show."""

    forwarder: Function
    mapping_id: pulumi.Output[str]
    lake_tables: Mapping[str, MonitoredLakeTable]
    bucket: LakeBucket
    failed_batches_path: pulumi.Output[str]
    state_machine_arn: Optional[pulumi.Output[str]]
    merge_workgroup: Optional[pulumi.Output[str]]

    def dimension_values(self) -> dict[MetricSource, pulumi.Input[str]]:
        """Return the value of each metric source's dimension."""
        values: dict[MetricSource, pulumi.Input[str]] = {
            "mapping": self.mapping_id,
            "forwarder": self.forwarder.resource.name,
            "forwarder_counts": self.forwarder.resource.name,
        }
        if self.state_machine_arn is not None:
            values["state_machine"] = self.state_machine_arn
        if self.merge_workgroup is not None:
            values["merge_workgroup"] = self.merge_workgroup
        return values


class Monitoring:
    """Alarm topic, alarms, failure events and dashboard."""

    alarm_topic_arn: Optional[pulumi.Output[str]] = None
    alarm_names: pulumi.Output[list[str]]
    failure_events_topic_arn: pulumi.Output[str]
    dashboard_name: Optional[pulumi.Output[str]] = None

    def __init__(
        self,
        pipeline: PipelineContext,
        resources: MonitoredResources,
        parent: pulumi.Resource,
    ) -> None:
        name, args = f"{pipeline.name}-monitoring", pipeline.args
        self.tags, self.parent = pipeline.tags, parent
        self.alarm_actions = args.monitoring.alarm_actions
        self.ok_actions = args.monitoring.ok_actions
        if args.monitoring.alarm_topic_arn is not None:
            self.alarm_topic_arn = pulumi.Output.from_input(args.monitoring.alarm_topic_arn)
        elif args.monitoring.alarms != "none":
            self.alarm_topic_arn = self.create_topic(f"{name}-topic", pipeline)
            for email in args.monitoring.alarm_emails:
                self.create_subscription(f"{name}-email", email, self.alarm_topic_arn)
        events = failure_events(
            resources.bucket.name,
            [resources.failed_batches_path, *error_paths(pipeline)],
            [it.crawler_name for it in resources.lake_tables.values() if it.crawler_name],
            [
                it.merge_state_machine_arn
                for it in resources.lake_tables.values()
                if it.merge_state_machine_arn
            ],
        )
        self.failure_events_topic_arn, rules = create_rules(pipeline, events, parent)
        self.dimensions = dimensions = MetricDimensions(
            pipeline=pipeline.name,
            region=pipeline.account.region,
            values=resources.dimension_values(),
            lake_tables={
                key: lake_table.dimension_values()
                for key, lake_table in resources.lake_tables.items()
            },
            rules={rule_name: rule.name for rule_name, rule in rules.items()},
        )
        created = [self.create_alarm(pipeline.name, alarm, dimensions) for alarm in alarms(args)]
        self.alarm_names = pulumi.Output.all(*(alarm.name for alarm in created))
        self.alarm_arns = alarm_arns = [alarm.arn for alarm in created]
        if args.monitoring.dashboard:
            # json_dumps would create an Output per value: a fifth of the program's time.
            body = pulumi.Output.all(
                table_name=args.table_name,
                region=dimensions.region,
                values=dict(dimensions.values),
                lake_tables=dict(dimensions.lake_tables),
                rules=dict(dimensions.rules),
                alarm_arns=alarm_arns,
            ).apply(lambda known: compact_json(dashboard_body(args, pipeline.name, **known)))
            self.dashboard_name = aws.cloudwatch.Dashboard(
                f"{name}-dashboard",
                dashboard_name=default_dashboard_name(pipeline.physical_name),
                dashboard_body=body,
                opts=pulumi.ResourceOptions(parent=self.parent),
            ).dashboard_name

    def create_topic(self, name: str, pipeline: PipelineContext) -> pulumi.Output[str]:
        """Create a topic for this account's alarms; return its ARN.

        The topic is not encrypted with alias/aws/sns, because that key's policy does not allow
        CloudWatch; that of a customer key must. An alarm contains names and numbers, never a
        change.
        """
        topic = aws.sns.Topic(
            name,
            kms_master_key_id=pipeline.args.kms_key_arn,
            tags=dict(self.tags),
            opts=pulumi.ResourceOptions(parent=self.parent),
        )
        publish = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": topic.arn,
            "Condition": {"StringEquals": {"aws:SourceAccount": pipeline.account.account_id}},
        }
        # The policy's ARN, so that alarms wait for the policy.
        return aws.sns.TopicPolicy(
            f"{name}-policy",
            arn=topic.arn,
            policy=iam.policy([publish]),
            opts=pulumi.ResourceOptions(parent=self.parent),
        ).arn

    def create_subscription(self, name: str, email: str, topic: pulumi.Output[str]) -> None:
        """Subscribe an e-mail address, which its owner must confirm.

        The resource's name contains a hash of the address, so that removing one address does not
        replace the subscriptions of the others.
        """
        digest = hashlib.sha256(email.encode()).hexdigest()[:8]
        aws.sns.TopicSubscription(
            f"{name}-{digest}",
            topic=topic,
            protocol="email",
            endpoint=email,
            opts=pulumi.ResourceOptions(parent=self.parent),
        )

    def create_alarm(
        self, pipeline: str, alarm: Alarm, dimensions: MetricDimensions
    ) -> aws.cloudwatch.MetricAlarm:
        """Create the CloudWatch alarm."""
        key = alarm.lake_table or ONLY_LAKE_TABLE
        name = f"{resource_prefix(pipeline, key)}-monitoring-{alarm.name}"
        namespace, dimension = METRIC_SOURCES[alarm.metric_source]
        metric: dict[str, Any] = {
            "namespace": namespace,
            "metric_name": alarm.metric,
            "dimensions": {dimension: dimensions.value_of(alarm)},
            "period": alarm.period_seconds,
        }
        if alarm.missing_is_zero:
            metric = {"metric_queries": zero_where_missing({**metric, "stat": alarm.statistic})}
        else:
            is_percentile = alarm.statistic.startswith("p")
            metric["extended_statistic" if is_percentile else "statistic"] = alarm.statistic
        warm_up = None
        if alarm.warm_up_minutes is not None:
            warm_up = aws.cloudwatch.MetricAlarmWarmUpConfigurationArgs(
                warm_up_period_duration_in_minutes=alarm.warm_up_minutes,
                # A formula has data at once, which would end the warm-up.
                only_start_evaluating_after_warm_up_period_ends=alarm.missing_is_zero or None,
            )
        breaching = alarm.treat_missing_as_breaching
        assert self.alarm_topic_arn is not None, "every level with an alarm has a topic"
        return aws.cloudwatch.MetricAlarm(
            name,
            alarm_description=alarm_description(dimensions.pipeline, alarm),
            **metric,
            evaluation_periods=alarm.evaluation_periods,
            datapoints_to_alarm=alarm.datapoints_to_alarm,
            comparison_operator=alarm.comparison,
            threshold=alarm.threshold,
            treat_missing_data="breaching" if breaching else "notBreaching",
            warm_up_configuration=warm_up,
            alarm_actions=[self.alarm_topic_arn, *self.alarm_actions],
            ok_actions=[self.alarm_topic_arn, *self.ok_actions] if alarm.notify_on_ok else None,
            tags=dict(self.tags),
            opts=pulumi.ResourceOptions(parent=self.parent),
        )


def zero_where_missing(metric: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the formula that replaces missing data with 0.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
    """
    return [
        {"id": "metric", "metric": metric},
        {"id": "filled", "expression": "FILL(metric, 0)", "label": "filled", "return_data": True},
    ]


def error_paths(pipeline: PipelineContext) -> list[pulumi.Output[str]]:
    """Return the key prefixes of the pipeline's error records."""
    return [
        pulumi.Output.concat(ERRORS_PREFIX, pipeline.database_name, "/", folder)
        for folder in error_folders(pipeline.name, pipeline.args)
    ]


def alarm_description(pipeline: str, alarm: Alarm) -> str:
    """Return the alarm's description with its section of the runbook."""
    place = lake_table_title(pipeline, alarm.lake_table or ONLY_LAKE_TABLE)
    return f"{place}: {alarm.description} See docs/runbook.md#{alarm.name}."


def compact_json(body: Any) -> str:
    """Return JSON without spaces, because Pulumi's state has it twice."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
