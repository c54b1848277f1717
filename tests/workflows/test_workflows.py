"""The workflows have few permissions and run pinned code only.

actionlint checks their syntax; nothing here proves what GitHub or AWS does with them.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pipelines import dev_stack
from tools import pulumi_cli

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yml"))]
MAKEFILE = (ROOT / "Makefile").read_text()
PAGE = (ROOT / "docs" / "pull-requests.md").read_text()


def read(path: Path) -> dict[str, Any]:
    # All scalars as text: otherwise `on` is read as true.
    document: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
    return document


JOBS = {
    f"{path.stem} {name}": job for path in WORKFLOWS for name, job in read(path)["jobs"].items()
}
STEPS = [
    *(step for job in JOBS.values() for step in job.get("steps", ())),
    *(step for path in FILES if path.name == "action.yml" for step in read(path)["runs"]["steps"]),
]
RUNS = [step["run"] for step in STEPS if "run" in step]


def test_actionlint_accepts_the_workflows() -> None:
    program = Path(sys.executable).parent / "actionlint"
    command = [str(program), "-shellcheck=", "-pyflakes=", *map(str, WORKFLOWS)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_workflows_run_for_pull_requests_and_main_only() -> None:
    # Never pull_request_target, which gives a fork's code the base's permissions.
    assert {path.stem: read(path)["on"] for path in WORKFLOWS} == {
        "checks": {"workflow_call": ""},
        "main": {"push": {"branches": ["main"]}},
        "pull-request": {"pull_request": ""},
    }


def test_each_job_has_only_the_permissions_it_needs() -> None:
    assert [read(path)["permissions"] for path in WORKFLOWS] == [{}] * 3
    beyond_reading = {
        name: {key: value for key, value in job["permissions"].items() if key != "contents"}
        for name, job in JOBS.items()
    }
    assert {name: extra for name, extra in beyond_reading.items() if extra} == {
        "main preview": {"id-token": "write"},
        "main up": {"id-token": "write"},
        "pull-request preview": {"id-token": "write", "pull-requests": "write"},
    }
    assert {job["permissions"].get("contents", "read") for job in JOBS.values()} == {"read"}


def test_each_job_has_a_timeout() -> None:
    assert [
        name for name, job in JOBS.items() if "uses" not in job and "timeout-minutes" not in job
    ] == []


def test_no_secret_is_used() -> None:
    assert [path.name for path in FILES if "secrets." in path.read_text()] == []


def test_each_action_is_pinned_by_commit_in_one_version() -> None:
    uses = [use for path in FILES for use in re.findall(r"uses: (.*)$", path.read_text(), re.M)]
    pinned = re.compile(r"([\w-]+/[\w-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    external = [use for use in uses if not use.startswith("./.github/")]
    assert [use for use in external if not pinned.fullmatch(use)] == []
    names = [use.partition("@")[0] for use in set(external)]
    assert len(names) == len(set(names))


def test_each_checkout_removes_its_token() -> None:
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert {step["with"]["persist-credentials"] for step in checkouts} == {"false"}


def test_no_shell_contains_an_expression() -> None:
    # A branch name or title in an expression would run as a command.
    assert [run for run in RUNS if "${{" in run] == []


def test_each_make_target_and_script_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)) | {".venv/.installed"}
    text = "\n".join(RUNS)
    assert set(re.findall(r"\bmake (\S+)", text)) <= targets
    assert [
        name for name in re.findall(r"\.github/\w+\.py", text) if not (ROOT / name).exists()
    ] == []


def test_a_newer_push_cancels_a_pull_requests_run_but_never_an_update() -> None:
    groups = {path.stem: read(path).get("concurrency") for path in WORKFLOWS}
    assert groups["pull-request"]["cancel-in-progress"] == "true"
    assert groups["main"] is None
    assert JOBS["main up"]["concurrency"] == {
        "group": "up-${{ matrix.stack }}",
        "cancel-in-progress": "false",
    }


def test_a_role_lasts_as_long_as_the_longest_job_that_assumes_one() -> None:
    limits = [
        int(job["timeout-minutes"]) for job in JOBS.values() if "id-token" in job["permissions"]
    ]
    [role] = [step["with"] for step in STEPS if "role-to-assume" in step.get("with", {})]
    assert int(role["role-duration-seconds"]) == 60 * max(limits)


def test_packages_near_a_role_are_pinned_by_hash_and_never_built() -> None:
    [install] = [run for run in RUNS if "pip" in run]
    assert "--only-binary :all: --require-hashes" in install


def test_forks_and_dependabot_get_no_credentials() -> None:
    trusted = JOBS["pull-request plan"]["outputs"]["trusted"]
    for condition in (
        "github.event.pull_request.head.repo.full_name == github.repository",
        "github.event.pull_request.user.login != 'dependabot[bot]'",
        "github.actor != 'dependabot[bot]'",
    ):
        assert condition in trusted
    preview = JOBS["pull-request preview"]
    assert preview["needs"] == ["checks", "plan"]
    assert preview["if"].startswith("needs.plan.outputs.trusted == 'true' && ")


def test_an_update_needs_checks_preview_approval_and_the_newest_commit() -> None:
    assert JOBS["main preview"]["needs"] == ["checks", "plan"]
    assert JOBS["main up"]["needs"] == ["plan", "preview"]
    assert JOBS["main up"]["environment"] == "${{ matrix.stack }}"
    names = [
        step.get("name") or step["uses"].partition("@")[0] for step in JOBS["main up"]["steps"]
    ]
    newest, role = (
        names.index("Require the newest commit of main"),
        names.index("./.github/actions/pulumi"),
    )
    assert newest < role


def test_previews_and_updates_apply_the_policy_pack() -> None:
    runs = [step["with"] for step in STEPS if "command" in step.get("with", {})]
    assert [run["command"] for run in runs] == ["preview", "up", "preview"]
    assert {(run["policyPacks"], run["policyPackConfigs"]) for run in runs} == {
        ("policy", "policy/config.json")
    }


def test_a_preview_appears_in_the_pull_request_or_in_the_summary_on_main() -> None:
    def shown_in(job: str) -> set[str]:
        [preview] = [step["with"] for step in JOBS[job]["steps"] if "command" in step["with"]]
        return {key for key, value in preview.items() if value == "true"}

    assert shown_in("pull-request preview") == {"comment-on-pr", "always-include-summary"}
    assert shown_in("main preview") == {"comment-on-summary"}


@pytest.mark.parametrize("job", ["checks", "plan", "graph", "preview"])
def test_the_required_check_waits_for_every_job(job: str) -> None:
    gate = JOBS["pull-request gate"]
    assert gate["if"] == "always()"
    assert job in gate["needs"]
    assert f"needs.{job}.result != 'success'" in gate["steps"][0]["if"]
    assert "the check `gate` to pass" in PAGE


def test_checks_run_on_every_supported_python() -> None:
    pythons = JOBS["checks check"]["strategy"]["matrix"]["python"]
    minors = [int(python.removeprefix("3.")) for python in pythons]
    assert minors == list(range(minors[0], minors[-1] + 1))
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["requires-python"] == f">={pythons[0]}"
    assert f"sys.version_info < (3, {minors[0]})" in MAKEFILE


def test_the_oldest_tested_packages_are_the_oldest_accepted_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    accepted = re.findall(r"(pulumi[\w-]*)>=([\d.]+),", " ".join(project["dependencies"]))
    pins = (ROOT / "requirements-oldest.txt").read_text()
    tested = re.findall(r"^(pulumi(?:-aws)?)==(\S+)", pins, re.MULTILINE)
    assert tested == [(name, f"{version}.0") for name, version in accepted]


def test_dependabot_watches_every_file_with_pins() -> None:
    updates = read(GITHUB / "dependabot.yml")["updates"]
    watched = {update["package-ecosystem"]: sorted(update["directories"]) for update in updates}
    assert watched == {
        "github-actions": ["/", *directories(".github/actions/*/action.yml")],
        "pip": directories("requirements.txt", "*/requirements.txt"),
        "npm": directories("examples/*/package.json"),
    }


def directories(*patterns: str) -> list[str]:
    files = [path for pattern in patterns for path in ROOT.glob(pattern)]
    # A folder of the package is a link into the same repository.
    folders = {path.parent.relative_to(ROOT) for path in files if not path.parent.is_symlink()}
    return sorted(f"/{path}".removesuffix(".") for path in folders)


def test_the_page_names_the_variables_of_the_workflows() -> None:
    used = set(re.findall(r"\bvars\.(\w+)", "".join(path.read_text() for path in FILES)))
    assert set(re.findall(r"\b(?:AWS|PULUMI)_\w+", PAGE)) == used


def test_the_documented_preview_role_reads_state_and_no_data() -> None:
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    [preview] = [it["Statement"] for it in policies if "s3:GetObject" in json.dumps(it)]
    actions = [
        action
        for it in preview
        for action in (it["Action"] if isinstance(it["Action"], list) else [it["Action"]])
    ]
    reading = re.compile(
        r"(s3:GetObject|s3:ListBucket|kms:Decrypt|dynamodb:(Describe|List)\w+|states:Validate\w+)"
    )
    assert [action for action in actions if not reading.fullmatch(action)] == []
    [objects] = [it["Resource"] for it in preview if it["Action"] == "s3:GetObject"]
    assert objects == "arn:aws:s3:::example-pulumi-state/*"


def test_the_documented_deploy_role_may_use_every_service_of_the_example_stack() -> None:
    document = PAGE.split("`deploy.json`")[1].split("```json")[1].split("```")[0]
    statements = json.loads(document)["Statement"]
    allowed = {action.partition(":")[0] for one in statements for action in one["Action"]}
    types = {node.type for node in dev_stack().nodes if node.type.startswith("aws:")}
    services = {name.removeprefix("aws:").partition("/")[0] for name in types}
    # IAM's prefix of a service, where it differs from the provider's module.
    prefixes = {"cloudwatch": "logs", "kinesis": "firehose", "sfn": "states"}
    expected = {prefixes.get(name, name) for name in services} | {"cloudwatch", "events"}
    assert expected <= allowed


def test_the_engine_tests_use_one_version_of_the_cli() -> None:
    steps = read(GITHUB / "workflows" / "checks.yml")["jobs"]["engine"]["steps"]
    versions = [
        step["with"]["pulumi-version"] for step in steps if "pulumi/" in step.get("uses", "")
    ]
    assert versions == [pulumi_cli.VERSION.removeprefix("v")]
