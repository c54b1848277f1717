"""The pages, and what in them is run: fenced blocks, and commands between backticks."""

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from streaming_etl.stack.outputs import ROOT

# With these words a command begins; what else stands between backticks is a name.
COMMAND = re.compile(r"(make|pulumi|python3?|\S*/python|aws|git|uv)( |$)")
# Of those, the words that are also plain names.
BARE = re.compile(r"(pulumi|\S*python3?|aws|git|uv|make)$")


class DocError(AssertionError):
    """What a reader who does as the page says would meet."""


@dataclass(frozen=True)
class Block:
    """A fenced block, or with `inline` a command between backticks."""

    page: str
    line: int
    language: str
    text: str
    generated: bool = False
    """Whether it stands between marks, where the code writes it anew."""
    inline: bool = False

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that a reader is led to."""
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
    return [*found, *sorted(ROOT.glob("examples/**/README.md"))]


@cache
def all_blocks() -> tuple[Block, ...]:
    return tuple(
        block
        for page in pages()
        for block in blocks_of(page.relative_to(ROOT).as_posix(), page.read_text())
    )


def blocks_of(page: str, text: str) -> list[Block]:
    """What is to be run of a page with this text, in its order.

    A block that is only indented has no language, so it stands here with an empty one.
    """
    found, generated = [], generated_lines(text)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else 0
        if token.type in ("fence", "code_block"):
            marked = line in generated
            found.append(Block(page, line, token.info.strip(), token.content, marked))
        for child in token.children or ():
            if child.type == "code_inline" and is_command(child.content):
                found.append(Block(page, line, "sh", child.content, inline=True))
    return found


def is_command(code: str) -> bool:
    """Whether what stands between backticks is a command, not a name."""
    return bool(COMMAND.match(code)) and not BARE.match(code)


def generated_lines(text: str) -> set[int]:
    """The lines between `<!-- name -->` and `<!-- end of name -->`."""
    lines: set[int] = set()
    for match in re.finditer(r"<!-- ([\w ]+) -->\n.*?<!-- end of \1 -->", text, re.DOTALL):
        begin = text.count("\n", 0, match.start()) + 1
        lines |= set(range(begin, begin + match[0].count("\n") + 1))
    return lines


def at(block: Block, **changes: str) -> Block:
    """The block with another text or language: for what a runner finds inside of it."""
    return replace(block, **changes)  # type: ignore[arg-type]
