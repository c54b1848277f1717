"""Roles for one service each, created or existing, and their policies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.stages import iam
from streaming_etl.components.table.layout import role_name


@dataclass(frozen=True, kw_only=True)
class Role:
    """The role of one service."""

    service: str
    arn: pulumi.Input[str]
    created: Optional[aws.iam.Role]
    """None for an existing role."""
    statements: list[iam.Statement] = field(default_factory=list)
    """What the role may do, of all its policies."""

    def allow(
        self, name: str, statements: Sequence[iam.Statement], parent: pulumi.Resource
    ) -> list[pulumi.Resource]:
        """Create a policy; return it, or [] for an existing role.

        What assumes the role must depend on the policy, because IAM is eventually consistent.
        """
        self.statements.extend(statements)
        if self.created is None:
            return []
        policy = aws.iam.RolePolicy(
            name,
            role=self.created.name,
            policy=iam.policy(statements),
            opts=pulumi.ResourceOptions(parent=parent),
        )
        return [policy]


class Roles:
    """The roles of a pipeline."""

    def __init__(
        self,
        pipeline: str,
        args: StreamingEtlPipelineArgs,
        account: iam.Account,
        tags: Mapping[str, pulumi.Input[str]],
    ) -> None:
        self.pipeline, self.args, self.account, self.tags = pipeline, args, account, tags
        self.existing: dict[str, Role] = {}

    def role(self, name: str, service: str, parent: pulumi.Resource) -> Role:
        """Create the role `name` that only `service` may assume.

        Without a resource for a role of `iam.role_arns`.
        """
        part = name.removeprefix(f"{self.pipeline}-")
        key = part.removesuffix("-role")
        if key in self.args.iam.role_arns:
            arn = self.args.iam.role_arns[key]
            self.existing[key] = Role(service=service, arn=arn, created=None)
            return self.existing[key]
        settings = self.args.iam
        physical_name = role_name(
            f"{self.args.physical_name(self.pipeline)}-{part}",
            self.args,
            pulumi.get_project(),
            pulumi.get_stack(),
        )
        created = aws.iam.Role(
            name,
            name=physical_name,
            path=None if settings.role_path == "/" else settings.role_path,
            permissions_boundary=settings.permissions_boundary_arn,
            assume_role_policy=iam.trust_policy(service, self.account),
            tags=dict(self.tags),
            # By default Pulumi deletes a resource with a chosen name before its replacement, and
            # functions would be without a role. The name changes with what replaces the role.
            opts=pulumi.ResourceOptions(parent=parent, delete_before_replace=False),
        )
        return Role(service=service, arn=created.arn, created=created)

    @property
    def policies(self) -> Optional[pulumi.Output[dict[str, dict[str, str]]]]:
        """What each existing role needs, once all stages exist; None without one."""
        needed: dict[str, Any] = {
            key: {
                "service": role.service,
                "trust": iam.trust_policy(role.service, self.account),
                "policy": iam.policy_by_patterns(role.statements, self.account),
            }
            for key, role in self.existing.items()
        }
        return pulumi.Output.from_input(needed) if needed else None
