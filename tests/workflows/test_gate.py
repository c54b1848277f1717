"""The one check that main requires fails for whatever did not run as it should."""

import re
from typing import Any

import pytest

from tests.workflows.test_workflows import jobs

PASSED = {"checks": "success", "plan": "success", "graph": "success", "preview": "success"}
SET_UP = {"trusted": "true", "stacks": '[{"stack": "dev"}]'}


def fails(results: dict[str, str], plan: dict[str, str]) -> bool:
    """Whether the gate's step runs, which fails; GitHub's operators bind as Python's do."""
    needs = {name: {"result": result, "outputs": {}} for name, result in results.items()}
    needs["plan"]["outputs"] = plan
    (step,) = jobs()["pull-request gate"]["steps"]
    assert step["run"].endswith("\nexit 1\n")
    condition = (
        step["if"].replace("&&", "and").replace("||", "or").replace(".outputs", "['outputs']")
    )
    condition = re.sub(r"\bneeds\.(\w+)", r"needs['\1']", condition)
    condition = re.sub(r"\]\.(\w+)", r"].get('\1', '')", condition)
    failed: Any = eval(condition, {"__builtins__": {}}, {"needs": needs})
    return bool(failed)


def test_the_gate_runs_whatever_became_of_the_jobs_and_waits_for_all() -> None:
    found = jobs()
    gate = found["pull-request gate"]
    assert gate["if"] == "always()"
    others = [name.removeprefix("pull-request ") for name in found if "pull-request " in name]
    assert [*gate["needs"], "gate"] == others


def test_what_passed_is_let_through() -> None:
    assert not fails(PASSED, SET_UP)


@pytest.mark.parametrize("result", ["failure", "cancelled", "skipped"])
@pytest.mark.parametrize("job", PASSED)
def test_what_did_not_pass_is_not(job: str, result: str) -> None:
    assert fails({**PASSED, job: result}, SET_UP)


@pytest.mark.parametrize("plan", [{**SET_UP, "trusted": "false"}, {**SET_UP, "stacks": "[]"}])
def test_a_preview_may_be_left_out_where_there_can_be_none(plan: dict[str, str]) -> None:
    assert not fails({**PASSED, "preview": "skipped"}, plan)
    assert fails({**PASSED, "preview": "failure"}, plan)
    # A preview is also left out where the checks failed.
    assert fails({**PASSED, "checks": "failure", "preview": "skipped"}, plan)
