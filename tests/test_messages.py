"""Golden files contain every sentence that users see."""

import pytest

from tools.messages.__main__ import GOLDEN, kinds, rendered


@pytest.mark.parametrize("kind", kinds())
def test_messages_are_those_of_the_golden_file(kind: str) -> None:
    assert rendered(kind) == (GOLDEN / f"{kind}.txt").read_text(), "run `make golden` and review"


def test_every_golden_file_has_its_messages() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.txt")) == kinds()
