"""Keep one comment of a name on a pull request: made the first time, changed after that.

    python .github/comment.py graph < graph.md

Reads GITHUB_TOKEN, GITHUB_REPOSITORY, GITHUB_API_URL and PULL_REQUEST, the number.
"""

import itertools
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any, Optional

from markdown import COMMENT_LIMIT

BOT = "github-actions[bot]"
PAGE = 100


def call(method: str, path: str, body: Optional[dict[str, str]] = None) -> Any:
    """GitHub's answer. Raises urllib.error.HTTPError where it refuses."""
    request = urllib.request.Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/issues/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def comments(pull_request: int) -> Iterator[dict[str, Any]]:
    for page in itertools.count(1):
        found = call("GET", f"{pull_request}/comments?per_page={PAGE}&page={page}")
        yield from found
        if len(found) < PAGE:
            return


def keep(name: str, text: str, pull_request: int) -> None:
    """Change the comment of that name, or make it. Others' comments are left alone."""
    mark = f"<!-- {name} -->\n"
    body = {"body": (mark + text)[:COMMENT_LIMIT]}
    for comment in comments(pull_request):
        if comment["user"]["login"] == BOT and comment["body"].startswith(mark):
            call("PATCH", f"comments/{comment['id']}", body)
            return
    call("POST", f"{pull_request}/comments", body)


if __name__ == "__main__":
    keep(sys.argv[1], sys.stdin.read(), int(os.environ["PULL_REQUEST"]))
