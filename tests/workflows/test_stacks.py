"""The script that finds the stacks which the workflows may preview."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".github" / "stacks.py"
ROLE, ROLES = "AWS_PREVIEW_ROLE_ARN", "AWS_PREVIEW_ROLE_ARNS"
BACKEND = {"PULUMI_BACKEND_URL": "s3://states"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("pulumi-aws==7.0.0 \\\npulumi==3.2.1 \\\n")
    for stack, region in (("dev", "eu-west-1"), ("prod-eu", '"eu-central-1"')):
        text = f"# aws:region: none\nconfig:\n  aws:region: {region}\n"
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(text)
    return tmp_path


def run(project: Path, variables: dict[str, str]) -> tuple[int, dict[str, str], int]:
    """The exit code, the step's outputs and the number of notices."""
    outputs = project / "outputs"
    outputs.write_text("")
    result = subprocess.run(
        [sys.executable, str(SCRIPT), str(project)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GITHUB_OUTPUT": str(outputs), **variables},
    )
    values = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
    return result.returncode, values, result.stdout.count("::notice ")


def test_lists_each_stack_with_region_and_role(project: Path) -> None:
    code, outputs, notices = run(project, {ROLE: "arn:shared", **BACKEND})
    assert (code, notices, outputs["pulumi"]) == (0, 0, "3.2.1")
    assert json.loads(outputs["stacks"]) == [
        {"stack": "dev", "region": "eu-west-1", "role": "arn:shared"},
        {"stack": "prod-eu", "region": "eu-central-1", "role": "arn:shared"},
    ]


def test_a_role_for_one_stack_overrides_the_shared_one(project: Path) -> None:
    variables = {ROLE: "arn:shared", ROLES: '{"prod-eu": "arn:prod"}', **BACKEND}
    _, outputs, _ = run(project, variables)
    assert [it["role"] for it in json.loads(outputs["stacks"])] == ["arn:shared", "arn:prod"]


@pytest.mark.parametrize(
    ("variables", "stacks", "notices"),
    [
        ({}, [], 2),
        ({ROLE: "arn:shared"}, [], 2),
        (BACKEND, [], 2),
        ({ROLES: '{"dev": "arn:dev"}', **BACKEND}, ["dev"], 1),
    ],
)
def test_reports_stacks_without_role_or_backend(
    project: Path, variables: dict[str, str], stacks: list[str], notices: int
) -> None:
    code, outputs, reported = run(project, variables)
    assert [it["stack"] for it in json.loads(outputs["stacks"])] == stacks
    assert (code, reported) == (0, notices)


@pytest.mark.parametrize("value", ["arn:prod", '["arn:prod"]', '{"prod": null}'])
def test_rejects_roles_that_are_not_an_object_of_arns(value: str, project: Path) -> None:
    assert run(project, {ROLES: value})[0] == 1


@pytest.mark.parametrize("stack", ["--yes", "a b", "$(id)", ".a"])
def test_rejects_file_names_that_are_not_stack_names(stack: str, project: Path) -> None:
    (project / f"Pulumi.{stack}.yaml").write_text("config: {}\n")
    assert run(project, {})[0] == 1


def test_rejects_a_stack_without_region(project: Path) -> None:
    (project / "Pulumi.dev.yaml").write_text("config: {}\n")
    assert run(project, {ROLE: "arn:shared", **BACKEND})[0] == 1


def test_finds_the_stacks_of_this_repository(tmp_path: Path) -> None:
    output = tmp_path / "outputs"
    env = {**os.environ, "GITHUB_OUTPUT": str(output), ROLE: "arn:shared", **BACKEND}
    subprocess.run([sys.executable, str(SCRIPT)], check=True, env=env, capture_output=True)
    assert (
        '{"stack": "dev", "region": "ap-northeast-1", "role": "arn:shared"}' in output.read_text()
    )
