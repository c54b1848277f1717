"""Cases of the rules for who is allowed, and for managed policies."""

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


def attached(arn: Any) -> Resource:
    return made("iam/rolePolicyAttachment:RolePolicyAttachment", "attached", {"policyArn": arn})


def managed_too_wide(key: str, arn: str) -> str:
    return (
        f'{key}="{arn}" is too wide: it allows a whole service on everything; write a policy with'
        " the actions and ARNs that are needed."
    )


MANAGED = [
    Case(
        "a managed policy for one purpose",
        "managed-policy-narrow",
        [attached("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")],
    ),
    Case("a policy that is unknown as yet", "managed-policy-narrow", [attached(UNKNOWN)]),
    Case(
        "a policy of the account's own",
        "managed-policy-narrow",
        [attached("arn:aws:iam::123456789012:policy/OurFullAccess")],
    ),
    *(
        Case(
            f"a managed policy too wide: {arn}",
            "managed-policy-narrow",
            [attached(arn)],
            [("attached", managed_too_wide("policyArn", arn))],
        )
        for arn in (
            "arn:aws:iam::aws:policy/AmazonS3FullAccess",
            "arn:aws-cn:iam::aws:policy/AWSLambda_FullAccess",
            "arn:aws:iam::aws:policy/AdministratorAccess",
            "arn:aws:iam::aws:policy/PowerUserAccess",
        )
    ),
    Case(
        "a role's managed policies",
        "managed-policy-narrow",
        [
            made(
                "iam/role:Role",
                "role",
                {"managedPolicyArns": [UNKNOWN, "arn:aws:iam::aws:policy/AmazonS3FullAccess"]},
            )
        ],
        [
            (
                "role",
                managed_too_wide("managedPolicyArns", "arn:aws:iam::aws:policy/AmazonS3FullAccess"),
            )
        ],
    ),
]

CASES = [*TOLD, *MANAGED]
