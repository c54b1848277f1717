"""A block's language, and how a block of it is run."""

import re
from collections.abc import Callable
from typing import Optional

import click

from tests.docs import (
    aws_cli,
    json_blocks,
    programs,
    pulumi_cli,
    python_blocks,
    settings_blocks,
    sql_blocks,
    text_blocks,
)
from tests.docs.blocks import Block, DocError
from tests.docs.examples import part_of_an_example
from tests.docs.shell import Words, commands

# Their words are taken apart, and no more.
ANY_WORDS = {"cat", "cd", "cp", "echo", "export", "jq", "mkdir"}

PROGRAMS: dict[str, Callable[[Words, bool], None]] = {
    "aws": aws_cli.check,
    "git": programs.git,
    "make": programs.make,
    "pip": programs.pip,
    "pulumi": lambda words, _: pulumi_cli.check(words),
    "python": programs.python,
    "uv": programs.uv,
}


def fault(block: Block) -> Optional[str]:
    """What is wrong with the block, and where it stands; None when it runs."""
    try:
        run(block)
    except Exception as error:
        reason = error.format_message() if isinstance(error, click.ClickException) else str(error)
        told = reason if isinstance(error, DocError) else f"{type(error).__name__}: {reason}"
        return f"{block}: {told}\n\n{block.text}"
    return None


def run(block: Block) -> None:
    if block.language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise DocError(f"its language is {block.language!r}; there are runners for {known}")
    LANGUAGES[block.language](block)


def shell(block: Block) -> None:
    for name, *words in commands(block.text):
        # An environment of the repository, or one of the reader's own.
        name = re.sub(r"^(policy/)?\.venv/bin/", "", name)
        if name in PROGRAMS:
            PROGRAMS[name](words, block.inline)
        elif name not in ANY_WORDS:
            raise DocError(f"nothing is known of the command {name!r}; see tests/docs/runners.py")


def drawn_by_the_code(block: Block) -> None:
    if not block.generated:
        raise DocError("a picture stands between the marks of what the code writes anew")


LANGUAGES: dict[str, Callable[[Block], None]] = {
    "json": json_blocks.run,
    "mermaid": drawn_by_the_code,
    "python": python_blocks.run,
    "sh": shell,
    "sql": sql_blocks.run,
    "text": text_blocks.run,
    "typescript": lambda block: part_of_an_example(block, "*.ts"),
    "yaml": settings_blocks.run,
}
