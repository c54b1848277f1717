"""IAM policies from plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Union

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


@dataclass(frozen=True)
class ResourceArn:
    """ARN of a resource, with patterns that match it before it exists."""

    arn: pulumi.Output[str]
    patterns: tuple[pulumi.Output[str], ...]

    def join(self, *suffix: pulumi.Input[str]) -> "ResourceArn":
        """Return the ARN with a suffix."""
        patterns = (pulumi.Output.concat(pattern, *suffix) for pattern in self.patterns)
        return ResourceArn(pulumi.Output.concat(self.arn, *suffix), tuple(patterns))


def allow(
    actions: Sequence[str],
    resources: Sequence[Union[pulumi.Input[str], ResourceArn]],
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
    return document([with_resources(each, lambda named: (named.arn,)) for each in statements])


def policy_by_patterns(statements: Sequence[Statement], account: Account) -> pulumi.Output[str]:
    """Return a policy document that contains no name of a created resource.

    A pattern of a bucket's name may match a bucket of another account.
    """
    own = {"s3:ResourceAccount": account.account_id}
    resolved = []
    for each in statements:
        statement = with_resources(each, lambda named: named.patterns)
        if all(action.startswith("s3:") for action in each["Action"]):
            condition = each.get("Condition", {})
            equals = {**condition.get("StringEquals", {}), **own}
            statement["Condition"] = {**condition, "StringEquals": equals}
        resolved.append(statement)
    return document(resolved)


def with_resources(
    statement: Statement, arns: Callable[[ResourceArn], Sequence[pulumi.Output[str]]]
) -> dict[str, Any]:
    """Return a statement with texts as resources and in its condition."""

    def texts(values: Any) -> Any:
        if isinstance(values, Mapping):
            return {key: texts(value) for key, value in values.items()}
        if not isinstance(values, list):
            return values
        return [
            arn
            for value in values
            for arn in (arns(value) if isinstance(value, ResourceArn) else (value,))
        ]

    return {
        key: texts(value) if key in ("Resource", "Condition") else value
        for key, value in statement.items()
    }


def document(statements: Sequence[Statement]) -> pulumi.Output[str]:
    """Return the JSON text of statements."""
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust_policy(service: str, account: Account) -> pulumi.Output[str]:
    """Allow only `service` to assume a role, for this account.

    The condition on the account prevents the confused deputy problem.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
    """
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account.account_id}},
    }
    return document([trust])


def allow_logs(log_group: ResourceArn) -> Statement:
    """Allow writes to the streams of one log group."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.join(":*")])


def allow_key(
    kms_key_arn: Optional[pulumi.Input[str]],
    actions: Sequence[str],
    condition: Mapping[str, Any],
    former: Sequence[str] = (),
) -> list[Statement]:
    """Allow the customer key; [] without a key.

    former: keys with which what exists remains encrypted.
    """
    statements = []
    if kms_key_arn is not None:
        statements.append(allow(actions, [kms_key_arn], condition))
    if former and "kms:Decrypt" in actions:
        statements.append(allow(["kms:Decrypt"], former, condition))
    return statements


def allow_table_keys(kms_key_arns: Sequence[pulumi.Input[str]]) -> list[Statement]:
    """Allow to decrypt a table and its stream; [] without a key.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
    """
    if not kms_key_arns:
        return []
    return [allow(["kms:Decrypt", "kms:DescribeKey"], kms_key_arns)]
