"""Numbers as people write and read them."""

import pytest

from streaming_etl.ops.cost.number_format import read_amount, told


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("10M", 1e7), ("2.5k", 2_500), ("1B", 1e9), ("0", 0), (".5", 0.5)),
        *(("1_000_000", 1e6), ("1,000", 1_000), (" 7 ", 7)),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, number: float) -> None:
    assert read_amount(text) == number


@pytest.mark.parametrize("text", ["", "M", "10m", "-1", "1e6", "1.2.3", "_1", "ten", "1 M", "inf"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no number: digits, and k, M or B"):
        read_amount(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0, "0"), (0.00512, "0.00512"), (0.5, "0.5"), (17.07, "17.1"), (300, "300")),
        *((999.4, "999"), (999.6, "1k"), (1_000, "1k"), (43_800, "43.8k"), (999_999, "1M")),
        *((1e7, "10M"), (2.628e9, "2.63B"), (1e12, "1000B")),
    ],
)
def test_a_number_is_told_to_three_figures(number: float, text: str) -> None:
    assert told(number) == text
