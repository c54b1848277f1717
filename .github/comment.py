"""Keep one comment of a name on a pull request: made the first time, changed after that.

    python .github/comment.py graph < graph.md

Reads PULL_REQUEST, the number, and what api.py reads.
"""

import itertools
import os
import sys
from collections.abc import Iterator
from typing import Any

from api import call
from markdown import COMMENT_LIMIT

BOT = "github-actions[bot]"
PAGE = 100


def comments(pull_request: int) -> Iterator[dict[str, Any]]:
    for page in itertools.count(1):
        found = call("GET", f"issues/{pull_request}/comments?per_page={PAGE}&page={page}")
        yield from found
        if len(found) < PAGE:
            return


def keep(name: str, text: str, pull_request: int) -> None:
    """Change the comment of that name, or make it. Others' comments are left alone."""
    mark = f"<!-- {name} -->\n"
    body = {"body": (mark + text)[:COMMENT_LIMIT]}
    for comment in comments(pull_request):
        if comment["user"]["login"] == BOT and comment["body"].startswith(mark):
            call("PATCH", f"issues/comments/{comment['id']}", body)
            return
    call("POST", f"issues/{pull_request}/comments", body)


if __name__ == "__main__":
    keep(sys.argv[1], sys.stdin.read(), int(os.environ["PULL_REQUEST"]))
