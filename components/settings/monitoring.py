"""What may be asked of the alarms and the dashboard: who is told, and from when on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

import pulumi

from streaming_etl.components.settings.schema_annotations import published
from streaming_etl.components.settings.stages import ForwarderArgs
from streaming_etl.components.settings.validation import (
    refuse,
    refuse_ignored,
    require_bool,
    require_input_text,
    require_list,
    require_range,
)

EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")

LATE_SECONDS = 900
# The stream and Firehose keep a change for 24 h: the other half is there to act in.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
# https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html
MAX_LATE_SECONDS = 43_200


@published
@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Who is told when the pipeline hurts, from when on, and the dashboard."""

    alarm_topic_arn: Optional[pulumi.Input[str]] = None
    """An SNS topic from outside for the alarms; by default one is made. Its policy must let
    cloudwatch.amazonaws.com publish."""
    alarm_emails: Sequence[str] = ()
    """Addresses that the alarms are mailed to, through the topic made here. AWS mails each a link
    by which its owner must confirm; until then it gets nothing else."""
    dashboard: bool = True
    """A CloudWatch dashboard of the flow, called `<pipeline>-<stack>`. AWS bills each dashboard
    monthly, beyond the first three of an account."""
    max_iterator_age_seconds: Optional[int] = None
    """Age of a change on the stream from which on the forwarder is late, 30 to 43,200 s; by default
    900, or half of the forwarder's `maximum_record_age_seconds` where that is less."""
    max_data_freshness_seconds: int = LATE_SECONDS
    """Age of a record in Firehose from which on delivery is late, 60 to 43,200 s; the seconds of
    the transform's and the delivery's buffers are added."""
    max_requeued_changes: int = 1000
    """Changes that the transform may put back on the delivery stream in five minutes, 1 to
    1,000,000: each is paid for once more."""
    max_transform_duration_percent: int = 80
    """Share of the transform's `timeout_seconds` from which on a call is slow, 10 to 99 percent."""

    def __post_init__(self) -> None:
        if self.alarm_topic_arn is not None:
            require_input_text(
                "alarm_topic_arn", self.alarm_topic_arn, "arn:", "it names an SNS topic"
            )
        self.check_emails()
        require_bool("dashboard", self.dashboard)
        late = "a change is kept for 24 h, and half of that is left to act in"
        limits = {
            "max_iterator_age_seconds": (30, MAX_LATE_SECONDS, late),
            "max_data_freshness_seconds": (60, MAX_LATE_SECONDS, late),
            "max_requeued_changes": (1, 1_000_000, "it is a count in five minutes"),
            "max_transform_duration_percent": (10, 99, "at 100 percent Lambda has ended the call"),
        }
        for name, (low, high, meaning) in limits.items():
            if getattr(self, name) is not None or name != "max_iterator_age_seconds":
                require_range(name, getattr(self, name), low, high, meaning)

    def check_emails(self) -> None:
        """Refuse what is no address, stands twice, or cannot be subscribed here."""
        require_list("alarm_emails", self.alarm_emails, "each is an address")
        for email in self.alarm_emails:
            if not isinstance(email, str) or not EMAIL.fullmatch(email):
                raise refuse(
                    "alarm_emails",
                    email,
                    "is no e-mail address: AWS mails the alarms to it; use name@example.com.",
                )
            if list(self.alarm_emails).count(email) > 1:
                raise refuse(
                    "alarm_emails", email, "stands twice: AWS mails to each once; drop one."
                )
        if self.alarm_emails and self.alarm_topic_arn is not None:
            reason = "who subscribes to a given topic is its owner's matter"
            refuse_ignored(self, {"alarm_emails"}, reason)


def late_forwarding(args: MonitoringArgs, forwarder: ForwarderArgs) -> int:
    """Seconds from which on the forwarder is late: the given ones, or those by default."""
    if args.max_iterator_age_seconds is not None:
        return args.max_iterator_age_seconds
    return min(LATE_SECONDS, forwarder.maximum_record_age_seconds // 2)


def check_late_forwarding(args: MonitoringArgs, forwarder: ForwarderArgs) -> None:
    """Refuse an alarm that could never ring, because a change is set aside before it is so late."""
    seconds, most = args.max_iterator_age_seconds, forwarder.maximum_record_age_seconds
    if seconds is not None and seconds >= most:
        raise refuse(
            "max_iterator_age_seconds",
            seconds,
            f"is too late: with maximum_record_age_seconds={most} a change is set aside before;"
            f" use {most // 2} or fewer.",
        )
