"""Pages that hold blocks told by the code, each between its marks."""

import re
from collections.abc import Callable, Mapping


def told_anew(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The page with what stands between `<!-- name -->` and `<!-- end of name -->` told anew.

    Raises ValueError when a block is not there once.
    """
    for name, tell in blocks.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise ValueError(f"the page must hold {begin} ... {end} once")
        text = f"{begin}\n{tell()}\n{end}"
        page = pattern.sub(lambda _, text=text: text, page)
    return page
