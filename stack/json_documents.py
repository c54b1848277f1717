"""Splits text into the JSON documents that it holds."""

import json
from collections.abc import Iterator
from typing import Any

_DECODER = json.JSONDecoder()


def json_documents(text: str, decoder: json.JSONDecoder = _DECODER) -> Iterator[tuple[int, Any]]:
    """Yield each document with its offset; white space between them is optional.

    Raises JSONDecodeError at the first invalid one, after those before it.
    """
    begin = 0
    while begin < len(text):
        if text[begin].isspace():
            begin += 1
            continue
        document, end = decoder.raw_decode(text, begin)
        yield begin, document
        begin = end
