"""What the commands print: whole lines into a pipe, and no bar where nobody looks."""

import json

import pytest

from streaming_etl.stack.console import progress, say, show_json, show_table


def test_a_table_sets_numbers_apart_and_folds_nothing_in_a_pipe(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "k" * 300
    show_table(
        "A title longer than all", ["Key", "[b]", "n"], [(long, 12_345, None), ("[x]", 1, 2)]
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "A title longer than all",
        f"{'Key':<300}     [b]  n",
        f"{long}  12,345",
        f"{'[x]':<300}       1  2",
    ]


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"a": ["[x]", None]})
    assert json.loads(capsys.readouterr().out) == {"a": ["[x]", None]}


@pytest.mark.parametrize("unit", [None, "objects"])
def test_progress_and_remarks_leave_the_standard_output_alone(
    capsys: pytest.CaptureFixture[str], unit: str | None
) -> None:
    say("Three objects.")
    with progress("Putting back", 3, unit=unit) as advance:
        advance(3)
    assert capsys.readouterr() == ("", "Three objects.\n")
