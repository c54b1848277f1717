"""Golden files and generated blocks of the pages are up to date.

`make golden` writes both. No other test compares sentences, so that anybody can reword them.
"""

from types import ModuleType

import pytest

from tools.docs.__main__ import GENERATORS, regenerated
from tools.messages.__main__ import GOLDEN, kinds, rendered


@pytest.mark.parametrize("kind", kinds())
def test_messages_are_those_of_the_golden_file(kind: str) -> None:
    assert rendered(kind) == (GOLDEN / f"{kind}.txt").read_text(), "run `make golden` and review"


def test_every_golden_file_has_its_messages() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == kinds()


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda module: module.PAGE.name)
def test_generated_blocks_of_pages_are_up_to_date(generator: ModuleType) -> None:
    assert regenerated(generator) == generator.PAGE.read_text(), "run `make golden` and review"
