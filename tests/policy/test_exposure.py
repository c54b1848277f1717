"""Rules against public buckets and public principals."""

from typing import Any

import pytest

from policy.rules.resources import UNKNOWN, Resource
from tests.policy.resources import document, resource, urn, violations

BUCKET = "s3/bucket:Bucket"
BLOCK = "s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ALL = {
    "blockPublicAcls": True,
    "blockPublicPolicy": True,
    "ignorePublicAcls": True,
    "restrictPublicBuckets": True,
}
RAW = resource(BUCKET, "raw", {"bucket": "raw-1234567"})
# In a preview even the bucket's name is unknown.
NEW = resource(BUCKET, "new", {"bucket": UNKNOWN})


def block(bucket: Any = "raw-1234567", **switches: Any) -> Resource:
    return resource(BLOCK, "block", {"bucket": bucket, **ALL, **switches})


NEW_BLOCK = resource(BLOCK, "block", {"bucket": UNKNOWN, **ALL}, bucket=urn(BUCKET, "new"))


@pytest.mark.parametrize(
    "resources", [[RAW, block()], [NEW, NEW_BLOCK], [RAW, block(**dict.fromkeys(ALL, UNKNOWN))]]
)
def test_accepts_a_bucket_that_blocks_public_access(resources: list[Resource]) -> None:
    assert violations("bucket-not-public", *resources) == []


@pytest.mark.parametrize(
    "resources",
    [[RAW], [RAW, block("other")], [RAW, NEW, NEW_BLOCK]],
)
def test_rejects_a_bucket_without_a_public_access_block(resources: list[Resource]) -> None:
    bad = violations("bucket-not-public", *resources)
    assert bad == [("raw", "publicAccessBlock", None)]


@pytest.mark.parametrize("switch", ALL)
@pytest.mark.parametrize("value", [False, None])
def test_rejects_a_block_with_a_switch_off(switch: str, value: Any) -> None:
    bad = violations("bucket-not-public", RAW, block(**{switch: value}))
    assert bad == [("block", switch, value)]


ACCOUNT = "123456789012"


def topic_policy(**changes: Any) -> Resource:
    text = document(Action="sns:Publish", Resource="arn:aws:sns:::t", **changes)
    return resource("sns/topicPolicy:TopicPolicy", "topic", {"policy": text})


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3"}},
        {"stringequals": {"AWS:SourceAccount": [ACCOUNT, "210987654321"]}},
        {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3/r-ab12/ou-*"}},
        {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudwatch:*:{ACCOUNT}:alarm:*"}},
        {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::raw"}},
        {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32", "203.0.113.7"]}},
        {"StringEquals": {"aws:SourceVpce": "vpce-1"}, "Bool": {"aws:SecureTransport": "true"}},
    ],
)
def test_accepts_everybody_under_a_condition_on_an_owner(condition: dict[str, Any]) -> None:
    for principal in ("*", {"AWS": "*"}, {"AWS": ["*", ACCOUNT]}):
        restricted = topic_policy(Principal=principal, Condition=condition)
        assert violations("no-public-principal", restricted) == []


@pytest.mark.parametrize(
    "condition",
    [
        None,
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
    ],
)
def test_rejects_everybody_without_a_condition_on_an_owner(condition: Any) -> None:
    for principal in ("*", {"AWS": "*"}, {"AWS": ["*", ACCOUNT]}):
        public = topic_policy(Principal=principal, Condition=condition)
        bad = violations("no-public-principal", public)
        assert bad == [("topic", "policy: Principal", principal)]


def test_accepts_services_denials_and_role_policies() -> None:
    service = topic_policy(Principal={"Service": "cloudwatch.amazonaws.com"})
    denial = topic_policy(Effect="Deny", Principal="*")
    role = resource("iam/rolePolicy:RolePolicy", "read", {"policy": document()})
    unknown = resource("iam/rolePolicy:RolePolicy", "new", {"policy": UNKNOWN})
    assert violations("no-public-principal", service, denial, role, unknown) == []


def test_rejects_not_principal_and_inline_policies_for_everybody() -> None:
    account = {"AWS": ACCOUNT}
    excluded = topic_policy(Principal=None, NotPrincipal=account)
    inline = [{"policy": document(Principal="*")}]
    role = resource("iam/role:Role", "role", {"inlinePolicies": inline})
    assert violations("no-public-principal", excluded, role) == [
        ("topic", "policy: NotPrincipal", account),
        ("role", "inlinePolicies[0].policy: Principal", "*"),
    ]


PROVIDER = {
    "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
}
SUB = "token.actions.githubusercontent.com:sub"
AUDIENCE = {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}


def deploy_role(condition: dict[str, Any], principal: Any = PROVIDER) -> Resource:
    action = "sts:AssumeRoleWithWebIdentity"
    trust = document(Action=action, Resource=None, Principal=principal, Condition=condition)
    return resource("iam/role:Role", "deploy", {"assumeRolePolicy": trust})


@pytest.mark.parametrize(
    "subject", ["repo:ours/etl:environment:dev", "repo:ours/*", ["repo:ours/etl:*"]]
)
def test_accepts_a_trust_in_one_repository(subject: Any) -> None:
    role = deploy_role({"StringEquals": AUDIENCE, "StringLike": {SUB: subject}})
    cluster = deploy_role({}, {"Federated": "arn:aws:iam::1:oidc-provider/oidc.eks/id/A1"})
    assert violations("no-public-principal", role, cluster) == []


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"StringEquals": AUDIENCE},
        {"StringLike": {"token.actions.githubusercontent.com:aud": "urn:ours:*"}},
        {"StringLike": {SUB: "*"}},
        {"StringLike": {SUB: "repo:*"}},
        {"StringLike": {SUB: ["repo:ours/etl:*", "repo:ours*"]}},
        {"StringLikeIfExists": {SUB: "repo:ours/etl:*"}},
        {"StringNotLike": {SUB: "repo:ours/etl:*"}},
        {"StringEquals": {"accounts.example.com:sub": "repo:ours/etl:*"}},
    ],
)
def test_rejects_a_trust_in_every_workflow(condition: dict[str, Any]) -> None:
    bad = violations("no-public-principal", deploy_role(condition))
    assert bad == [("deploy", "assumeRolePolicy: Principal", PROVIDER)]


def permission(**props: Any) -> Resource:
    return resource("lambda/permission:Permission", "call", {"principal": "*", **props})


def test_functions_name_their_callers() -> None:
    url = "lambda/functionUrl:FunctionUrl"
    good = [
        permission(principal="events.amazonaws.com"),
        permission(sourceAccount=ACCOUNT),
        permission(sourceArn=UNKNOWN),
        permission(principalOrgId="o-a1b2c3"),
        resource(url, "url", {"authorizationType": "AWS_IAM"}),
    ]
    bad = [
        permission(),
        permission(sourceArn="arn:aws:s3:::*"),
        resource(url, "url", {"authorizationType": "NONE"}),
    ]
    assert violations("no-public-principal", *good, *bad) == [
        ("call", "principal", "*"),
        ("call", "principal", "*"),
        ("url", "authorizationType", "NONE"),
    ]
