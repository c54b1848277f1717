"""What each setting of the alarms and the dashboard changes."""

from typing import Any

from streaming_etl import MonitoringArgs
from tests.components.alarm_cases import MINIMAL, NO_END, rings, slow
from tests.components.setting_cases import Case

THEIRS = "arn:aws:sns:ap-northeast-1:123456789012:theirs"
OWN_TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:shop-monitoring-topic-0000000"


def of(changes: dict[str, Any], **given: Any) -> Case:
    """A case of the one setting in `given`."""
    [setting] = given
    return Case(
        setting=f"monitoring.{setting}",
        given={"monitoring": MonitoringArgs(**given)},
        changes=changes,
    )


CASES = [
    of(
        {
            "-shop-monitoring-topic": None,
            "-shop-monitoring-topic-policy": None,
            **{f"shop-monitoring-{kind}.alarmActions.0": THEIRS for kind in MINIMAL},
            **{
                f"shop-monitoring-{kind}.okActions.0": THEIRS
                for kind in MINIMAL
                if kind not in NO_END
            },
        },
        alarm_topic_arn=THEIRS,
    ),
    of(
        {
            f"+shop-monitoring-email-{digest}": {
                "topic": OWN_TOPIC,
                "protocol": "email",
                "endpoint": address,
            }
            for address, digest in (
                ("ops@example.com", "af3c8254"),
                ("data+night@shop.example.com", "6763dd81"),
            )
        },
        alarm_emails=["ops@example.com", "data+night@shop.example.com"],
    ),
    of({"-shop-monitoring-dashboard": None}, dashboard=False),
    of(rings("late-forwarding", 6, 7_200_000), max_iterator_age_seconds=7200),
    of(rings("late-delivery", 9, 3780), max_data_freshness_seconds=3600),
    of({"shop-monitoring-put-back.threshold": 50_000}, max_requeued_changes=50_000),
    of(
        {
            **rings("transform-slow", 8, 60_000),
            "shop-monitoring-transform-slow.alarmDescription": slow(50, 120),
        },
        max_transform_duration_percent=50,
    ),
]
