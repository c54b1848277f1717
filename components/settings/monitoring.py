"""Settings of the alarms and of the dashboard."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Optional

import pulumi

from streaming_etl.components.settings.existing_resources import (
    ALARM_ACTION_ARN,
    OK_ACTION_ARN,
    TOPIC_ARN,
)
from streaming_etl.components.settings.freshness import Buffers
from streaming_etl.components.settings.stages import ForwarderArgs
from streaming_etl.components.settings.validation import (
    Problem,
    Related,
    Settings,
    invalid,
    limited,
    no_effect,
    one_of,
    texts,
)

# An alarm has at most five actions for each state, one of which is the topic.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
MAX_FURTHER_ACTIONS = 4

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

DEFAULT_MAX_AGE_SECONDS = 900
# The stream and Firehose keep a change for 24 h; half of that time remains for a reaction.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
# https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
MAX_AGE_SECONDS = 43_200
# The alarms of the others exist with `all` only.
ESSENTIAL_THRESHOLDS = {
    "max_iterator_age_seconds",
    "max_data_freshness_seconds",
    "max_lag_seconds",
    "max_requeued_changes",
}
OTHER_THRESHOLDS = {"max_transform_duration_percent"}
HALF_A_DAY = "A stream keeps a change for 24 h; half of that time remains for a reaction"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs(Settings):
    """Alarms with their thresholds and receivers, and the dashboard."""

    alarms: str = one_of("essential", "all", "none")
    """Alarms that exist: `essential`, those that together fire for every failure mode of the
    runbook; `all`, also those that name the cause or fire earlier; `none`, and no alarm topic. AWS
    bills each alarm monthly."""
    alarm_topic_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=TOPIC_ARN)
    """ARN of an existing SNS topic for the alarms in the stack's region, not a FIFO topic; by
    default one is created. Its policy must let cloudwatch.amazonaws.com publish."""
    alarm_emails: Sequence[str] = texts(
        (), 1000, pattern=EMAIL, kind="an e-mail address such as name@example.com"
    )
    """E-mail addresses that receive the alarms through the created topic. AWS sends each address
    a confirmation link, and nothing else before it is confirmed."""
    alarm_actions: Sequence[pulumi.Input[str]] = texts(
        (), MAX_FURTHER_ACTIONS, outputs=True, **ALARM_ACTION_ARN
    )
    """ARNs of what each alarm notifies in addition to its topic, at most 4, in the stack's region:
    SNS topics, Lambda functions, OpsItems such as
    `arn:aws:ssm:us-east-1:123456789012:opsitem:2#CATEGORY=Availability`, response plans of
    Incident Manager, investigation groups. The policy of a function must let
    lambda.alarms.cloudwatch.amazonaws.com invoke it."""
    ok_actions: Sequence[pulumi.Input[str]] = texts(
        (), MAX_FURTHER_ACTIONS, outputs=True, **OK_ACTION_ARN
    )
    """ARNs that each alarm with a message to the topic on its return to OK then notifies, too, at
    most 4; no investigation group. Alarms on dead-lettered changes have no such message, because
    these are still in the bucket."""
    dashboard: bool = True
    """Create a CloudWatch dashboard of the flow, named `<pipeline>-<stack>`. AWS bills each
    dashboard monthly, beyond the first three of an account."""
    max_iterator_age_seconds: Optional[int] = limited(None, 30, MAX_AGE_SECONDS, HALF_A_DAY)
    """Age of a change on the stream that raises an alarm, 30 to 43,200 s; by default 900, or half
    of the forwarder's `maximum_record_age_seconds` where that is less."""
    max_data_freshness_seconds: int = limited(
        DEFAULT_MAX_AGE_SECONDS, 60, MAX_AGE_SECONDS, HALF_A_DAY
    )
    """Age of a record in Firehose that raises an alarm, 60 to 43,200 s; the seconds of the
    transform's and the delivery's buffers are added, 1.5 times the delivery's with dynamic
    partitioning."""
    max_lag_seconds: Optional[int] = limited(None, 2, MAX_AGE_SECONDS, HALF_A_DAY)
    """Seconds from a change to its transform that raise an alarm when a tenth of the changes of
    five minutes needs more, 2 to 43,200; by default there is no such alarm. More than the
    forwarder's `batching_window_seconds` and the transform's `buffer_seconds` together. The
    delivery's buffer comes after the transform and is not included."""
    max_requeued_changes: int = limited(1000, 1, 1_000_000, "The value counts five minutes")
    """Changes that the transform may requeue in five minutes, 1 to 1,000,000. Firehose bills each
    of them again."""
    max_transform_duration_percent: int = limited(
        80, 10, 99, "At 100 percent Lambda has stopped the call"
    )
    """Share of the transform's `timeout_seconds` that raises an alarm with `alarms: all`, 10 to 99
    percent."""

    def further_problems(self) -> Iterator[Problem]:
        level = Related("alarms", self.alarms)
        if self.alarms == "none":
            receivers = {"alarm_topic_arn", "alarm_emails", "alarm_actions", "ok_actions"}
            yield from no_effect(self, receivers | ESSENTIAL_THRESHOLDS | OTHER_THRESHOLDS, level)
            return
        if self.alarms == "essential":
            yield from no_effect(self, OTHER_THRESHOLDS, level)
        if self.alarm_topic_arn is not None:
            topic = Related("alarm_topic_arn", self.alarm_topic_arn)
            yield from no_effect(self, {"alarm_emails"}, topic)
        for name in ("alarm_actions", "ok_actions"):
            if self.alarm_topic_arn in getattr(self, name):
                topic = Related("alarm_topic_arn", self.alarm_topic_arn)
                yield invalid(name, self.alarm_topic_arn, "no-effect", topic)


def iterator_age_threshold(args: MonitoringArgs, forwarder: ForwarderArgs) -> int:
    """Iterator age in seconds that raises an alarm."""
    if args.max_iterator_age_seconds is not None:
        return args.max_iterator_age_seconds
    return min(DEFAULT_MAX_AGE_SECONDS, forwarder.maximum_record_age_seconds // 2)


def data_freshness_threshold(args: MonitoringArgs, buffers: Buffers) -> int:
    """Age in seconds of Firehose's oldest record that raises an alarm."""
    return args.max_data_freshness_seconds + buffers.longest_wait


def iterator_age_problems(args: MonitoringArgs, forwarder: ForwarderArgs) -> Iterator[Problem]:
    """The problem of an alarm age at which changes are already dead-lettered."""
    seconds, record_age = args.max_iterator_age_seconds, forwarder.maximum_record_age_seconds
    if seconds is not None and seconds >= record_age:
        yield invalid(
            "max_iterator_age_seconds",
            seconds,
            "maximum",
            Related("forwarder.maximum_record_age_seconds", record_age),
            path="monitoring",
            high=record_age - 1,
        )
