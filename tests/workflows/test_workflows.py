"""The workflows have few rights and run pinned code only."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflows.scripts import GITHUB, ROOT

WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted(GITHUB.glob("actions/*/action.yml"))]
MAKEFILE = (ROOT / "Makefile").read_text()
PULL_REQUEST = "${{ github.event.pull_request.number }}"


def read(path: Path) -> dict[str, Any]:
    # All as text: else `on` is read as a yes.
    document: dict[str, Any] = yaml.load(path.read_text(), yaml.BaseLoader)
    return document


def jobs() -> dict[str, dict[str, Any]]:
    return {
        f"{path.stem} {name}": job for path in WORKFLOWS for name, job in read(path)["jobs"].items()
    }


def steps() -> Iterator[dict[str, Any]]:
    for job in jobs().values():
        yield from job.get("steps", ())
    for path in GITHUB.glob("actions/*/action.yml"):
        yield from read(path)["runs"]["steps"]


RUNS = [step["run"] for step in steps() if "run" in step]


def test_the_workflows_run_for_a_pull_request_and_for_main_without_the_rights_of_a_target() -> None:
    assert {path.stem: read(path)["on"] for path in WORKFLOWS} == {
        "checks": {"workflow_call": ""},
        "main": {"push": {"branches": ["main"]}},
        "pull-request": {"pull_request": ""},
    }


def test_a_workflow_has_no_rights_and_each_job_just_those_it_needs() -> None:
    assert [read(path)["permissions"] for path in WORKFLOWS] == [{}] * 3
    read_only = {"contents": "read"}
    assert {name: job["permissions"] for name, job in jobs().items()} == {
        "checks check": read_only,
        "main checks": read_only,
        "main plan": read_only,
        "main preview": {**read_only, "id-token": "write"},
        "main up": {**read_only, "id-token": "write"},
        "pull-request checks": read_only,
        "pull-request plan": read_only,
        "pull-request graph": {**read_only, "pull-requests": "write"},
        "pull-request preview": {**read_only, "id-token": "write", "pull-requests": "write"},
        "pull-request gate": {},
    }


def test_every_job_that_runs_has_a_time_out() -> None:
    limits = {name: job.get("timeout-minutes") for name, job in jobs().items()}
    calls = {name for name, job in jobs().items() if "uses" in job}
    assert {name for name, limit in limits.items() if limit is None} == calls
    assert calls == {"main checks", "pull-request checks"}


def test_no_long_lived_key_is_used() -> None:
    assert [path.name for path in FILES if "secrets." in path.read_text()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_action_is_pinned_by_its_commit_with_its_version_beside_it(path: Path) -> None:
    uses = re.findall(r"^ *(?:- )?uses: (.*)$", path.read_text(), re.MULTILINE)
    pinned = r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+"
    own = r"\./\.github/[\w/.-]+"
    assert uses
    assert [use for use in uses if not re.fullmatch(f"{pinned}|{own}", use)] == []


def test_an_action_has_one_version_in_all_files() -> None:
    text = "".join(path.read_text() for path in FILES)
    versions = set(re.findall(r"uses: ([\w/-]+)@(\w+ # \S+)", text))
    assert sorted(name for name, _ in versions) == [
        "actions/checkout",
        "actions/setup-python",
        "aws-actions/configure-aws-credentials",
        "pulumi/actions",
    ]


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == 7
    assert {step["with"]["persist-credentials"] for step in checkouts} == {"false"}


def test_no_shell_holds_an_expression_that_somebody_else_could_write_commands_into() -> None:
    assert len(RUNS) > 10
    assert [run for run in RUNS if "${{" in run] == []


def test_every_make_target_script_and_environment_that_a_shell_names_exists() -> None:
    named = set(re.findall(r"\bmake (\S+)", "\n".join(RUNS)))
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert named - targets == {re.search(r"^INSTALLED := (\S+)$", MAKEFILE, re.MULTILINE)[1]}  # type: ignore[index]
    scripts = set(re.findall(r"\.github/\w+\.py", "\n".join(RUNS)))
    assert len(scripts) == 5
    assert {name for name in scripts if not (ROOT / name).is_file()} == set()


def test_a_run_of_a_pull_request_gives_way_to_a_newer_one_and_an_update_never_does() -> None:
    groups = {path.stem: read(path).get("concurrency") for path in WORKFLOWS}
    groups |= {name: job.get("concurrency") for name, job in jobs().items()}
    assert {name: group for name, group in groups.items() if group is not None} == {
        "pull-request": {"group": f"pull-request-{PULL_REQUEST}", "cancel-in-progress": "true"},
        "main up": {"group": "up-${{ matrix.stack }}", "cancel-in-progress": "false"},
    }


def test_a_role_is_held_as_long_as_the_longest_job_that_asks_for_one_may_take() -> None:
    limits = [
        int(job["timeout-minutes"]) for job in jobs().values() if "id-token" in job["permissions"]
    ]
    asked = [step for step in steps() if "role-to-assume" in step.get("with", {})]
    assert [int(step["with"]["role-duration-seconds"]) for step in asked] == [60 * max(limits)]


def test_what_runs_within_reach_of_a_role_is_pinned_by_its_hash_and_built_by_nobody() -> None:
    action = read(GITHUB / "actions" / "pulumi" / "action.yml")
    assert [step["run"] for step in action["runs"]["steps"] if "run" in step] == [
        "for directory in . policy; do\n"
        '  python -m venv "$directory/.venv"\n'
        '  "$directory/.venv/bin/pip" install --quiet --disable-pip-version-check'
        ' --only-binary :all: --require-hashes -r "$directory/requirements.txt"\n'
        "done\n",
        "pulumi install --no-dependencies",
    ]


def test_the_log_shows_no_variable_but_those_that_are_used() -> None:
    text = "".join(path.read_text() for path in FILES)
    assert re.findall(r"toJSON\(.*?\)", text, re.IGNORECASE) == []
    plans = [jobs()[f"{name} plan"]["steps"][-1]["env"] for name in ("main", "pull-request")]
    names = ("PULUMI_BACKEND_URL", "AWS_PREVIEW_ROLE_ARN", "AWS_PREVIEW_ROLE_ARNS")
    assert plans == [{name: "${{ vars." + name + " }}" for name in names}] * 2


def test_a_fork_gets_no_preview_and_no_comment() -> None:
    found = jobs()
    assert found["pull-request plan"]["outputs"]["trusted"] == (
        "${{ github.event.pull_request.head.repo.full_name == github.repository"
        " && github.event.pull_request.user.login != 'dependabot[bot]'"
        " && github.actor != 'dependabot[bot]' }}"
    )
    trusted = "needs.plan.outputs.trusted == 'true'"
    # Nothing that fails its checks gets a role.
    assert found["pull-request preview"]["needs"] == ["checks", "plan"]
    assert found["pull-request preview"]["if"].startswith(f"{trusted} && ")
    graph = found["pull-request graph"]["steps"]
    assert [step["if"] for step in graph if "GITHUB_TOKEN" in step.get("env", {})] == [trusted]


def test_an_update_follows_the_checks_and_a_preview_and_waits_for_its_environment() -> None:
    found = jobs()
    assert found["main preview"]["needs"] == ["checks", "plan"]
    assert found["main up"]["needs"] == ["plan", "preview"]
    assert {name: job["environment"] for name, job in found.items() if "environment" in job} == {
        "main up": "${{ matrix.stack }}"
    }


def test_an_update_begins_with_asking_whether_its_commit_is_still_the_newest() -> None:
    update = jobs()["main up"]["steps"]
    asked = [step.get("run") for step in update].index("python3 .github/head.py")
    assert [step["uses"].split("@")[0] for step in update[:asked] if "uses" in step] == [
        "actions/checkout"
    ]
    assert update[asked]["env"] == {"GITHUB_TOKEN": "${{ github.token }}"}


def test_preview_and_update_hold_every_stack_against_the_policies() -> None:
    update = jobs()["main up"]["steps"][-1]["run"]
    assert update == (
        'pulumi up --yes --stack "$STACK" --policy-pack policy --policy-pack-config '
        "policy/config.json --non-interactive --color never --suppress-progress"
    )
    preview = (GITHUB / "preview.py").read_text()
    assert '*("--policy-pack", "policy"),' in preview
    assert '*("--policy-pack-config", "policy/config.json"),' in preview
    config = json.loads((ROOT / "policy" / "config.json").read_text())
    assert {"production-data-kept", "production-buckets-versioned"} <= set(config)


def test_the_checks_run_on_every_python_from_the_oldest_that_is_supported() -> None:
    pythons = jobs()["checks check"]["strategy"]["matrix"]["python"]
    minors = [int(python.removeprefix("3.")) for python in pythons]
    assert minors == list(range(minors[0], minors[-1] + 1))
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["requires-python"] == f">={pythons[0]}"
    assert settings["tool"]["mypy"]["python_version"] == pythons[0]
    assert f"sys.version_info < (3, {minors[0]})" in MAKEFILE
    others = {
        step["with"]["python-version"]
        for step in steps()
        if "python-version" in step.get("with", {})
    }
    assert others - {"${{ matrix.python }}"} <= set(pythons)


def test_dependabot_watches_every_place_that_pins_something() -> None:
    watched = {
        update["package-ecosystem"]: sorted(update["directories"])
        for update in read(GITHUB / "dependabot.yml")["updates"]
    }
    present = {
        "github-actions": ["/", *places("action.yml", ".github/actions/*")],
        "pip": places("requirements.txt", "*"),
        "npm": places("package.json", "examples/*"),
    }
    assert watched == {kind: found for kind, found in present.items() if found}


def places(file: str, below: str) -> list[str]:
    found = [*ROOT.glob(file), *ROOT.glob(f"{below}/{file}")]
    return sorted(f"/{path.parent.relative_to(ROOT)}".removesuffix(".") for path in found)
