"""What programs print, and what is drawn: each block is compared with its origin, or named here."""

import re

import yaml

from tests.docs.blocks import Block, DocError
from tests.docs.settings_blocks import refused

# Blocks that another test compares, by their page and a piece of their first line.
ELSEWHERE = {
    ("README.md", "From DynamoDB to Athena on this machine"): "tests/local/test_demo.py",
}
# Blocks that nothing checks, and why.
DRAWN = {
    ("README.md", "DynamoDB table"): "the flow in a picture; its words are no names of the code",
    ("docs/backfill.md", "Step Functions"): "the states in a picture, told by the prose below it",
}
REFUSAL = re.compile(r"tables\.orders\.(\w+): (\w+)=(\S+) .*")


def run(block: Block) -> None:
    text = block.text.strip()
    if match := REFUSAL.fullmatch(text):
        group, setting, value = match.groups()
        told = refused({group: {setting: yaml.safe_load(value)}})
        if told != text:
            raise DocError(f"the program says: {told}")
    elif not block.generated and not listed(block):
        raise DocError(
            "nothing is known to print it: compare it in tests/docs/text_blocks.py, or list it"
        )


def listed(block: Block) -> list[tuple[str, str]]:
    """The names by which the lists above have the block."""
    first = block.text.partition("\n")[0]
    return [key for key in (*ELSEWHERE, *DRAWN) if key[0] == block.page and key[1] in first]


def masked(text: str) -> list[str]:
    """The words of the demo's output without what differs from run to run."""
    lines: list[str] = []
    for line in text.splitlines():
        line = re.sub(r"-[0-9a-f]{7}\b", "-0", line.replace("partitions", "partition"))
        line = re.sub(r"[0-9a-f-]*\d[0-9a-f-]*", "0", line)
        line = " ".join(re.sub(r"0[0.,:T ]*0", "0", line).split())
        # When a day or an hour ends meanwhile, there is one folder more.
        if line not in lines[-1:]:
            lines.append(line)
    return " ".join(lines).split()
