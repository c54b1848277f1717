"""Text that holds several JSON documents."""

import json

import pytest

from streaming_etl.stack.json_documents import json_documents


def test_yields_documents_with_their_offsets() -> None:
    assert [*json_documents(' {"a": "}{"}[1]\n\n2 ')] == [(1, {"a": "}{"}), (12, [1]), (17, 2)]
    assert [*json_documents(" \n")] == []


def test_yields_the_documents_before_an_invalid_one() -> None:
    documents = json_documents("1\n{")
    assert next(documents) == (0, 1)
    with pytest.raises(json.JSONDecodeError) as error:
        next(documents)
    assert error.value.lineno == 2
