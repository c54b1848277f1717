"""Every rule over good and bad resources, its messages compared whole."""

import pytest

from tests.policy import (
    bucket_cases,
    delivery_cases,
    managed_cases,
    other_cases,
    permission_cases,
    principal_cases,
    production_cases,
    stream_cases,
    trust_cases,
)
from tests.policy.cases import BY_NAME, Case

CASES = [
    *bucket_cases.CASES,
    *permission_cases.CASES,
    *principal_cases.CASES,
    *trust_cases.CASES,
    *managed_cases.CASES,
    *stream_cases.CASES,
    *delivery_cases.CASES,
    *other_cases.CASES,
    *production_cases.CASES,
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case.rule}: {case.says}" for case in CASES])
def test_a_rule_finds_what_breaks_it_and_nothing_else(case: Case) -> None:
    assert case.run() == list(case.found)


@pytest.mark.parametrize("broken", [False, True], ids=["good", "bad"])
def test_every_rule_has_cases(broken: bool) -> None:
    assert {case.rule for case in CASES if bool(case.found) is broken} == set(BY_NAME)
