"""Fail unless the commit of this run is main's newest.

    python3 .github/head.py

Reads GITHUB_SHA and what api.py reads.
"""

import os
import sys

from api import call


def main() -> None:
    # https://docs.github.com/en/rest/git/refs#get-a-reference
    head = call("GET", "git/ref/heads/main")["object"]["sha"]
    commit = os.environ["GITHUB_SHA"]
    if commit != head:
        sys.exit(
            f"::error::{commit} is not main's newest commit, {head} is: an update to the older one"
            " would take the newer one back. Nothing was updated; approve the run of the newest"
            " commit, or revert on main what shall not stay."
        )


if __name__ == "__main__":
    main()
