"""IAM roles for one service each, and policies from plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

Statement = Mapping[str, Any]
"""A statement of a policy as plain data, with Outputs inside."""


@dataclass(frozen=True)
class Account:
    """Account, region and partition: the parts of an ARN."""

    account_id: pulumi.Input[str]
    region: pulumi.Input[str]
    partition: pulumi.Input[str]

    def arn(self, service: str, *resource: pulumi.Input[str]) -> pulumi.Output[str]:
        """Return `arn:<partition>:<service>:<region>:<account>:<resource>`."""
        prefix = ("arn:", self.partition, f":{service}:", self.region, ":", self.account_id, ":")
        return pulumi.Output.concat(*prefix, *resource)


def look_up_account(parent: pulumi.Resource) -> Account:
    """Return the account and region of the parent's provider."""
    opts = pulumi.InvokeOutputOptions(parent=parent)
    return Account(
        account_id=aws.get_caller_identity_output(opts=opts).account_id,
        region=aws.get_region_output(opts=opts).region,
        partition=aws.get_partition_output(opts=opts).partition,
    )


def configured_region(parent: pulumi.Resource) -> Optional[str]:
    """Return the region in the stack's config.

    None without one, and for a parent with an explicit provider, whose region may be another.
    """
    if parent.get_provider("aws:index/getRegion:getRegion") is not None:
        return None
    return pulumi.Config("aws").get("region")


def allow(
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    condition: Optional[Mapping[str, Any]] = None,
) -> Statement:
    """Return an Allow statement."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
    }
    if condition is not None:
        statement["Condition"] = condition
    return statement


def policy(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Return a policy document as JSON text."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def service_role(
    name: str,
    service: str,
    account: Account,
    tags: Mapping[str, pulumi.Input[str]],
    parent: pulumi.Resource,
) -> aws.iam.Role:
    """Create a role that only `service` may assume, for this account.

    The condition on the account prevents the confused deputy problem.
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
    """Create a policy of `role`.

    What assumes the role must depend on the policy, because IAM is eventually consistent.
    """
    return aws.iam.RolePolicy(
        name,
        role=role.name,
        policy=policy(statements),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def allow_logs(log_group: aws.cloudwatch.LogGroup) -> Statement:
    """Allow writes to the streams of one log group."""
    resource = pulumi.Output.concat(log_group.arn, ":*")
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], [resource])


def allow_key(
    kms_key_arn: Optional[pulumi.Input[str]], account: Account, actions: Sequence[str]
) -> list[Statement]:
    """Allow the customer key through S3 only; [] without a key."""
    if kms_key_arn is None:
        return []
    via_s3 = pulumi.Output.concat("s3.", account.region, ".amazonaws.com")
    return [allow(actions, [kms_key_arn], {"StringEquals": {"kms:ViaService": via_s3}})]


def allow_table_key(kms_key_arn: Optional[pulumi.Input[str]]) -> list[Statement]:
    """Allow to decrypt a table and its stream; [] without a key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    if kms_key_arn is None:
        return []
    return [allow(["kms:Decrypt", "kms:DescribeKey"], [kms_key_arn])]
