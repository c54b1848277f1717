"""The page about company accounts has what the roles need."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

from tests.components.test_roles import everything, roles
from tests.docs.pages import ROOT, blocks
from tests.support.pipelines import Pipelines

PAGE = "docs/company-accounts.md"


def test_the_boundary_and_the_table_of_roles_are_those_of_a_pipeline(tmp_path: Path) -> None:
    pipelines = Pipelines(tmp_path)
    graph = pipelines.build(**everything(pipelines))
    policies = [policy.policy() for policy in graph.of("RolePolicy")]
    actions = {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in statement["Action"]
    }
    boundary, deploy, *_ = (json.loads(each.text) for each in blocks("json") if each.page == PAGE)
    [allowed] = boundary["Statement"]
    assert {
        action
        for action in actions
        if not any(fnmatchcase(action, pattern) for pattern in allowed["Action"])
    } == set()
    services = {
        role.policy("assumeRolePolicy")["Statement"][0]["Principal"]["Service"]
        for role in roles(graph).values()
    }
    assert services == set(deploy[2]["Condition"]["StringEquals"]["iam:PassedToService"])
    described = re.findall(r"^\| `([\w-]+)` \| ([\w.]+) \|", (ROOT / PAGE).read_text(), re.M)
    assert set(described) == {
        (
            re.sub("^shop-(orders-|items-)?|-role$", "", name),
            role.policy("assumeRolePolicy")["Statement"][0]["Principal"]["Service"],
        )
        for name, role in roles(graph).items()
    }


def test_the_deploy_role_has_the_same_iam_actions_with_a_boundary() -> None:
    found: dict[str, set[str]] = {PAGE: set(), "docs/pull-requests.md": set()}
    for block in blocks("json"):
        if block.page in found:
            found[block.page] |= set(re.findall(r'"(iam:[A-Z]\w+)"', block.text))
    keys = {"iam:PermissionsBoundary", "iam:PassedToService"}
    added = {"iam:PutRolePermissionsBoundary"}
    assert found[PAGE] - keys == found["docs/pull-requests.md"] | added
