"""Creators of what watches: alarms, dashboards, topics, event rules."""

from typing import Any

from local import LocalError
from local.deploy.creators import Outputs, creates
from local.deploy.inputs import Inputs, pascal
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients


@creates("aws:cloudwatch/logMetricFilter:LogMetricFilter")
def log_metric_filter(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    transformation = dict(given.take("metricTransformation"))
    metric = {
        "metricName": transformation.pop("name"),
        "metricNamespace": transformation.pop("namespace"),
        "metricValue": transformation.pop("value"),
        **transformation,
    }
    clients("logs").put_metric_filter(
        filterName=name,
        logGroupName=given.take("logGroupName"),
        filterPattern=given.take("pattern"),
        metricTransformations=[metric],
    )
    return {"id": name, "name": name}


@creates("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(clients: Clients, given: Inputs) -> Outputs:
    name, tags = given.name(), given.tags()
    dimensions = given.take("dimensions", {})
    # It delays an alarm's first look, and nothing here ever looks.
    given.take("warmUpConfiguration")
    clients("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Tags=tags,
        **given.rest(okActions="OKActions"),
    )
    arn = f"arn:aws:cloudwatch:{clients.region}:{ACCOUNT}:alarm:{name}"
    return {"id": name, "name": name, "arn": arn}


@creates("aws:sns/topic:Topic")
def topic(clients: Clients, given: Inputs) -> Outputs:
    name, tags = given.name(), given.tags()
    made = clients("sns").create_topic(Name=name, Attributes=given.rest(), Tags=tags)
    return {"id": made["TopicArn"], "name": name, "arn": made["TopicArn"]}


@creates("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(clients: Clients, given: Inputs) -> Outputs:
    arn, policy = given.take("arn"), given.take("policy")
    clients("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return {"id": arn, "owner": ACCOUNT}


@creates("aws:sns/topicSubscription:TopicSubscription")
def topic_subscription(clients: Clients, given: Inputs) -> Outputs:
    made = clients("sns").subscribe(
        TopicArn=given.take("topic"),
        Protocol=given.take("protocol"),
        Endpoint=given.take("endpoint"),
        ReturnSubscriptionArn=True,
    )
    return {"id": made["SubscriptionArn"], "arn": made["SubscriptionArn"]}


@creates("aws:cloudwatch/dashboard:Dashboard")
def dashboard(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("dashboardName")
    answer = clients("cloudwatch").put_dashboard(
        DashboardName=name, DashboardBody=given.take("dashboardBody")
    )
    if messages := answer["DashboardValidationMessages"]:
        raise LocalError(f"CloudWatch warns of the dashboard {name}: {messages}")
    arn = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"
    return {"id": name, "dashboardName": name, "dashboardArn": arn}


@creates("aws:cloudwatch/eventRule:EventRule")
def event_rule(clients: Clients, given: Inputs) -> Outputs:
    name, tags = given.name(), given.tags()
    made = clients("events").put_rule(Name=name, Tags=tags, **given.rest())
    return {"id": name, "name": name, "arn": made["RuleArn"]}


@creates("aws:cloudwatch/eventTarget:EventTarget")
def event_target(clients: Clients, given: Inputs) -> Outputs:
    rule, target = given.take("rule"), given.logical_name
    transformer = given.take("inputTransformer")
    retries = pascal(given.take("retryPolicy"))
    answer = clients("events").put_targets(
        Rule=rule,
        Targets=[
            {
                "Id": target,
                "Arn": given.take("arn"),
                "InputTransformer": {
                    "InputPathsMap": transformer["inputPaths"],
                    "InputTemplate": transformer["inputTemplate"],
                },
                "RetryPolicy": retries,
            }
        ],
    )
    if refused := answer["FailedEntries"]:
        raise LocalError(f"EventBridge refuses the target: {refused}")
    return {"id": f"{rule}-{target}", "targetId": target}


@creates("aws:s3/bucketNotification:BucketNotification")
def bucket_notification(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    configuration: dict[str, Any] = {}
    if given.take("eventbridge"):
        configuration["EventBridgeConfiguration"] = {}
    clients("s3").put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration=configuration
    )
    return {"id": name}
