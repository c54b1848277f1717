"""Rule for permissions boundaries of roles."""

from pathlib import Path
from typing import Any

import pytest

from policy.rules.resources import UNKNOWN, Resource
from streaming_etl import BackfillArgs, IamArgs, MergeArgs
from tests.policy.engine import as_resources, registered
from tests.policy.resources import resource, violations
from tests.support.pipelines import Pipelines

RULE = "roles-have-boundary"
ARN = "arn:aws:iam::123456789012:policy/boundary"
OTHER = "arn:aws:iam::123456789012:policy/other"


def role(boundary: Any) -> Resource:
    props = {} if boundary is None else {"permissionsBoundary": boundary}
    return resource("iam/role:Role", "role", props)


@pytest.mark.parametrize(
    ("boundary", "policies", "accepted"),
    [
        (ARN, [ARN], True),
        (ARN, [OTHER, ARN], True),
        (ARN, ["arn:aws:iam::*:policy/boundary"], True),
        (UNKNOWN, [ARN], True),
        (OTHER, [ARN], False),
        (None, [ARN], False),
        (ARN, ["*"], True),
        ("", ["*"], False),
        (None, ["*"], False),
        # The rule is off without a policy.
        (None, [], True),
        (OTHER, [], True),
    ],
)
def test_a_role_has_one_of_the_boundaries(
    boundary: Any, policies: list[str], accepted: bool
) -> None:
    found = violations(RULE, role(boundary), config={"policies": policies})

    assert found == ([] if accepted else [("role", "permissionsBoundary", boundary)])


def test_the_rule_is_off_by_default_and_for_other_resources() -> None:
    user = resource("iam/user:User", "user", {})

    assert violations(RULE, role(None)) == []
    assert violations(RULE, user, config={"policies": [ARN]}) == []


@pytest.mark.parametrize("boundary", [ARN, None])
def test_the_setting_of_a_pipeline_applies_to_all_its_roles(
    tmp_path: Path, boundary: str | None
) -> None:
    sent = registered(
        lambda: Pipelines(tmp_path).build(
            iam=IamArgs(permissions_boundary_arn=boundary),
            merge=MergeArgs(enabled=True),
            backfill=BackfillArgs(enabled=True),
        )
    )
    resources = as_resources(sent)
    roles = sorted(it.urn.split("::")[-1] for it in resources if it.type == "aws:iam/role:Role")

    found = violations(RULE, *resources, config={"policies": [ARN]})

    assert len(roles) > 5
    assert sorted(name for name, *_ in found) == ([] if boundary else roles)
