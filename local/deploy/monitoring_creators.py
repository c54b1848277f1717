"""Creators of alarms, dashboards, topics and event rules."""

from local.deploy.inputs import Creator, Inputs, Outputs, pascal_case
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError


def metric_alarm(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.tags()
    dimensions = inputs.take("dimensions", {})
    # Delays an alarm's first evaluation; ministack evaluates none.
    inputs.take("warmUpConfiguration")
    clients("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Tags=tags,
        **inputs.remaining(okActions="OKActions"),
    )
    arn = f"arn:aws:cloudwatch:{clients.region}:{ACCOUNT}:alarm:{name}"
    return {"id": name, "name": name, "arn": arn}


def topic(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.tags()
    created = clients("sns").create_topic(Name=name, Attributes=inputs.remaining(), Tags=tags)
    return {"id": created["TopicArn"], "name": name, "arn": created["TopicArn"]}


def topic_policy(clients: Clients, inputs: Inputs) -> Outputs:
    arn, policy = inputs.take("arn"), inputs.take("policy")
    clients("sns").set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy)
    return {"id": arn, "owner": ACCOUNT}


def topic_subscription(clients: Clients, inputs: Inputs) -> Outputs:
    created = clients("sns").subscribe(
        TopicArn=inputs.take("topic"),
        Protocol=inputs.take("protocol"),
        Endpoint=inputs.take("endpoint"),
        ReturnSubscriptionArn=True,
    )
    return {"id": created["SubscriptionArn"], "arn": created["SubscriptionArn"]}


def dashboard(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.take("dashboardName")
    response = clients("cloudwatch").put_dashboard(
        DashboardName=name, DashboardBody=inputs.take("dashboardBody")
    )
    if messages := response["DashboardValidationMessages"]:
        raise CommandError(
            f"CloudWatch reports problems of the dashboard {name}: {messages}",
            code="invalid-dashboard",
            messages=messages,
        )
    arn = f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{name}"
    return {"id": name, "dashboardName": name, "dashboardArn": arn}


def event_rule(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.tags()
    created = clients("events").put_rule(Name=name, Tags=tags, **inputs.remaining())
    return {"id": name, "name": name, "arn": created["RuleArn"]}


def event_target(clients: Clients, inputs: Inputs) -> Outputs:
    rule, target = inputs.take("rule"), inputs.logical_name
    transformer = inputs.take("inputTransformer")
    retry_policy = pascal_case(inputs.take("retryPolicy"))
    response = clients("events").put_targets(
        Rule=rule,
        Targets=[
            {
                "Id": target,
                "Arn": inputs.take("arn"),
                "InputTransformer": {
                    "InputPathsMap": transformer["inputPaths"],
                    "InputTemplate": transformer["inputTemplate"],
                },
                "RetryPolicy": retry_policy,
            }
        ],
    )
    if failures := response["FailedEntries"]:
        raise CommandError(
            f"EventBridge rejects the target {target}: {failures}",
            code="invalid-event-target",
            failures=failures,
        )
    return {"id": f"{rule}-{target}", "targetId": target}


CREATORS: dict[str, Creator] = {
    "aws:cloudwatch/dashboard:Dashboard": dashboard,
    "aws:cloudwatch/eventRule:EventRule": event_rule,
    "aws:cloudwatch/eventTarget:EventTarget": event_target,
    "aws:cloudwatch/metricAlarm:MetricAlarm": metric_alarm,
    "aws:sns/topic:Topic": topic,
    "aws:sns/topicPolicy:TopicPolicy": topic_policy,
    "aws:sns/topicSubscription:TopicSubscription": topic_subscription,
}
