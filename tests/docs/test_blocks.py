"""Every block and every command of every page runs, as far as it can without an account."""

import pytest

from tests.docs.blocks import Block, all_blocks
from tests.docs.runners import LANGUAGES, fault
from tests.docs.text_blocks import DRAWN, ELSEWHERE, listed


@pytest.mark.parametrize("block", all_blocks(), ids=str)
def test_it_does_what_its_page_says(block: Block) -> None:
    if wrong := fault(block):
        pytest.fail(wrong, pytrace=False)


def test_blocks_are_found_on_every_page_that_has_some() -> None:
    found = {(block.page, block.language) for block in all_blocks() if not block.inline}
    expected = {("README.md", kind) for kind in ("python", "sh", "text", "yaml")}
    assert expected <= found
    assert {("docs/runbook.md", "sh"), ("docs/replay.md", "json")} <= found
    assert {language for _, language in found} <= set(LANGUAGES)


def test_every_block_that_is_listed_as_compared_elsewhere_or_not_at_all_is_there() -> None:
    found = [key for block in all_blocks() if block.language == "text" for key in listed(block)]
    assert sorted(found) == sorted([*ELSEWHERE, *DRAWN])
