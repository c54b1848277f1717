"""Results on the standard output, progress on the standard error."""

import json

import pytest

from streaming_etl.stack.console import (
    ProgressLines,
    printable,
    progress,
    show_json,
    show_progress,
    show_table,
)
from streaming_etl.stack.errors import CommandError


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


def test_long_work_without_a_terminal_prints_a_line_a_minute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 59.0, 60.0, 60.0, 61.0, 200.0, 200.0])
    lines = ProgressLines("Reading", 1500, "items", lambda: next(times))
    for done in (100, 1000, 200, 200):
        lines.advance(done)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.splitlines() == [
        "Reading: 1,100 of 1,500 items",
        "Reading: 1,500 of 1,500 items",
    ]


CONTROLS = "\x00\x07\x1b[31m\x7f\x85\x9b\u200e\u202e\u2066\u2028\ufeff\U000e0001"


def test_control_characters_are_escaped() -> None:
    escaped = r"\x00\x07\x1b[31m\x7f\x85\x9b\u200e\u202e\u2066\u2028\ufeff\U000e0001"
    assert printable(CONTROLS) == escaped
    assert printable("a\nb\r", keep="\n") == "a\nb\\r"
    assert printable("注文\u3000é 😀 \\") == "注文\u3000é 😀 \\"


def test_every_output_escapes_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("Keys", ["Key"], [[CONTROLS + "\n"]])
    show_progress(CONTROLS)
    show_json({"key": CONTROLS})
    CommandError(CONTROLS, code="failed").show()
    out, err = capsys.readouterr()
    assert json.loads(out[out.index("{") :]) == {"key": CONTROLS}
    assert {each for each in out + err if printable(each) != each} == {"\n"}
    assert out.splitlines()[2].startswith(printable(CONTROLS))
