"""Cases of the rule for who is allowed."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made
from tests.policy.permission_cases import document, role_policy


def topic_policy(**changed: Any) -> Resource:
    allowed = {"Action": "sns:Publish", "Resource": "arn:aws:sns:::t", **changed}
    return made("sns/topicPolicy:TopicPolicy", "topic", {"policy": document(**allowed)})


def anybody(principal: str, path: str = "policy") -> str:
    return (
        f"{path}: Principal={principal} is anybody in any account; name the account, role or"
        " service, or add a condition such as aws:SourceAccount."
    )


PRINCIPALS = "policy-principals-named"
ACCOUNT = "123456789012"
BINDING: list[dict[str, Any]] = [
    {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3"}},
    {"stringequals": {"AWS:SourceAccount": [ACCOUNT, "210987654321"]}},
    {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3/r-ab12/ou-*"}},
    {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:*:{ACCOUNT}:alarm:*"}},
    {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::raw"}},
    {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32", "203.0.113.7"]}},
    {"StringEquals": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:SecureTransport": "true"}},
]
OPEN: list[dict[str, Any]] = [
    {"StringNotEquals": {"aws:SourceAccount": ACCOUNT}},
    {"StringEqualsIfExists": {"aws:SourceAccount": ACCOUNT}},
    {"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-a1b2c3/"}},
    {"Null": {"aws:SourceArn": "false"}},
    {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
    {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "::/0"]}},
    {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}},
    {"StringLike": {"aws:SourceIp": "*"}},
    {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
    {"StringLike": {"aws:SourceAccount": ["*", ACCOUNT]}},
    {"StringEquals": {"aws:SourceAccount": ""}},
    {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}},
    {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
    {"StringLike": {"aws:SourceArn": "*"}},
]
TOLD = [
    Case(
        "a service", PRINCIPALS, [topic_policy(Principal={"Service": "cloudwatch.amazonaws.com"})]
    ),
    Case("a role's policy, which has none", PRINCIPALS, [role_policy()]),
    Case("a denial to anybody", PRINCIPALS, [topic_policy(Effect="Deny", Principal="*")]),
    Case(
        "anybody of an account",
        PRINCIPALS,
        [
            topic_policy(
                Principal={"AWS": "*"},
                Condition={"StringEquals": {"AWS:SourceOwner": "123456789012"}},
            )
        ],
    ),
    *(
        Case(
            f"anybody within {condition}",
            PRINCIPALS,
            [topic_policy(Principal="*", Condition=condition)],
        )
        for condition in BINDING
    ),
    *(
        Case(
            f"anybody in spite of {condition}",
            PRINCIPALS,
            [topic_policy(Principal="*", Condition=condition)],
            [("topic", anybody('"*"'))],
        )
        for condition in OPEN
    ),
    Case(
        "a condition that is unknown as yet",
        PRINCIPALS,
        [
            made(
                "sns/topicPolicy:TopicPolicy",
                "topic",
                {
                    "policy": {
                        "Statement": {
                            "Effect": "Allow",
                            "Principal": "*",
                            "Condition": {"ArnEquals": {"aws:SourceArn": UNKNOWN}},
                        }
                    }
                },
            )
        ],
    ),
    Case("anybody", PRINCIPALS, [topic_policy(Principal="*")], [("topic", anybody('"*"'))]),
    Case(
        "anybody among others",
        PRINCIPALS,
        [topic_policy(Principal={"AWS": ["arn:aws:iam::123456789012:root", "*"]})],
        [("topic", anybody('{"AWS": ["arn:aws:iam::123456789012:root", "*"]}'))],
    ),
    Case(
        "anybody among others that are unknown as yet",
        PRINCIPALS,
        [
            made(
                "sns/topicPolicy:TopicPolicy",
                "topic",
                {
                    "policy": {
                        "Statement": {"Effect": "Allow", "Principal": {"AWS": ["*", UNKNOWN]}}
                    }
                },
            )
        ],
        [("topic", anybody('{"AWS": ["*", "unknown"]}'))],
    ),
    Case(
        "anybody who comes by TLS",
        PRINCIPALS,
        [topic_policy(Principal="*", Condition={"Bool": {"aws:SecureTransport": "true"}})],
        [("topic", anybody('"*"'))],
    ),
    Case(
        "a role that anybody may assume",
        PRINCIPALS,
        [
            made(
                "iam/role:Role",
                "role",
                {
                    "assumeRolePolicy": document(
                        Action="sts:AssumeRole", Resource=None, Principal={"AWS": "*"}
                    )
                },
            )
        ],
        [("role", anybody('{"AWS": "*"}', "assumeRolePolicy"))],
    ),
    Case(
        "anybody but",
        PRINCIPALS,
        [topic_policy(NotPrincipal={"AWS": "123456789012"})],
        [
            (
                "topic",
                'policy: NotPrincipal={"AWS": "123456789012"} allows all the rest; name who is'
                " allowed in Principal.",
            )
        ],
    ),
]


CASES = TOLD
