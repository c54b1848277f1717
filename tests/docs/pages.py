"""The project's pages as parsed Markdown: fenced blocks, links and headings."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page for readers."""
    names = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/**/README.md")
    return sorted(path for name in names for path in ROOT.glob(name))


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def blocks(language: str) -> list[Block]:
    """The fenced blocks of all pages in a language."""
    return [
        Block(str(page.relative_to(ROOT)), token.map[0] + 1 if token.map else 0, language, code)
        for page in pages()
        for token in tokens(page)
        if token.type == "fence" and token.info.strip() == language and (code := token.content)
    ]


def links(page: Path) -> list[str]:
    """The targets of the page's links, without those to the web."""
    targets = [
        str(child.attrs["href"])
        for token in tokens(page)
        for child in token.children or ()
        if child.type == "link_open"
    ]
    return [link for link in targets if not link.startswith(("http:", "https:", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """Names of the page's headings on GitHub, numbered when repeated."""
    names: list[str] = []
    for begin, inline in itertools.pairwise(tokens(page)):
        if begin.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            names.append(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return {
        f"{name}-{count}" if (count := names[:index].count(name)) else name
        for index, name in enumerate(names)
    }
