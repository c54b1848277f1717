"""IAM as data: a role that one service may assume, and what it may do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages.document import concat, document

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Account:
    """Where the pipeline lives: the parts of an ARN."""

    account_id: pulumi.Input[str]
    region: pulumi.Input[str]
    partition: pulumi.Input[str]

    def arn(self, service: str, resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """`arn:<partition>:<service>:<region>:<account>:<resource>`."""
        return concat(
            "arn:", self.partition, f":{service}:", self.region, ":", self.account_id, ":", resource
        )


def look_up_account(parent: pulumi.Resource) -> Account:
    """The account and region of the parent's provider."""
    opts = pulumi.InvokeOutputOptions(parent=parent)
    return Account(
        account_id=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
        partition=aws.get_partition_output(opts=opts).partition,
    )


def allow(
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    condition: Optional[Mapping[str, Any]] = None,
) -> Statement:
    """One Allow statement."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    if condition is not None:
        statement["Condition"] = condition
    return statement


def policy(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """A policy document as JSON text."""
    return document({"Version": "2012-10-17", "Statement": list(statements)})


def service_role(
    name: str,
    service: str,
    account: Account,
    tags: Mapping[str, str],
    parent: pulumi.Resource,
) -> aws.iam.Role:
    """A role named `name` that only `service` may assume, and only for this account.

    The account condition keeps the service from being talked into it by another account.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
    }
    return aws.iam.Role(
        name,
        assume_role_policy=policy([trust]),
        tags=dict(tags),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def role_policy(
    name: str, role: aws.iam.Role, statements: Sequence[Statement], parent: pulumi.Resource
) -> aws.iam.RolePolicy:
    """What `role` may do. Who assumes the role depends on this: IAM is eventually consistent."""
    return aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=policy(statements),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def allow_logs(log_group: aws.cloudwatch.LogGroup) -> Statement:
    """Write to the streams of one log group."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], [concat(log_group.arn, ":*")])


def allow_key(
    kms_key_arn: Optional[pulumi.Input[str]], account: Account, actions: Sequence[str]
) -> list[Statement]:
    """Use the customer key through S3 only; nothing without a customer key."""
    if kms_key_arn is None:
        return []
    via_s3 = concat("s3.", account.region, ".amazonaws.com")
    return [allow(actions, [kms_key_arn], {"StringEquals": {"kms:ViaService": via_s3}})]
