"""Updates of deployed programs without the Pulumi engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.deploy.deploy import Deployment, Resources, deploy, previewed, update
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.errors import CommandError

pytestmark = pytest.mark.e2e

CONFIG = StackConfig("project", "dev", {})
ROLE = """\
role = aws.iam.Role("reader", assume_role_policy="{}", tags={"team": "TEAM"})
pulumi.export("role", role.name)
"""
LOGS = 'logs = aws.cloudwatch.LogGroup("logs", name="NAME", retention_in_days=DAYS)\n'
TABLE = (
    'aws.dynamodb.Table("update-items", attributes=[{"name": "KEY", "type": "S"}],'
    ' hash_key="KEY", billing_mode="PAY_PER_REQUEST")\n'
)


class Program:
    """A program in a directory, and its resources on the embedded AWS."""

    def __init__(self, directory: Path, aws: Clients) -> None:
        self.directory, self.aws = directory, aws
        self.resources: Resources = {}

    def write(self, *parts: str, **values: Any) -> None:
        text = "".join(parts)
        for name, value in values.items():
            text = text.replace(name.upper(), str(value))
        head = "import pulumi\nimport pulumi_aws as aws\n"
        (self.directory / "__main__.py").write_text(head + text)

    def deploy(self) -> Deployment:
        deployed = deploy(self.directory, CONFIG, self.aws)
        self.resources = deployed.resources
        return deployed

    def preview(self) -> dict[str, str]:
        return steps(previewed(self.directory, CONFIG, self.aws, self.resources))

    def update(self) -> Deployment:
        return update(self.directory, CONFIG, self.aws, self.resources, self.save)

    def save(self, resources: Resources) -> None:
        self.resources = resources


def steps(deployment: Deployment) -> dict[str, str]:
    """Operations by logical name."""
    return {urn.split("::")[-1]: step for urn, step in deployment.steps.items()}


def rejected(command: Callable[[], Any]) -> CommandError:
    with pytest.raises(CommandError) as raised:
        command()
    return raised.value


@pytest.fixture
def program(aws: Clients, tmp_path: Path) -> Program:
    return Program(tmp_path, aws)


def test_an_edit_updates_in_place_and_keeps_generated_names(program: Program, aws: Clients) -> None:
    program.write(ROLE, LOGS, team="web", name="/update/a", days=30)
    name = program.deploy().outputs["role"]
    assert program.preview() == {"reader": "same", "logs": "same"}

    program.write(ROLE, LOGS, team="data", name="/update/a", days=30)
    assert program.preview() == {"reader": "update", "logs": "same"}
    [tag] = aws("iam").get_role(RoleName=name)["Role"]["Tags"]
    assert tag["Value"] == "web"

    updated = program.update()
    [changed] = [names for names in updated.inputs.values() if names]
    assert (updated.outputs, changed) == ({"role": name}, ["tags"])
    [tag] = aws("iam").get_role(RoleName=name)["Role"]["Tags"]
    assert tag["Value"] == "data"
    assert program.preview() == {"reader": "same", "logs": "same"}


def test_resources_without_data_are_replaced_created_and_deleted(
    program: Program, aws: Clients
) -> None:
    def groups() -> list[str]:
        listed = aws("logs").describe_log_groups(logGroupNamePrefix="/update/")["logGroups"]
        return [one["logGroupName"] for one in listed]

    program.write(LOGS, name="/update/b", days=30)
    program.deploy()

    program.write(LOGS, ROLE, name="/update/c", days=30, team="web")
    assert program.preview() == {"logs": "replace", "reader": "create"}
    program.update()
    assert "/update/b" not in groups()
    assert "/update/c" in groups()

    program.write(ROLE, team="web")
    assert program.preview() == {"reader": "same", "logs": "delete"}
    assert steps(program.update()) == {"reader": "same", "logs": "delete"}
    assert "/update/c" not in groups()
    assert program.preview() == {"reader": "same"}


@pytest.mark.parametrize(
    ("text", "operation"), [(TABLE.replace("KEY", "pk"), "replace"), ("", "delete")]
)
def test_an_update_that_would_lose_items_is_rejected(
    program: Program, text: str, operation: str
) -> None:
    program.write(ROLE, TABLE, team="web", key="id")
    program.deploy()

    program.write(ROLE, text, team="data")

    for command in (program.preview, program.update):
        error = rejected(command)
        assert error.code == "data-at-risk"
        assert error.details["operations"] == [f"{operation} update-items"]
    # Nothing has changed, the role neither.
    program.write(ROLE, TABLE, team="web", key="id")
    assert set(program.preview().values()) == {"same"}


def test_hooks_reject_an_update_before_it_changes_anything(program: Program) -> None:
    component = """
def compare(args):
    raise ValueError(f"from {args.old_inputs['size']:.0f} to {args.new_inputs['size']:.0f}")
hook = pulumi.ResourceHook("guard", compare, pulumi.ResourceHookOptions(on_dry_run=True))
class Box(pulumi.ComponentResource):
    def __init__(self, size):
        binding = pulumi.ResourceHookBinding(before_update=[hook])
        options = pulumi.ResourceOptions(hooks=binding)
        super().__init__("project:index:Box", "box", {"size": size}, options)
Box(SIZE)
"""
    program.write(ROLE, component, team="web", size=1)
    program.deploy()
    assert program.preview() == {"reader": "same"}

    program.write(ROLE, component, team="data", size=2)
    error = rejected(program.update)

    assert (error.code, error.details["errors"]) == ("update-rejected", ["from 1 to 2"])
    program.write(ROLE, component, team="web", size=1)
    assert program.preview() == {"reader": "same"}


def test_a_failed_update_keeps_what_it_has_changed(program: Program) -> None:
    program.write(ROLE, team="web")
    program.deploy()

    # The type is unknown to the embedded AWS.
    program.write(ROLE, 'aws.sqs.Queue("work", name=role.name)\n', team="data")
    assert program.preview() == {"reader": "update", "work": "create"}
    assert rejected(program.update).code == "unknown-resource-type"

    program.write(ROLE, team="data")
    assert program.preview() == {"reader": "same"}
