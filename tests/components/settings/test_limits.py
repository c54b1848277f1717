"""Checks of all fields of all settings by their metadata."""

import dataclasses
from typing import Any, Optional, get_args

import pytest

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import GROUPS
from streaming_etl.components.settings.validation import field_problems
from tests.support.problems import places, problems_of

CLASSES: list[Any] = [StreamingEtlPipelineArgs, *GROUPS.values()]
FIELDS = [(cls, item) for cls in CLASSES for item in dataclasses.fields(cls)]


def declared(*keys: str) -> Any:
    """A parameter set of all fields whose metadata have these keys."""
    fields = [(cls, item) for cls, item in FIELDS if all(key in item.metadata for key in keys)]
    return pytest.mark.parametrize(
        ("cls", "item"), fields, ids=[f"{cls.__name__}.{item.name}" for cls, item in fields]
    )


def rules(cls: type, item: Any, value: object) -> list[str]:
    return [problem.rule for problem in field_problems(cls, item, value)]


def test_every_number_has_limits_or_choices() -> None:
    numbers = (int, float, Optional[int], Optional[float])
    free = [item.name for _, item in FIELDS if item.type in numbers and not item.metadata]
    assert free == []


def test_every_text_has_a_pattern_or_choices() -> None:
    assert [item.name for _, item in FIELDS if item.type is str and not item.metadata] == []


@declared("low", "high")
def test_rejects_numbers_outside_the_limits(cls: type, item: Any) -> None:
    low, high = item.metadata["low"], item.metadata["high"]
    for value in (low - 1, high + 1):
        [problem] = field_problems(cls, item, value)
        assert (problem.field, problem.value, problem.rule) == (item.name, value, "range")
        assert (problem.details["low"], problem.details["high"]) == (low, high)
    assert rules(cls, item, low) == rules(cls, item, high) == []
    not_a_number = float("nan") if isinstance(low, float) else low + 0.5
    assert rules(cls, item, not_a_number) == ["range" if isinstance(low, float) else "type"]


@declared("low")
@pytest.mark.parametrize("value", [True, "5", [5], {}])
def test_rejects_other_types_than_numbers(cls: type, item: Any, value: object) -> None:
    assert rules(cls, item, value) == ["type"]


@declared("choices")
def test_rejects_other_values_than_the_choices(cls: type, item: Any) -> None:
    for value in ("hive", "", True, 30.0, ["S"]):
        [problem] = field_problems(cls, item, value)
        assert (problem.rule, problem.details["choices"]) == ("choice", item.metadata["choices"])
    for choice in item.metadata["choices"]:
        assert rules(cls, item, choice) == []


@declared("pattern")
def test_rejects_other_types_than_text(cls: type, item: Any) -> None:
    assert [rules(cls, item, value) for value in (7, ["a"], True)] == [["type"]] * 3
    assert rules(cls, item, "") == ["pattern"]


@declared("entry")
@pytest.mark.parametrize("value", [None, 5, {"a": 1}])
def test_rejects_other_types_than_lists(cls: type, item: Any, value: object) -> None:
    assert rules(cls, item, value) == ["type"]


@declared("entry")
def test_checks_a_text_as_a_list_of_one_where_it_is_accepted(cls: type, item: Any) -> None:
    as_list = rules(cls, item, ["--"]) if item.metadata["or_text"] else ["type"]
    assert rules(cls, item, "--") == as_list != []


SWITCHES = [(cls, item) for cls, item in FIELDS if item.type in (bool, Optional[bool])]


@pytest.mark.parametrize(("cls", "item"), SWITCHES)
@pytest.mark.parametrize("value", ["yes", 1])
def test_rejects_other_types_than_true_and_false(cls: type, item: Any, value: object) -> None:
    assert rules(cls, item, value) == ["type"]


def test_accepts_none_for_optional_settings_and_no_others() -> None:
    wrong = [
        item.name
        for cls, item in FIELDS
        if (not rules(cls, item, None)) != (type(None) in get_args(item.type))
    ]
    assert wrong == []


@pytest.mark.parametrize("group", GROUPS)
def test_rejects_a_dict_in_the_place_of_a_group(group: str) -> None:
    settings = {"table_name": "orders", "transform_module": "m.py"}
    partitions = GROUPS["partitions"]()
    problems = problems_of(
        StreamingEtlPipelineArgs, **{"partitions": partitions, **settings, group: {}}
    )
    assert places(problems) == [("", group, "type")]
