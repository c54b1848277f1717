"""Settings of the roles that a pipeline creates or uses."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Optional

import pulumi

from streaming_etl.components.settings.existing_resources import POLICY_ARN, ROLE_ARN
from streaming_etl.components.settings.validation import (
    Problem,
    Settings,
    text,
    value_problems,
)

# IAM accepts 512 characters and more symbols in a path, but Step Functions accepts 256 in the ARN
# of a role, and Firehose and Lambda accept these symbols.
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
# https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
ROLE_PATH = re.compile(r"(?=.{1,128}$)/([A-Za-z0-9_+=,.@-]+/)*")
ROLE_NAME_PREFIX = re.compile(r"[A-Za-z0-9_+=,.@-]{1,32}")
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_ROLE_NAME = 64


@dataclass(frozen=True, kw_only=True)
class IamArgs(Settings):
    """The roles of functions, delivery streams, crawlers, state machines and schedules."""

    permissions_boundary_arn: Optional[pulumi.Input[str]] = field(default=None, metadata=POLICY_ARN)
    """ARN of the policy that is the permissions boundary of every created role. It must allow what
    the roles' policies allow."""
    role_path: str = text(
        "/", ROLE_PATH, "a path such as /team/, at most 128 of a-z A-Z 0-9 _+=,.@-/"
    )
    """Path of every created role, which begins and ends with a slash, such as `/team/`. Changing it
    replaces the roles, each before the former one is deleted."""
    role_name_prefix: Optional[str] = text(None, ROLE_NAME_PREFIX, "1 to 32 of a-z A-Z 0-9 _+=,.@-")
    """Begin of the name of every created role; a hash of project, stack and path is then its end
    instead of Pulumi's random characters. IAM accepts 64 characters in total. Changing it replaces
    the roles, each before the former one is deleted."""
    role_arns: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """ARNs of existing roles, by the names of the resources without the pipeline's name and
    `-role`: `forwarder`, `transform`, `delivery`, `catalog-crawler`, `merge-states`,
    `merge-schedule`, `backfill`, `backfill-states`, `backfill-start`; with `lake_tables` for
    example `orders-transform`. The pipeline then creates neither that role nor its policies; the
    output `role_policies` has what the role needs."""

    def further_problems(self) -> Iterator[Problem]:
        for name, arn in self.role_arns.items():
            if not isinstance(arn, pulumi.Output):
                for problem in value_problems("role_arns", arn, ROLE_ARN):
                    yield replace(problem, item=name)
