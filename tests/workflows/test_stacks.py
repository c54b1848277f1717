"""Which stacks the workflows find, and which of them they may preview."""

import json
import runpy
from pathlib import Path

import pytest

from streaming_etl.stack.outputs import read_config
from tests.workflows.scripts import GITHUB, ROOT, run

SHARED, OWN, BACKEND = "AWS_PREVIEW_ROLE_ARN", "AWS_PREVIEW_ROLE_ARNS", "PULUMI_BACKEND_URL"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("pulumi-aws==7.0.0 \\\npulumi==3.2.1 \\\n")
    for stack, region in (("dev", "eu-west-1"), ("prod-eu", '"eu-central-1"')):
        text = f"# aws:region: none\nconfig:\n  aws:region: {region}\n"
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(text)
    return tmp_path


def plan(project: Path, variables: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """The notices of the log, and the outputs."""
    outputs = project / "outputs"
    answer = run("stacks.py", str(project), GITHUB_OUTPUT=str(outputs), **variables)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines(), dict(
        line.split("=", 1) for line in outputs.read_text().splitlines()
    )


def test_every_stack_with_a_config_file_is_previewed_once_the_role_and_the_backend_are_set(
    project: Path,
) -> None:
    notices, outputs = plan(project, {SHARED: "arn:shared", BACKEND: "s3://states"})
    assert notices == []
    assert outputs["pulumi"] == "3.2.1"
    assert json.loads(outputs["stacks"]) == [
        {"stack": "dev", "region": "eu-west-1", "role": "arn:shared"},
        {"stack": "prod-eu", "region": "eu-central-1", "role": "arn:shared"},
    ]


def test_a_stack_may_have_a_role_of_its_own(project: Path) -> None:
    variables = {OWN: '{"prod-eu": "arn:prod"}', BACKEND: "s3://states"}
    notices, outputs = plan(project, variables)
    assert json.loads(outputs["stacks"]) == [
        {"stack": "prod-eu", "region": "eu-central-1", "role": "arn:prod"}
    ]
    assert notices == [
        "::notice title=No preview of dev::The repository's variables have no AWS_PREVIEW_ROLE_ARN "
        "and no 'dev' in AWS_PREVIEW_ROLE_ARNS: see docs/pull-requests.md."
    ]
    _, outputs = plan(project, {**variables, SHARED: "arn:shared"})
    assert [ready["role"] for ready in json.loads(outputs["stacks"])] == [
        "arn:shared",
        "arn:prod",
    ]


def test_a_repository_that_is_not_set_up_previews_nothing_and_does_not_fail(project: Path) -> None:
    notices, outputs = plan(project, {})
    assert json.loads(outputs["stacks"]) == []
    assert [notice.split("::")[1] for notice in notices] == [
        "notice title=No preview of dev",
        "notice title=No preview of prod-eu",
    ]
    assert notices[0].endswith(f" in {OWN}, and no {BACKEND}: see docs/pull-requests.md.")


def test_a_role_alone_is_not_enough(project: Path) -> None:
    notices, outputs = plan(project, {SHARED: "arn:shared"})
    assert json.loads(outputs["stacks"]) == []
    assert notices[0] == (
        "::notice title=No preview of dev::The repository's variables have no PULUMI_BACKEND_URL: "
        "see docs/pull-requests.md."
    )


@pytest.mark.parametrize("value", ["arn:prod", '["arn:prod"]', '{"prod": null}'])
def test_roles_that_cannot_be_read_are_refused(value: str, project: Path) -> None:
    answer = run("stacks.py", str(project), GITHUB_OUTPUT=str(project / "outputs"), **{OWN: value})
    assert (answer.returncode, answer.stderr) == (
        1,
        f"{OWN}={value!r} is no JSON object of stacks and their roles: set the repository's "
        'variable as {"prod": "arn:aws:iam::210987654321:role/preview"}.\n',
    )


@pytest.mark.parametrize("stack", ["--yes", "a b", "$(id)", ".a"])
def test_a_file_name_that_is_no_stack_is_refused(stack: str, project: Path) -> None:
    (project / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    answer = run("stacks.py", str(project), GITHUB_OUTPUT=str(project / "outputs"))
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"Pulumi.{stack}.yaml: {stack!r} is no stack's name: 1 to 100")


def test_a_stack_without_a_region_is_refused(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {}\n")
    variables = {SHARED: "arn:shared", BACKEND: "s3://states"}
    answer = run("stacks.py", str(project), GITHUB_OUTPUT=str(project / "outputs"), **variables)
    assert (answer.returncode, answer.stderr) == (
        1,
        "Pulumi.dev.yaml: config has no aws:region; set it, as `aws:region: eu-west-1`.\n",
    )


def test_the_stacks_here_are_read_as_the_program_reads_them() -> None:
    script = runpy.run_path(str(GITHUB / "stacks.py"))
    assert "dev" in script["stacks"](ROOT)
    for stack in script["stacks"](ROOT):
        assert script["region"](ROOT, stack) == read_config(ROOT, stack).region
    assert f"pulumi=={script['pulumi_version'](ROOT)}\n" in (ROOT / "requirements.in").read_text()
