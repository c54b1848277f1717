"""Firehose, before the transform: packed records split into one record for each JSON object."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.ministack_patches.firehose.processor import Failure, Record, parameters_of

# A record of more reaches the transform whole.
# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
MAX_SPLIT = 500

BLANKS = re.compile(r"\s*")


def split(records: list[Record], config: Mapping[str, Any]) -> tuple[list[Record], list[Failure]]:
    """The records to transform, and those that cannot be read.

    Without RecordDeAggregation at the destination the records stay as they are.
    """
    if not parameters_of(config, "RecordDeAggregation"):
        return records, []
    parts: list[Record] = []
    failures: list[Failure] = []
    for record in records:
        try:
            parts += split_record(record)
        except (ValueError, RecursionError):
            failures.append(unreadable(record))
    return parts, failures


def split_record(record: Record) -> list[Record]:
    """A record for each object, without the line breaks between; ValueError for anything else."""
    objects = list(json_objects(record.data.decode()))
    if not objects:
        raise ValueError("A record of nothing must not get lost unseen")
    if len(objects) > MAX_SPLIT:
        return [record]
    # An id of AWS ends in six digits for the part: 000000 where a record has only one.
    return [
        record._replace(id=f"{record.id}{number:06d}", data=text.encode())
        for number, text in enumerate(objects)
    ]


def json_objects(text: str) -> Iterator[str]:
    """The JSON objects that stand one after another, with or without a line break between."""
    decoder = json.JSONDecoder()
    begin = BLANKS.match(text).end()
    while begin < len(text):
        value, end = decoder.raw_decode(text, begin)
        if not isinstance(value, dict) or "\n" in text[begin:end]:
            raise ValueError("AWS takes JSON objects of one line each, and no list of them")
        yield text[begin:end]
        begin = BLANKS.match(text, end).end()


def unreadable(record: Record) -> Failure:
    """AWS tells that such a record goes to the error prefix, and not by which code.

    https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-error-handling.html
    """
    code = "DynamicPartitioning.MetadataExtractionFailed"
    return Failure(record, code, "The record is not made of JSON objects.")
