"""Cases of the rule for who is allowed: trust in GitHub's workflows, functions that are called."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made
from tests.policy.permission_cases import document
from tests.policy.principal_cases import ACCOUNT, PRINCIPALS

PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
SUB = "token.actions.githubusercontent.com:sub"
AUDIENCE = {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}
WORKFLOW = (
    f'assumeRolePolicy: Principal={{"Federated": "{PROVIDER}"}} is any workflow of GitHub; add a'
    f" condition StringEquals or StringLike on {SUB} with the repository, such as"
    ' "repo:OWNER/NAME:ref:refs/heads/main".'
)


def trusting_github(**condition: Any) -> Resource:
    trust = document(
        Action="sts:AssumeRoleWithWebIdentity",
        Resource=None,
        Principal={"Federated": PROVIDER},
        Condition=condition,
    )
    return made("iam/role:Role", "deploy", {"assumeRolePolicy": trust})


GITHUB = [
    *(
        Case(
            f"GitHub with the subject {subject}",
            PRINCIPALS,
            [trusting_github(StringEquals=AUDIENCE, StringLike={SUB: subject})],
        )
        for subject in ("repo:ours/etl:environment:dev", "repo:ours/*", ["repo:ours/etl:*"])
    ),
    Case(
        "another provider, whose tokens are one customer's",
        PRINCIPALS,
        [
            made(
                "iam/role:Role",
                "pod",
                {
                    "assumeRolePolicy": document(
                        Resource=None,
                        Principal={"Federated": "arn:aws:iam::1:oidc-provider/oidc.eks/id/A1"},
                    )
                },
            )
        ],
    ),
    *(
        Case(
            f"GitHub with {condition}",
            PRINCIPALS,
            [trusting_github(**condition)],
            [("deploy", WORKFLOW)],
        )
        for condition in (
            {},
            {"StringEquals": AUDIENCE},
            {"StringLike": {"token.actions.githubusercontent.com:aud": "urn:ours:*"}},
            {"StringLike": {SUB: "*"}},
            {"StringLike": {SUB: "repo:*"}},
            {"StringLike": {SUB: ["repo:ours/etl:*", "repo:ours*"]}},
            {"StringLikeIfExists": {SUB: "repo:ours/etl:*"}},
            {"StringNotLike": {SUB: "repo:ours/etl:*"}},
            {"StringEquals": {"accounts.example.com:sub": "repo:ours/etl:*"}},
        )
    ),
]


def permission(**props: Any) -> Resource:
    return made("lambda/permission:Permission", "call", {"principal": "*", **props})


CALLABLE = (
    'principal="*" is anybody in any account; name the account or service, or set sourceAccount,'
    " sourceArn or principalOrgId."
)
FUNCTION_URL = "lambda/functionUrl:FunctionUrl"
FUNCTIONS = [
    Case(
        "a function that somebody may call",
        PRINCIPALS,
        [
            permission(principal="events.amazonaws.com"),
            permission(sourceAccount=ACCOUNT),
            permission(sourceArn=UNKNOWN),
            permission(principalOrgId="o-a1b2c3"),
            made(FUNCTION_URL, "url", {"authorizationType": "AWS_IAM"}),
        ],
    ),
    Case(
        "a function that anybody may call",
        PRINCIPALS,
        [permission(), permission(sourceArn="arn:aws:s3:::*")],
        [("call", CALLABLE), ("call", CALLABLE)],
    ),
    Case(
        "a function's URL that anybody may call",
        PRINCIPALS,
        [made(FUNCTION_URL, "url", {"authorizationType": "NONE"})],
        [
            (
                "url",
                'authorizationType="NONE" lets anybody call the function; set it to "AWS_IAM".',
            )
        ],
    ),
]

CASES = [*GITHUB, *FUNCTIONS]
