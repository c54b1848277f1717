"""Cases of the rule for managed policies."""

from typing import Any

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.cases import Case, made


def attached(arn: Any) -> Resource:
    return made("iam/rolePolicyAttachment:RolePolicyAttachment", "attached", {"policyArn": arn})


def managed_too_wide(key: str, arn: str) -> str:
    return (
        f'{key}="{arn}" is too wide: it allows a whole service on everything; write a policy with'
        " the actions and ARNs that are needed."
    )


CASES = [
    Case(
        "a managed policy for one purpose",
        "managed-policy-narrow",
        [attached("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")],
    ),
    Case(
        "a job function that reads only",
        "managed-policy-narrow",
        [attached("arn:aws:iam::aws:policy/job-function/ViewOnlyAccess")],
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
            "arn:aws:iam::aws:policy/AdministratorAccess-Amplify",
            "arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess_v2",
            "arn:aws:iam::aws:policy/CloudWatchFullAccessV2",
            "arn:aws:iam::aws:policy/PowerUserAccess",
            "arn:aws:iam::aws:policy/SecretsManagerReadWrite",
            "arn:aws:iam::aws:policy/job-function/DataScientist",
            "arn:aws:iam::aws:policy/job-function/DatabaseAdministrator",
            "arn:aws:iam::aws:policy/job-function/NetworkAdministrator",
            "arn:aws:iam::aws:policy/job-function/SystemAdministrator",
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
