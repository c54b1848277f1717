"""Settings and a transform module that do not go together are refused, in words that tell both."""

from typing import Any

import pytest

from streaming_etl import DeliveryArgs, ForwarderArgs, PartitionArgs, TransformArgs
from tests.components.pipelines import TRANSFORM, Pipelines

KEYED = PartitionArgs(dynamic_partition_keys={"store_id": []})
BY_CHANGE = PartitionArgs(partition_time="event")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"format": "parquet"},
            "format='parquet' needs COLUMNS: Firehose writes Parquet by the Glue table's columns;"
            " add COLUMNS to {path}, or use json with catalog='crawler'.",
        ),
        (
            {"format": "csv"},
            "format='csv' needs COLUMNS: a CSV file has no column names, so rows must all have the"
            " same columns; add COLUMNS to {path}, or use json with catalog='crawler'.",
        ),
        (
            {"format": "csv", "catalog": "crawler"},
            "format='csv' needs COLUMNS: a CSV file has no column names, so rows must all have the"
            " same columns; add COLUMNS to {path}, or use json with catalog='crawler'.",
        ),
        (
            {},
            "catalog='projection' needs COLUMNS: the Glue table is made before any data;"
            " add COLUMNS to {path}, or use catalog='crawler'.",
        ),
    ],
)
def test_what_needs_columns_is_refused_without_them(
    pipelines: Pipelines, settings: dict[str, Any], message: str
) -> None:
    path = pipelines.module(TRANSFORM)
    assert pipelines.refusal(module=TRANSFORM, **settings) == message.format(path=path)


@pytest.mark.parametrize(
    "kind", ["array<string>", "map<string,int>", "struct<a:int>", "array<array<int>>"]
)
def test_csv_cannot_hold_a_nested_column(pipelines: Pipelines, kind: str) -> None:
    module = f"COLUMNS = {{'id': 'string', 'parts': '{kind}'}}\n\n\n{TRANSFORM}"
    assert pipelines.refusal(module=module, format="csv") == (
        f"column 'parts' in {pipelines.module(module)} is nested, which csv cannot hold:"
        ' use "string" (written as JSON text), or format json or parquet.'
    )


@pytest.mark.parametrize(
    ("column", "partitions"),
    [
        ("day", PartitionArgs()),
        ("hour", PartitionArgs(granularity="hour")),
        ("dt", PartitionArgs(layout="date")),
        ("store_id", PartitionArgs(dynamic_partition_keys={"store_id": []})),
    ],
)
def test_a_partition_key_that_is_also_a_column_is_refused(
    pipelines: Pipelines, column: str, partitions: PartitionArgs
) -> None:
    module = f"COLUMNS = {{'id': 'string', '{column}': 'string'}}\n\n\n{TRANSFORM}"
    assert pipelines.refusal(module=module, partitions=partitions) == (
        f"partition key '{column}' is also a column in {pipelines.module(module)}:"
        " Athena takes a name once; drop it from COLUMNS (a row key stays in the row that the"
        " transform returns) or rename it."
    )


def test_a_column_may_be_called_like_a_time_key_that_no_folder_has(pipelines: Pipelines) -> None:
    module = f"COLUMNS = {{'id': 'string', 'hour': 'int', 'dt': 'date'}}\n\n\n{TRANSFORM}"
    columns = pipelines.build(module=module)["shop-catalog-table"].inputs["storageDescriptor"]
    assert [column["name"] for column in columns["columns"]][:3] == ["id", "hour", "dt"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"format": "parquet", "delivery": DeliveryArgs(buffer_mib=63)},
            "buffer_mib=63 is too small for Parquet: Firehose asks for 64 or more; use 64 to 128.",
        ),
        (
            {"partitions": KEYED, "delivery": DeliveryArgs(buffer_mib=63)},
            "buffer_mib=63 is too small for dynamic partitioning: Firehose asks for 64 or more;"
            " use 64 to 128.",
        ),
        (
            {"partitions": BY_CHANGE, "delivery": DeliveryArgs(buffer_mib=1)},
            "buffer_mib=1 is too small for dynamic partitioning: Firehose asks for 64 or more;"
            " use 64 to 128.",
        ),
        (
            {"partitions": KEYED, "delivery": DeliveryArgs(buffer_seconds=59)},
            "buffer_seconds=59 is too short for dynamic partitioning: Firehose asks for 60 or more;"
            " use 60.",
        ),
        (
            {"partitions": BY_CHANGE, "delivery": DeliveryArgs(buffer_seconds=0)},
            "buffer_seconds=0 is too short for dynamic partitioning: Firehose asks for 60 or more;"
            " use 60.",
        ),
        (
            {"transform": TransformArgs(buffer_mib=0.24)},
            "max_record_kib=256 exceeds the transform's buffer_mib=0.24, with which Firehose calls it;"
            " use 245 or fewer, or a larger buffer_mib.",
        ),
        (
            {
                "forwarder": ForwarderArgs(max_changes_per_record=2, max_record_kib=513),
                "transform": TransformArgs(buffer_mib=0.5),
            },
            "max_record_kib=513 exceeds the transform's buffer_mib=0.5, with which Firehose calls it;"
            " use 512 or fewer, or a larger buffer_mib.",
        ),
        *(
            (
                {"format": "parquet", "delivery": DeliveryArgs(compression=compression)},
                f"compression='{compression}' has no effect: Parquet compresses by itself;"
                " drop it.",
            )
            for compression in ("GZIP", "UNCOMPRESSED")
        ),
    ],
)
def test_what_firehose_refuses_of_buffer_and_format_is_refused(
    pipelines: Pipelines, settings: dict[str, Any], message: str
) -> None:
    assert pipelines.refusal(**settings) == message


@pytest.mark.parametrize(
    "settings",
    [
        {"format": "parquet", "delivery": DeliveryArgs(buffer_mib=64, buffer_seconds=0)},
        {"partitions": KEYED, "delivery": DeliveryArgs(buffer_mib=64, buffer_seconds=60)},
        {"partitions": BY_CHANGE, "delivery": DeliveryArgs(buffer_mib=128, buffer_seconds=900)},
        {"delivery": DeliveryArgs(buffer_mib=1, buffer_seconds=0)},
        # The transform's own buffer has no such limit, but must hold a packed record.
        {
            "partitions": KEYED,
            "transform": TransformArgs(buffer_mib=0.2, buffer_seconds=0),
            "forwarder": ForwarderArgs(max_record_kib=204),
        },
        {
            "transform": TransformArgs(buffer_mib=0.5),
            "forwarder": ForwarderArgs(max_record_kib=512),
        },
        {
            "transform": TransformArgs(buffer_mib=0.2),
            "forwarder": ForwarderArgs(max_changes_per_record=1),
        },
    ],
)
def test_what_firehose_allows_of_buffer_and_format_is_allowed(
    pipelines: Pipelines, settings: dict[str, Any]
) -> None:
    assert pipelines.build(**settings).of("FirehoseDeliveryStream")
