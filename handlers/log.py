"""Log lines as JSON objects: counts, ids and error types, never the content of a change."""

import json
from typing import Any


def log(level: str, message: str, **fields: Any) -> None:
    """Print one line; `message` is fixed text that metric filters match, the rest are fields."""
    print(json.dumps({"level": level, "message": message, **fields}))
