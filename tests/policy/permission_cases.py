"""Cases of the rules for what policy documents allow."""

import json
from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made

TABLE = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"


def document(**changed: Any) -> str:
    """A document that allows what a role may do, with keys changed or, by None, taken out."""
    statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, **changed}
    kept = {key: value for key, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def role_policy(**changed: Any) -> Resource:
    return made("iam/rolePolicy:RolePolicy", "read", {"policy": document(**changed)})


def too_wide(resource: str, actions: str, path: str = "policy") -> str:
    return (
        f'{path}: Resource="{resource}" is too wide for {actions}: only the actions listed in'
        " docs/policies.md may have it; name the ARNs."
    )


def every_action(action: str, path: str = "policy") -> str:
    return (
        f'{path}: Action="{action}" is too wide: such a wildcard takes in what deletes and what'
        " gives rights away; list the actions."
    )


NAMED = "policy-resources-named"
RESOURCES = [
    Case("a named resource", NAMED, [role_policy()]),
    *(
        Case(f"a name before a wildcard: {arn}", NAMED, [role_policy(Resource=arn)])
        for arn in (
            f"{TABLE}/export/*",
            "arn:aws:dynamodb:*:*:table/orders*",
            "arn:aws:execute-api:*:*:a1b2c3/*",
            "arn:aws:glue:*:123456789012:catalog",
            "arn:aws:iam::123456789012:role/orders-*",
            "arn:aws:logs:*:*:log-group:/aws/lambda/*",
            "arn:aws:logs:*:*:log-group:orders:*",
            "arn:aws:s3:::raw-*",
            "arn:aws:s3:::raw/*",
            "arn:aws:s3:::table/*",
            "arn:aws:sqs:*:*:orders-*",
            "execute-api:/*",
        )
    ),
    Case(
        "actions that AWS cannot scope",
        NAMED,
        [
            role_policy(Action=["dynamodb:ListStreams", "cloudwatch:PutMetricData"], Resource="*"),
            role_policy(Action="XRay:PutTraceSegments", Resource=["*"]),
            role_policy(Action="xray:GetSamplingRules", Resource="*"),
            role_policy(Action="sts:GetCallerIdentity", Resource="*"),
            role_policy(
                Action=["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"],
                Resource="arn:aws:ec2:*:*:network-interface/*",
            ),
        ],
    ),
    Case("a denial of everything", NAMED, [role_policy(Effect="Deny", Resource="*")]),
    Case(
        "a policy that is unknown as yet",
        NAMED,
        [made("iam/rolePolicy:RolePolicy", "read", {"policy": UNKNOWN})],
    ),
    Case(
        "a policy that is no policy document",
        NAMED,
        [
            made("ecr/lifecyclePolicy:LifecyclePolicy", "images", {"policy": '{"rules": []}'}),
            made("xray/group:Group", "text", {"policy": "no JSON"}),
        ],
    ),
    Case(
        "a topic's and a queue's policy, where everything is itself",
        NAMED,
        [
            made(
                "sns/topicPolicy:TopicPolicy",
                "topic",
                {"policy": document(Action="sns:Publish", Resource="*")},
            ),
            made(
                "sqs/queuePolicy:QueuePolicy",
                "queue",
                {"policy": document(Action="sqs:SendMessage", Resource="*")},
            ),
        ],
    ),
    Case(
        "a key's and a secret's policy, where everything is itself",
        NAMED,
        [
            made("kms/key:Key", "key", {"policy": document(Action="kms:Decrypt", Resource="*")}),
            made(
                "secretsmanager/secretPolicy:SecretPolicy",
                "secret",
                {"policy": document(Action="secretsmanager:GetSecretValue", Resource="*")},
            ),
        ],
    ),
    Case(
        "everything",
        NAMED,
        [role_policy(Resource="*")],
        [("read", too_wide("*", "dynamodb:GetItem"))],
    ),
    Case(
        "everything, beside an action that cannot be scoped",
        NAMED,
        [
            role_policy(
                Action=["dynamodb:ListStreams", "dynamodb:GetRecords"], Resource=[TABLE, "*"]
            )
        ],
        [("read", too_wide("*", "dynamodb:GetRecords"))],
    ),
    *(
        Case(
            f"everything of a kind: {arn}",
            NAMED,
            [role_policy(Resource=arn)],
            [("read", too_wide(arn, "dynamodb:GetItem"))],
        )
        for arn in (
            "**",
            "arn:*",
            "arn:aws:dynamodb:*:*:table*",
            "arn:aws:dynamodb:*:*:table/*",
            "arn:aws:dynamodb:*:*:table/*-*",
            "arn:aws:dynamodb:*:*:table/*/stream/*",
            "arn:aws:dynamodb:*:*:table/?*",
            "arn:aws:iam::123456789012:user/*",
            "arn:aws:lambda:ap-northeast-1:123456789012:function:*",
            "arn:aws:lambda:ap-northeast-1:123456789012:function:*:*",
            "arn:aws:logs:ap-northeast-1:123456789012:*",
            "arn:aws:logs:ap-northeast-1:123456789012:log-group:*",
            "arn:aws:logs:ap-northeast-1:123456789012:log-group:*:*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::**",
            "arn:aws:s3:::*/*",
            "arn:aws:s3:::*/data/*",
            "arn:aws:s3:*:*:accesspoint/*",
            "arn:aws:sqs:*:*:*",
            "arn:aws:ssm:*:*:parameter/*",
        )
    ),
    Case(
        "everything but",
        NAMED,
        [role_policy(Resource=None, NotResource=TABLE)],
        [
            (
                "read",
                f'policy: NotResource="{TABLE}" allows all the rest; name what is allowed in'
                " Resource.",
            )
        ],
    ),
    Case(
        "everything in a document that was given as a map",
        NAMED,
        [
            made(
                "iam/policy:Policy",
                "map",
                {"policy": json.loads(document(Resource=["*"]))},
            )
        ],
        [("map", too_wide("*", "dynamodb:GetItem"))],
    ),
    Case(
        "everything in a role's own policies",
        NAMED,
        [
            made(
                "iam/role:Role",
                "role",
                {"inlinePolicies": [{"policy": document()}, {"policy": document(Resource="*")}]},
            )
        ],
        [("role", too_wide("*", "dynamodb:GetItem", "inlinePolicies[1].policy"))],
    ),
]

ACTIONS = "policy-actions-named"
LISTED = [
    Case("listed actions", ACTIONS, [role_policy(Action=["s3:GetObject", "s3:Get*"])]),
    Case("a denial of all actions", ACTIONS, [role_policy(Effect="Deny", Action="*")]),
    Case(
        "a key's policy, which must give the account all actions",
        ACTIONS,
        [made("kms/keyPolicy:KeyPolicy", "key", {"policy": document(Action="kms:*")})],
    ),
    *(
        Case(
            f"a wildcard for all that an action does: {action}",
            ACTIONS,
            [role_policy(Action=action)],
            [("read", every_action(action))],
        )
        for action in (
            "*",
            "*:*",
            "*:GetObject",
            "s*:GetObject",
            "s3:**",
            "s3:?*",
            "s3:*Object",
            "iam:*Role*",
        )
    ),
    Case(
        "all actions of a service",
        ACTIONS,
        [role_policy(Action=["s3:GetObject", "dynamodb:*"])],
        [("read", every_action("dynamodb:*"))],
    ),
    Case(
        "all actions but",
        ACTIONS,
        [role_policy(Action=None, NotAction=["iam:*"])],
        [
            (
                "read",
                'policy: NotAction=["iam:*"] allows all the rest; list what is allowed in Action.',
            )
        ],
    ),
]

CASES = [*RESOURCES, *LISTED]
