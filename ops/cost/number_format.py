"""Numbers as people write them, and as people read them."""

import re

UNITS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9}
AMOUNT = re.compile(r"(\d[\d_,]*(?:\.\d+)?|\.\d+)([kMB]?)")


def read_amount(text: str) -> float:
    """`2.5k`, `10M`, `1_000_000` as a number. Raises ValueError for anything else."""
    match = AMOUNT.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no number: digits, and k, M or B for thousands, millions and billions"
            " are allowed; write for example 10M or 2.5k."
        )
    return float(re.sub("[_,]", "", match[1])) * UNITS[match[2]]


def told(number: float) -> str:
    """A number to three figures: 0, 0.42, 17, 43.8k, 10M, 2.63B."""
    for unit, size in reversed(UNITS.items()):
        # What rounds up to the unit is told in it: 1M, not 1000k.
        if float(f"{number:.3g}") >= size:
            return f"{_three_figures(number / size)}{unit}"
    return _three_figures(number)


def _three_figures(number: float) -> str:
    text = f"{float(f'{number:.3g}'):.12f}".rstrip("0").rstrip(".")
    return text or "0"
