"""Settings of all Lambda functions of a pipeline."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi

from streaming_etl.components.settings.validation import (
    Problem,
    Settings,
    both_or_none,
    limited,
    one_of,
    texts,
)

# https://docs.aws.amazon.com/lambda/latest/api/API_VpcConfig.html
MAX_SUBNETS, MAX_SECURITY_GROUPS = 16, 5
SUBNET_ID = re.compile(r"subnet-[0-9a-z]+")
SECURITY_GROUP_ID = re.compile(r"sg-[0-9a-zA-Z]+")


def concurrent_executions(least: int) -> Any:
    """Declare concurrent executions of one function, by default without a limit."""
    reason = "Lambda reserves part of the account's quota, 1,000 unless increased"
    return limited(None, least, 100_000, reason)


@dataclass(frozen=True, kw_only=True)
class FunctionsArgs(Settings):
    """Network and logs of all Lambda functions."""

    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]] = texts(
        (), MAX_SUBNETS, pattern=SUBNET_ID, kind="ids of subnets, such as subnet-1a2b", outputs=True
    )
    """Private subnets of a VPC that the functions run in, at most 16; needs `security_group_ids`.
    docs/company-accounts.md lists the VPC endpoints that they then need."""
    security_group_ids: pulumi.Input[Sequence[pulumi.Input[str]]] = texts(
        (),
        MAX_SECURITY_GROUPS,
        pattern=SECURITY_GROUP_ID,
        kind="ids of security groups, such as sg-1a2b",
        outputs=True,
    )
    """Security groups of the functions in the VPC, at most 5; needs `subnet_ids`."""
    tracing: bool = False
    """Send traces of the functions to X-Ray."""
    log_format: str = one_of("text", "json")
    """Form of the lines that Lambda writes, and of Python's `logging` in a transform module. Those
    of the handlers are JSON objects in both."""
    log_level: Optional[str] = one_of("debug", "info", "warning", "error", default=None)
    """Least severe lines that the functions log: debug, info, warning or error. By default info,
    but warning for Python's `logging` with `log_format: text`. With `log_format: json` Lambda's own
    lines, too: warning and error leave out its reports of duration and memory. Lines with metrics
    are always logged."""
    log_group_class: str = one_of("standard", "infrequent_access")
    """Class of the log groups of the backfill and of Firehose. Those of forwarder and transform are
    always standard: CloudWatch takes metrics, which have alarms, from no other class. A change
    replaces the log groups and deletes their lines."""

    @property
    def in_vpc(self) -> bool:
        """Whether the functions run in a VPC."""
        # Assume that an output has subnets.
        return isinstance(self.subnet_ids, pulumi.Output) or bool(self.subnet_ids)

    def further_problems(self) -> Iterator[Problem]:
        yield from both_or_none(
            self,
            "subnet_ids",
            "security_group_ids",
            both="functions in a VPC",
            none="functions outside of one",
        )
