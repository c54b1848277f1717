"""Values of YAML scalars; tests/engine/test_config_values.py compares them with the Pulumi CLI."""

from typing import Any

import pytest
import yaml

from streaming_etl.stack.pulumi_yaml import load

VALUES: dict[str, Any] = {
    "yes": "yes",
    "Off": "Off",
    "True": True,
    "FALSE": False,
    "tRUE": "tRUE",
    "~": None,
    "Null": None,
    '"5"': "5",
    "!!str 5": "5",
    '!!int "5"': 5,
    "!!float 5": 5,
    "!!float 1.5": 1.5,
    "!!bool True": True,
    "!!null ~": None,
    "!!timestamp 2026-11-23": "2026-11-23 00:00:00 +0000 UTC",
    "<<": "<<",
    "12:30": "12:30",
    "1e3": 1000,
    "1.50": 1.5,
    ".5e1": 5,
    "1_000": 1000,
    "_1": "_1",
    "._5": "._5",
    "-._5": -0.5,
    ".5_0": 0.5,
    "+1": 1,
    "-0": 0,
    "0o17": 15,
    "1e-400": 0,
    "1e-7": 1e-7,
    "0.0001": 0.0001,
    "5e-324": 5e-324,
    "{a: , b: []}": {"a": None, "b": []},
    "a\n      b": "a b",
    "|+\n      a\n      b\n": "a\nb\n",
    ">-\n      a\n      b": "a b",
    "010": 8,
    "08": 8,
    "-0o7": -7,
    "0o8": "0o8",
    "+0x10": 16,
    "-0b11": -3,
    "0b12": "0b12",
    "1e400": "1e400",
    "1e21": 1e21,
    "9223372036854775807": 9223372036854775807,
    # A float has fewer digits.
    "9223372036854775808": 9223372036854776000,
    "18446744073709551616": 18446744073709552000,
    "0xFFFFFFFFFFFFFFFF": 18446744073709552000,
    "0x10000000000000000": "0x10000000000000000",
    "2026-11-23": "2026-11-23 00:00:00 +0000 UTC",
    "2026-1-2": "2026-01-02 00:00:00 +0000 UTC",
    "2026-11-23 09:30:00": "2026-11-23 09:30:00 +0000 UTC",
    "2026-11-23T09:30:00.120Z": "2026-11-23 09:30:00.12 +0000 UTC",
    "2026-11-23T09:30:00-03:30": "2026-11-23 09:30:00 -0330 -0330",
    "2026-11-23T09:30:00-00:00": "2026-11-23 09:30:00 +0000 UTC",
    "0001-01-01": "0001-01-01 00:00:00 +0000 UTC",
    "2026-02-30": "2026-02-30",
    "2026-11-23T09:30:00": "2026-11-23T09:30:00",
    '"2026-11-23"': "2026-11-23",
}
"""The values of scalars."""


@pytest.mark.parametrize("scalar", VALUES)
def test_a_scalar_has_the_value_that_pulumi_reads(scalar: str) -> None:
    [value] = load(f"- {scalar}")
    assert (value, type(value)) == (VALUES[scalar], type(VALUES[scalar]))


def test_infinity_is_a_float() -> None:
    assert load("[.inf, -.INF]") == [float("inf"), float("-inf")]


def test_keys_are_scalars_and_maps_can_be_merged() -> None:
    assert load("on: 1\n5: 2\nnext: {<<: &all {a: 1, b: 2}, a: 3}\nlast: *all") == {
        "on": 1,
        5: 2,
        "next": {"a": 3, "b": 2},
        "last": {"a": 1, "b": 2},
    }


def test_a_merged_map_may_have_merged_and_overridden_keys() -> None:
    text = "all: &all {a: 0}\nin: {one: &one {<<: *all, a: 1}}\nnext: {<<: *one}"
    assert load(text) == {"all": {"a": 0}, "in": {"one": {"a": 1}}, "next": {"a": 1}}


@pytest.mark.parametrize("keys", ["b: 1, b: 1", "b: 1, 'b': 1", "1: a, '1': b", "<<: {}, <<: {}"])
def test_rejects_a_repeated_key(keys: str) -> None:
    with pytest.raises(yaml.YAMLError) as raised:
        load(f"a:\n  {{{keys}}}")
    assert raised.value.problem_mark.line == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("scalar", ["!!bool yes", "!!null x", "!!int x", "!!int 1.5", "!!float x"])
def test_rejects_a_value_of_another_type_than_its_tag(scalar: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load(f"- {scalar}")
