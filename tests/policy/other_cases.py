"""Cases of the rules for logs and alarms."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made, urn

FUNCTION = "lambda/function:Function"
LOG_GROUP = "cloudwatch/logGroup:LogGroup"


def for_ever(told: str) -> str:
    return (
        f"retentionInDays{told}: CloudWatch then keeps the log for ever; set one of its fixed"
        " numbers of days, such as 30."
    )


def log_group(**props: Any) -> Resource:
    return made(LOG_GROUP, "logs", props)


OWN = made(FUNCTION, "call", {"name": "call", "loggingConfig": {"logGroup": "/aws/lambda/call"}})
NO_END = (
    "loggingConfig.logGroup is not set: Lambda then makes a log group that has no end; give the"
    " function a LogGroup with retentionInDays."
)
LOGS = [
    Case("a log that ends", "log-group-ends", [log_group(retentionInDays=30)]),
    Case("an end that is unknown as yet", "log-group-ends", [log_group(retentionInDays=UNKNOWN)]),
    Case(
        "a log of a class whose end CloudWatch fixes",
        "log-group-ends",
        [log_group(logGroupClass="DELIVERY"), log_group(logGroupClass=UNKNOWN)],
    ),
    Case(
        "a log of another class without end",
        "log-group-ends",
        [log_group(logGroupClass="INFREQUENT_ACCESS")],
        [("logs", for_ever(" is not set"))],
    ),
    Case("a log without end", "log-group-ends", [log_group()], [("logs", for_ever(" is not set"))]),
    Case(
        "a log without end by choice",
        "log-group-ends",
        [log_group(retentionInDays=0)],
        [("logs", for_ever("=0"))],
    ),
    Case(
        "a function with a group of its own",
        "function-logs-end",
        [made(FUNCTION, "call", {"name": "call", "loggingConfig": {"logGroup": "ours"}})],
    ),
    Case(
        "a function with a group that is not made as yet",
        "function-logs-end",
        [made(FUNCTION, "call", {"loggingConfig": UNKNOWN}, loggingConfig=urn(LOG_GROUP, "logs"))],
    ),
    Case(
        "a group of Lambda's name in the program",
        "function-logs-end",
        [OWN, log_group(name="/aws/lambda/call")],
    ),
    Case(
        "a group whose name is made from the function's, not made as yet",
        "function-logs-end",
        [
            made(FUNCTION, "call", {"name": UNKNOWN, "loggingConfig": UNKNOWN}),
            made(LOG_GROUP, "logs", {"name": UNKNOWN}, name=urn(FUNCTION, "call")),
        ],
    ),
    *(
        Case(
            f"a function with Lambda's own group {says}",
            "function-logs-end",
            [function, log_group(name="another"), log_group()],
            [("call", NO_END)],
        )
        for says, function in (
            ("after the update", OWN),
            ("in the preview", made(FUNCTION, "call", {"name": "call", "loggingConfig": UNKNOWN})),
            ("where nothing is told", made(FUNCTION, "call", {"name": "call"})),
            ("where not even a name is told", made(FUNCTION, "call", {})),
        )
    ),
]

TOPIC = "sns/topic:Topic"
TOPIC_ARN = "arn:aws:sns:ap-northeast-1:123456789012:alarms"


def topic(key: Any, arn: Any = TOPIC_ARN) -> Resource:
    return made(TOPIC, "alarms", {"kmsMasterKeyId": key, "arn": arn})


def alarm(**props: Any) -> Resource:
    return made("cloudwatch/metricAlarm:MetricAlarm", "late", props)


AWS_KEY = "arn:aws:kms:ap-northeast-1:123456789012:alias/aws/sns"
KEPT_OUT = (
    'kmsMasterKeyId="alias/aws/sns" keeps alarms and events out: its policy admits no other service'
    " and cannot be changed; use a key of yours that admits cloudwatch.amazonaws.com and"
    " events.amazonaws.com, or none."
)
ALARMS = [
    Case(
        "a topic without a key",
        "alarms-reach-topic",
        [topic(None), alarm(alarmActions=[TOPIC_ARN])],
    ),
    Case(
        "a topic with a key of its own",
        "alarms-reach-topic",
        [topic("alias/ours"), alarm(alarmActions=[TOPIC_ARN])],
    ),
    Case(
        "a key that is unknown as yet",
        "alarms-reach-topic",
        [topic(UNKNOWN), alarm(alarmActions=[TOPIC_ARN])],
    ),
    Case(
        "a topic whose key is told by its ARN",
        "alarms-reach-topic",
        [topic(AWS_KEY), alarm(alarmActions=[TOPIC_ARN])],
        [("alarms", KEPT_OUT.replace("alias/aws/sns", AWS_KEY))],
    ),
    Case(
        "a topic that no alarm is sent to",
        "alarms-reach-topic",
        [topic("alias/aws/sns"), alarm(alarmActions=[f"{TOPIC_ARN}-others"])],
    ),
    *(
        Case(
            f"{says} to a topic with AWS's own key",
            "alarms-reach-topic",
            [topic("alias/aws/sns", arn), sender],
            [("alarms", KEPT_OUT)],
        )
        for says, arn, sender in (
            ("an alarm", TOPIC_ARN, alarm(alarmActions=[TOPIC_ARN])),
            ("an all-clear", TOPIC_ARN, alarm(okActions=[TOPIC_ARN])),
            (
                "an alarm of alarms",
                TOPIC_ARN,
                made(
                    "cloudwatch/compositeAlarm:CompositeAlarm",
                    "both",
                    {"insufficientDataActions": [TOPIC_ARN]},
                ),
            ),
            (
                "an event",
                TOPIC_ARN,
                made("cloudwatch/eventTarget:EventTarget", "tell", {"arn": TOPIC_ARN}),
            ),
            (
                "an alarm, not made as yet,",
                UNKNOWN,
                made(
                    "cloudwatch/metricAlarm:MetricAlarm",
                    "late",
                    {"alarmActions": [UNKNOWN]},
                    alarmActions=urn(TOPIC, "alarms"),
                ),
            ),
        )
    ),
]

CASES = [*LOGS, *ALARMS]
