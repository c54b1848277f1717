"""GitHub's REST API, of the repository whose workflow runs."""

import json
import os
import urllib.request
from typing import Any, Optional


def call(method: str, path: str, body: Optional[dict[str, str]] = None) -> Any:
    """GitHub's answer. Raises urllib.error.HTTPError where it refuses.

    Reads GITHUB_TOKEN, GITHUB_REPOSITORY and GITHUB_API_URL.
    """
    request = urllib.request.Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
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
