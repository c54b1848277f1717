"""Alarms: they reach the topic that they are sent to."""

from .resources import Found, Resource, Stack, listed, told
from .rule import Rule, StackRule

TOPIC = "aws:sns/topic:Topic"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")
# The properties by which another service sends to a topic.
SENDERS = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": ACTIONS,
    "aws:cloudwatch/metricAlarm:MetricAlarm": ACTIONS,
    "aws:cloudwatch/eventTarget:EventTarget": ("arn",),
}


def reach_topic(stack: Stack) -> Found:
    for topic in stack.of(TOPIC):
        key = topic.get("kmsMasterKeyId")
        own = isinstance(key, str) and key.endswith("alias/aws/sns")
        if own and any(sends(sender, topic) for sender in stack.of(*SENDERS)):
            yield (
                topic,
                f"{told('kmsMasterKeyId', key)} keeps alarms and events out: its policy admits no"
                " other service and cannot be changed; use a key of yours that admits"
                " cloudwatch.amazonaws.com and events.amazonaws.com, or none.",
            )


def sends(sender: Resource, topic: Resource) -> bool:
    return any(
        topic.get("arn") in listed(sender.get(key)) or topic.urn in sender.references.get(key, ())
        for key in SENDERS[sender.type]
    )


RULES: list[Rule] = [
    StackRule(
        name="alarms-reach-topic",
        guards="An alarm's topic is not encrypted with AWS's own SNS key.",
        reason="That key admits no other service: the alarm rings, and nobody is told.",
        remedy="Use a key that admits cloudwatch.amazonaws.com and events.amazonaws.com, or none.",
        check=reach_topic,
    ),
]
