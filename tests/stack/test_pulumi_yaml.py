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
    "12:30": "12:30",
    "1e3": 1000,
    "1.50": 1.5,
    ".5e1": 5,
    "1_000": 1000,
    "_1": "_1",
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
    "2026-11-23": "2026-11-23 00:00:00 +0000 UTC",
    "2026-1-2": "2026-01-02 00:00:00 +0000 UTC",
    "2026-11-23 09:30:00": "2026-11-23 09:30:00 +0000 UTC",
    "2026-11-23T09:30:00.120Z": "2026-11-23 09:30:00.12 +0000 UTC",
    "2026-11-23T09:30:00-03:30": "2026-11-23 09:30:00 -0330 -0330",
    "2026-02-30": "2026-02-30",
    "2026-11-23T09:30:00": "2026-11-23T09:30:00",
    '"2026-11-23"': "2026-11-23",
}
"""The values of scalars."""


@pytest.mark.parametrize("scalar", VALUES)
def test_a_scalar_has_the_value_that_pulumi_reads(scalar: str) -> None:
    [value] = load(f"- {scalar}")
    assert (value, type(value)) == (VALUES[scalar], type(VALUES[scalar]))


def test_a_number_without_an_end_is_no_number() -> None:
    assert load("[.inf, -.INF]") == [float("inf"), float("-inf")]


def test_keys_are_scalars_and_maps_can_be_merged() -> None:
    assert load("on: 1\n5: 2\nnext: {<<: &all {a: 1, b: 2}, a: 3}\nlast: *all") == {
        "on": 1,
        5: 2,
        "next": {"a": 3, "b": 2},
        "last": {"a": 1, "b": 2},
    }


def test_rejects_a_repeated_key() -> None:
    with pytest.raises(yaml.YAMLError):
        load("a: {b: 1, b: 1}")
