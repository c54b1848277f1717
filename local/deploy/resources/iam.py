"""IAM roles and their inline policies."""

import json
from typing import Any

from local.deploy.inputs import Inputs, Outputs, tag_list
from local.deploy.resources.resource_type import (
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from streaming_etl.stack.clients import Clients


class Role(ResourceType):
    token = "aws:iam/role:Role"
    replace = ("name", "path")
    computed = ("arn", "uniqueId")
    removable = ("tags", "permissionsBoundary")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.tags()
        rest = inputs.remaining(assumeRolePolicy="AssumeRolePolicyDocument")
        created = clients("iam").create_role(RoleName=name, Tags=tags, **rest)["Role"]
        return {"id": name, "name": name, "arn": created["Arn"], "uniqueId": created["RoleId"]}

    def read(self, clients: Clients, state: State) -> Properties:
        role = clients("iam").get_role(RoleName=state["name"])["Role"]
        tags = clients("iam").list_role_tags(RoleName=state["name"])["Tags"]
        return {
            "assumeRolePolicy": document(role["AssumeRolePolicyDocument"]),
            "path": None if role["Path"] == "/" else role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get(
                "PermissionsBoundaryArn"
            ),
            "tags": tag_map(tags),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        iam, role = clients("iam"), state["name"]
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=inputs.take("assumeRolePolicy"))
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: iam.tag_role(RoleName=role, Tags=tag_list(tags)),
            lambda keys: iam.untag_role(RoleName=role, TagKeys=keys),
        )
        if boundary := inputs.take("permissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=boundary)
        elif state.get("permissionsBoundary"):
            iam.delete_role_permissions_boundary(RoleName=role)

    def delete(self, clients: Clients, state: State) -> None:
        clients("iam").delete_role(RoleName=state["name"])


class RolePolicy(ResourceType):
    token = "aws:iam/rolePolicy:RolePolicy"
    replace = ("name", "role")
    max_name = 128
    computed = ()

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, role, policy = inputs.name(), inputs.take("role"), inputs.take("policy")
        clients("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy)
        return {"id": f"{role}:{name}", "name": name}

    def read(self, clients: Clients, state: State) -> Properties:
        policy = clients("iam").get_role_policy(RoleName=state["role"], PolicyName=state["name"])
        return {"policy": document(policy["PolicyDocument"])}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        clients("iam").put_role_policy(
            RoleName=state["role"], PolicyName=state["name"], PolicyDocument=inputs.take("policy")
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("iam").delete_role_policy(RoleName=state["role"], PolicyName=state["name"])


def document(policy: Any) -> str:
    """Return a policy as text; boto3 parses those that it returns."""
    return policy if isinstance(policy, str) else json.dumps(policy)


TYPES = (Role(), RolePolicy())
