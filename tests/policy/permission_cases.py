"""Cases of the rules for what policy documents allow."""

import json
from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made

TABLE = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
UNSCOPED = (
    "cloudwatch:PutMetricData, dynamodb:ListStreams, xray:PutTelemetryRecords,"
    " xray:PutTraceSegments"
)


def document(**changed: Any) -> str:
    """A document that allows what a role may do, with keys changed or, by None, taken out."""
    statement = {"Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": TABLE, **changed}
    kept = {key: value for key, value in statement.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [kept]})


def role_policy(**changed: Any) -> Resource:
    return made("iam/rolePolicy:RolePolicy", "read", {"policy": document(**changed)})


def too_wide(resource: str, actions: str, path: str = "policy") -> str:
    return (
        f'{path}: Resource="{resource}" is too wide for {actions}: only {UNSCOPED} may have it;'
        " name the ARNs."
    )


def every_action(action: str, path: str = "policy") -> str:
    return (
        f'{path}: Action="{action}" is too wide: a service\'s actions include those that delete and'
        " that give rights away; list the actions."
    )


NAMED = "policy-resources-named"
RESOURCES = [
    Case("a named resource", NAMED, [role_policy()]),
    Case("what a name begins with", NAMED, [role_policy(Resource=f"{TABLE}/export/*")]),
    Case("a bucket's objects", NAMED, [role_policy(Resource="arn:aws:s3:::raw/*")]),
    Case(
        "actions that AWS cannot scope",
        NAMED,
        [
            role_policy(Action=["dynamodb:ListStreams", "cloudwatch:PutMetricData"], Resource="*"),
            role_policy(Action="XRay:PutTraceSegments", Resource=["*"]),
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
            "arn:aws:dynamodb:*:*:table/*",
            "arn:aws:lambda:ap-northeast-1:123456789012:function:*",
            "arn:aws:logs:ap-northeast-1:123456789012:log-group:*",
            "arn:aws:logs:ap-northeast-1:123456789012:*",
            "arn:aws:s3:::*",
            "arn:aws:s3:::*/*",
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
    Case("all actions", ACTIONS, [role_policy(Action="*")], [("read", every_action("*"))]),
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
