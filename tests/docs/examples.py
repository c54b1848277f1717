"""Blocks that stand in a file of `examples/` too, where that file's own test runs them."""

from streaming_etl.stack.outputs import ROOT
from tests.docs.blocks import Block, DocError


def part_of_an_example(block: Block, pattern: str) -> None:
    """Refuse a block unless a file has all of its lines in this order, and maybe more between."""
    files = [path for path in ROOT.glob(f"examples/**/{pattern}") if path.is_file()]
    if not any(stands_in(block.text, path.read_text()) for path in files):
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in files) or "no file"
        raise DocError(f"it must be a part of a file below examples/; {names} has no such lines")
    if any(block.text.count(pair[0]) != block.text.count(pair[1]) for pair in ("()", "[]", "{}")):
        raise DocError("a bracket is opened and not closed, or the other way round")


def stands_in(part: str, text: str) -> bool:
    rest = iter(text.splitlines())
    # Asked whether it holds a line, an iterator goes on from where it was.
    return all(line in rest for line in part.splitlines() if line)
