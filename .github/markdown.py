"""Pieces of Markdown for a comment or a job's summary."""

import html
import re

# GitHub refuses more: "body is too long (maximum is 65536 characters)".
COMMENT_LIMIT = 65_536
# What a report may hold of one output, so that the words around it fit too.
TEXT_LIMIT = 60_000


def folded(
    stack: str, outcome: str, text: str, language: str = "text", limit: int = TEXT_LIMIT
) -> str:
    """The text as a code block that opens at a click on the stack's outcome.

    Its middle is left out beyond the limit.
    """
    text = shortened(text.rstrip("\n"), limit)
    # Longer than any run of backticks in the text, so that nothing in it ends the block.
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    title = f"<b>{html.escape(stack)}</b>: {html.escape(outcome)}"
    return (
        f"<details><summary>{title}</summary>\n\n{fence}{language}\n{text}\n{fence}\n\n</details>\n"
    )


def shortened(text: str, limit: int) -> str:
    """The text's first and last lines, as many as the limit allows; the end tells the outcome."""
    if len(text) <= limit:
        return text
    lines = text.split("\n")
    head = kept(lines, limit // 2)
    tail = kept(lines[len(head) :][::-1], limit // 2)[::-1]
    left_out = len(lines) - len(head) - len(tail)
    return "\n".join(
        [*head, f"... {left_out:,} lines are left out, the job's log has them ...", *tail]
    )


def kept(lines: list[str], limit: int) -> list[str]:
    """The first lines that the limit allows."""
    size = 0
    for count, line in enumerate(lines):
        size += len(line) + 1
        if size > limit:
            return lines[:count]
    return lines
