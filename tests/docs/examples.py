"""Blocks that stand in a file of `examples/` too, where that file's own test runs them."""

from ops.stack import ROOT
from tests.docs.blocks import Block, DocError


def part_of_an_example(block: Block, pattern: str) -> None:
    files = [path for path in ROOT.glob(f"examples/**/{pattern}") if path.is_file()]
    if not any(block.text.strip() in path.read_text() for path in files):
        names = ", ".join(path.relative_to(ROOT).as_posix() for path in files) or "no file"
        raise DocError(f"it must be a part of a file below examples/; {names} has no such lines")
