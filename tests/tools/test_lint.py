"""The check of words and of first lines of docstrings."""

import pytest

from tools.lint.__main__ import docstring_findings, findings, patterns, word_findings

# Spelled in two parts, because the check reads this file too.
FIRST, SECOND = "to" + "ld", "refu" + "sed"


@pytest.mark.parametrize(
    "line",
    [
        f"The caller is {FIRST}.",
        f"is_{SECOND} = True",
        f"const was{SECOND.title()} = 1",
        "It is set a" + "side.",
        "A setting of it" + "s own.",
    ],
)
def test_reports_each_word_of_the_list(line: str) -> None:
    assert len(list(word_findings("file.py", line))) == 1


@pytest.mark.parametrize("line", ["The toldo is open.", "amendment", "put the record back"])
def test_accepts_words_that_only_contain_one(line: str) -> None:
    assert list(word_findings("file.py", line)) == []


def test_reports_a_docstring_that_begins_with_more_than_twelve_words() -> None:
    twelve = " ".join(["word"] * 12)
    source = f'"""{twelve}."""\n\n\ndef f():\n    """{twelve} more."""\n'
    assert [line.split(": ")[0] for line in docstring_findings("file.py", source)] == ["file.py:4"]


def test_each_pattern_has_a_replacement() -> None:
    assert all(use for _, use in patterns())


def test_finds_nothing_in_the_project() -> None:
    assert list(findings()) == []
