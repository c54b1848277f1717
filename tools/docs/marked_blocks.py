"""Generated blocks of a page, between begin and end comments."""

import re
from collections.abc import Callable, Mapping


def replace_blocks(page: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """The page with new text between `<!-- name -->` and `<!-- end of name -->`.

    blocks: the function that generates the text of each block, by its name.
    Raises ValueError unless the page has each block once.
    """
    for name, generate in blocks.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if len(pattern.findall(page)) != 1:
            raise ValueError(f"the page must contain {begin} ... {end} once")
        text = f"{begin}\n{generate()}\n{end}"
        page = pattern.sub(lambda _, text=text: text, page)
    return page
