"""`python -m tools.lint`: check words and first lines of docstrings."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = Path(__file__).with_name("words.txt")
# They quote old names, or are the list itself.
EXEMPT_FROM_WORDS = (
    "CHANGELOG.md",
    "LICENSE",
    "components/settings/renamed.py",
    "docs/migrate.md",
    "tools/lint/words.txt",
)
MAX_SUMMARY_WORDS = 12
# Dependencies and recorded data, not written by hand.
GENERATED = re.compile(r"(^|/)requirements.*\.txt$|/prices\.json$")


def tracked_files() -> list[str]:
    """All files that git tracks, relative to the project."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def patterns() -> list[tuple[re.Pattern[str], str]]:
    """Each pattern of words.txt with its replacement."""
    lines = [line for line in WORDS.read_text().splitlines() if line and line[0] != "#"]
    pairs = [line.split("\t") for line in lines]
    return [(re.compile(pattern, re.IGNORECASE), use) for pattern, use in pairs]


def word_findings(name: str, text: str) -> Iterator[str]:
    """One line per use of a word in words.txt."""
    for number, line in enumerate(text.splitlines(), 1):
        # An underscore or a capital joins words in names.
        words = re.sub(r"_|(?<=[a-z])(?=[A-Z])", " ", line)
        for pattern, use in patterns():
            if match := pattern.search(words):
                yield f"{name}:{number}: {match[0]!r}: use {use}"


def docstring_findings(name: str, text: str) -> Iterator[str]:
    """One line per docstring whose first line is not a short summary."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if not docstring:
            continue
        line = getattr(node, "lineno", 1)
        summary = docstring.splitlines()[0]
        # A command in backticks is the subject, not part of the sentence.
        words = re.sub(r"`[^`]*`:?", "X", summary).split()
        if len(words) > MAX_SUMMARY_WORDS:
            yield f"{name}:{line}: docstring begins with {len(words)} words: {summary!r}"


def findings() -> Iterator[str]:
    """Everything that has to be reworded."""
    for name in tracked_files():
        if GENERATED.search(name):
            continue
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue
        if name not in EXEMPT_FROM_WORDS:
            yield from word_findings(name, text)
        if name.endswith(".py"):
            yield from docstring_findings(name, text)


def main() -> int:
    """Print the findings; 1 if there are any."""
    lines = list(findings())
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
