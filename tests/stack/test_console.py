"""Results on the standard output, progress on the standard error."""

import json

import pytest

from streaming_etl.stack.console import progress, show_json, show_progress, show_table


def test_a_table_aligns_numbers_and_does_not_wrap_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "k" * 300
    rows = [(long, 12_345, None), ("[x]", 1, 2)]
    show_table("A title longer than all", ["Key", "[b]", "n"], rows)
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "A title longer than all",
        f"{'Key':<300}     [b]  n",
        f"{long}  12,345",
        f"{'[x]':<300}       1  2",
    ]


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": ["[x]", None]})
    assert json.loads(capsys.readouterr().out) == {"a": ["[x]", None]}


@pytest.mark.parametrize("unit", [None, "objects"])
def test_progress_prints_nothing_on_the_standard_output(
    capsys: pytest.CaptureFixture[str], unit: str | None
) -> None:
    show_progress("Three objects.")
    with progress("Replaying", 3, unit=unit) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "Three objects.\n")
