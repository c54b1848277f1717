"""`make docs`: write the generated blocks of all pages.

Each generator has a `PAGE`, a path, and `BLOCKS`, a function for each named block of the page.
"""

from types import ModuleType

from tools.docs import (
    compare_page,
    cost_page,
    freshness_page,
    many_tables_page,
    operate_page,
    policies_page,
    runbook_page,
    settings_tables,
    transforms_page,
)
from tools.docs.marked_blocks import replace_blocks

GENERATORS: tuple[ModuleType, ...] = (
    compare_page,
    cost_page,
    freshness_page,
    many_tables_page,
    operate_page,
    policies_page,
    runbook_page,
    settings_tables,
    transforms_page,
)


def regenerated(generator: ModuleType) -> str:
    """The text of the generator's page with new blocks."""
    return replace_blocks(generator.PAGE.read_text(), generator.BLOCKS)


def main() -> None:
    """Write every page."""
    for generator in GENERATORS:
        generator.PAGE.write_text(regenerated(generator))


if __name__ == "__main__":
    main()
