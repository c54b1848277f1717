"""Query results that fit the terminal, and those that do not."""

import pytest

from local import console
from local.emulator.athena import QueryResult

RESULT = QueryResult(["id", "text"], [{"id": "1", "text": "x" * 90}, {"id": "2", "text": None}])


@pytest.mark.parametrize(
    ("width", "output"),
    [
        (80, f"\nid    1\ntext  {'x' * 90}\n\nid    2\ntext  \n"),
        (120, f"id  text{' ' * 86}\n1   {'x' * 90}\n2   {' ' * 90}\n"),
    ],
)
def test_a_result_wider_than_the_terminal_has_one_line_per_value(
    width: int, output: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.console, "width", width)

    console.print_query_result(RESULT)

    _, _, rows = capsys.readouterr().out.partition("\n")
    assert rows == output
