"""Alarms must be able to publish to their topic."""

from collections.abc import Iterator

from .resources import Resource, Stack, as_list
from .rule import Rule, StackRule, Violation

TOPIC = "aws:sns/topic:Topic"
ACTIONS = ("alarmActions", "okActions", "insufficientDataActions")
# Properties by which another service publishes to a topic.
PUBLISHERS = {
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": ACTIONS,
    "aws:cloudwatch/metricAlarm:MetricAlarm": ACTIONS,
    "aws:cloudwatch/eventTarget:EventTarget": ("arn",),
}
FIX = "Use a customer key that allows cloudwatch.amazonaws.com and events.amazonaws.com, or no key."


def alarms_reach_topic(stack: Stack) -> Iterator[Violation]:
    for topic in stack.of(TOPIC):
        key = topic.get("kmsMasterKeyId")
        managed = isinstance(key, str) and key.endswith("alias/aws/sns")
        if managed and any(publishes(it, topic) for it in stack.of(*PUBLISHERS)):
            must = "not be the AWS managed key, whose policy allows no other service"
            yield Violation(topic, "kmsMasterKeyId", key, must, FIX)


def publishes(publisher: Resource, topic: Resource) -> bool:
    return any(
        topic.get("arn") in as_list(publisher.get(key))
        or topic.urn in publisher.references.get(key, ())
        for key in PUBLISHERS[publisher.type]
    )


RULES: list[Rule] = [
    StackRule(
        name="alarms-reach-topic",
        requires="An alarm's topic is not encrypted with the AWS managed key.",
        reason="That key allows no other service, so nobody receives the alarm.",
        fix=FIX,
        check=alarms_reach_topic,
    ),
]
