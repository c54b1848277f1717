"""Split aggregated records into one record per JSON object, before the transform."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local.ministack_patches.firehose.processor import FailedRecord, Record, parameters_of

# A record with more objects reaches the transform unsplit.
# https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
MAX_OBJECTS = 500

VISIBLE = re.compile(r"\S")


def deaggregate(
    records: list[Record], config: Mapping[str, Any]
) -> tuple[list[Record], list[FailedRecord]]:
    """Return the records to transform, and the unreadable ones.

    Without the processor RecordDeAggregation the records stay unchanged.
    """
    if not parameters_of(config, "RecordDeAggregation"):
        return records, []
    parts: list[Record] = []
    failures: list[FailedRecord] = []
    for record in records:
        try:
            parts += split_record(record)
        except (ValueError, RecursionError):
            # AWS documents the error prefix of such records, and no error code.
            # https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-error-handling.html
            code = "DynamicPartitioning.MetadataExtractionFailed"
            failures.append(FailedRecord(record, code, "The record is not a list of JSON objects."))
    return parts, failures


def split_record(record: Record) -> list[Record]:
    """Return one record per JSON object; raises ValueError for other content."""
    objects = list(json_objects(record.data.decode()))
    if not objects:
        raise ValueError("The record is empty")
    if len(objects) > MAX_OBJECTS:
        return [record]
    # AWS numbers the parts in the last six digits of the id.
    return [
        record._replace(id=f"{record.id}{number:06d}", data=text.encode())
        for number, text in enumerate(objects)
    ]


def json_objects(text: str) -> Iterator[str]:
    """Yield consecutive JSON objects, with or without line breaks between them."""
    decoder = json.JSONDecoder()
    end = 0
    while start := VISIBLE.search(text, end):
        value, end = decoder.raw_decode(text, start.start())
        if not isinstance(value, dict) or "\n" in text[start.start() : end]:
            raise ValueError("AWS requires JSON objects of one line each")
        yield text[start.start() : end]
