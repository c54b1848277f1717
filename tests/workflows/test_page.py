"""docs/pull-requests.md names what the workflows use."""

import json
import re

from tests.workflows.scripts import GITHUB, ROOT
from tests.workflows.test_stacks import BACKEND, OWN, SHARED
from tests.workflows.test_workflows import FILES, MAKEFILE, jobs

PAGE = ROOT / "docs" / "pull-requests.md"
TEXT = PAGE.read_text()


def test_the_variables_of_the_page_are_those_of_the_workflows() -> None:
    used = set(re.findall(r"\bvars\.(\w+)", "".join(path.read_text() for path in FILES)))
    named = set(re.findall(r"\b(?:AWS|PULUMI)_\w+", TEXT))
    assert named == used == {BACKEND, SHARED, OWN, "AWS_DEPLOY_ROLE_ARN"}


def test_the_roles_trust_just_the_runs_that_ask_for_them() -> None:
    assert set(re.findall(r'"repo:example@1111111/streaming-etl@2222222:(.*)"', TEXT)) == {
        *("pull_request", "ref:refs/heads/main", "environment:dev")
    }
    asking = {name for name, job in jobs().items() if "id-token" in job["permissions"]}
    assert asking == {"pull-request preview", "main preview", "main up"}


def test_a_preview_may_read_but_neither_write_nor_see_data() -> None:
    policies = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)]
    preview = next(it["Statement"] for it in policies if "s3:GetObject" in json.dumps(it))
    state = "arn:aws:s3:::example-pulumi-state"
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert [(it["Action"], it["Resource"]) for it in preview] == [
        ("s3:ListBucket", state),
        ("s3:GetObject", f"{state}/*"),
        ("kms:Decrypt", key),
        (
            [
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:DescribeTimeToLive",
                "dynamodb:ListTagsOfResource",
            ],
            "arn:aws:dynamodb:ap-northeast-1:123456789012:table/*",
        ),
        ("states:ValidateStateMachineDefinition", "*"),
    ]


def test_main_requires_the_one_check_that_fails_for_what_did_not_run() -> None:
    required = re.search(
        r"^\*\*8\. Protect main\*\*.*?the check `(\w+)` to pass", TEXT, re.MULTILINE
    )
    assert required is not None
    assert f"pull-request {required[1]}" in jobs()


def test_the_page_tells_when_an_update_is_cut_off() -> None:
    assert f"may, {jobs()['main up']['timeout-minutes']} minutes, is cut off" in TEXT


def test_the_page_s_links_and_make_targets_exist() -> None:
    links = re.findall(r"\]\((?!http|#)([^)#]+)", TEXT)
    assert len(links) > 2
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
    assert (GITHUB / "stacks.py").read_text().count("docs/pull-requests.md") == 1
    targets = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"^make (\w+)", TEXT, re.MULTILINE)) <= targets
