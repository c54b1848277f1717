"""Where the links of the pages lead, and the headings that they may lead to."""

import itertools
import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from streaming_etl.stack.outputs import ROOT


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def links(page: Path) -> list[str]:
    """The targets of the page's links, without those of the web."""
    found = [
        str(child.attrs["href"])
        for token in tokens(page)
        for child in token.children or ()
        if child.type == "link_open"
    ]
    return [link for link in found if not link.startswith(("http:", "https:", "mailto:"))]


def anchors(page: Path) -> set[str]:
    """What GitHub calls the page's headings: a repeated one has a number behind it."""
    found: list[str] = []
    listed = tokens(page)
    for begin, inline in itertools.pairwise(listed):
        if begin.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            found.append(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return {
        f"{name}-{before}" if (before := found[:index].count(name)) else name
        for index, name in enumerate(found)
    }


def broken(page: Path) -> list[str]:
    """The page's links that lead nowhere."""
    wrong = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        inside = target.resolve().is_relative_to(ROOT)
        if not inside or not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong
