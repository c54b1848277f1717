"""Rows of the local runner, compared with those of the deployed archive."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streaming_etl.components.packaging.dependencies import Target, install_for
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test.runner import TransformRunner, partition_prefix
from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of
from streaming_etl.ops.transform_test.sample_records import stream_record
from streaming_etl.ops.transform_test.selection import select_transform
from streaming_etl.stack.program import stack_graph
from tests.ops.transform_test.conftest import Program
from tests.support.functions import rows_of, run_transform


@pytest.mark.parametrize(
    "name", ["orders", "shipments", "shop.orders", "shop.customers", "shop.leads"]
)
def test_rows_and_partition_keys_are_those_of_the_archive(name: str, tmp_path: Path) -> None:
    selection = select_transform(name, "dev")
    body = selection.file.with_suffix(".changes.json").read_bytes()
    runner = TransformRunner(selection)
    samples = samples_of(body, SampleSource("samples", selection.key_names, "on_remove"))
    # The forwarder, not the archive, makes a REMOVE of an item that no longer matches.
    lines = [line for line in samples if runner.run(line).kind == json.loads(line)["eventName"]]
    results = [runner.run(line) for line in lines]

    data = [b64encode(line).decode() for line in lines]
    with install_for(Target.host()):
        function = stack_graph("dev")[f"{name.replace('.', '-')}-transform-function"]
    records, _ = run_transform(function, tmp_path, *data)

    assert ["".join(f"{line}\n" for line in result.lines) for result in results] == [
        rows_of(record) for record in records
    ]
    assert [result.partition for result in results] == [
        record.get("metadata", {}).get("partitionKeys", {}) for record in records
    ]
    assert all(result.lines for result in results)


def test_a_change_has_the_partition_prefix_of_the_lake(program: Program) -> None:
    partitions = {
        "dynamic_partition_keys": {"store": []},
        "partition_time": "event",
        "time_zone": "Asia/Tokyo",
        "layout": "date",
        "granularity": "hour",
    }
    program.stack(catalog="crawler", partitions=partitions)
    program.module("def transform(change):\n    return {'store': 7, 'x': 1}\n")
    runner = TransformRunner(select_transform("shop"))
    at = datetime(2026, 11, 23, 20, tzinfo=UTC)
    result = runner.run(change_line(stream_record(1, ["id"], new={"id": "a"}, changed_at=at)))
    assert partition_prefix(runner.table, result.partition) == "store=7/dt=2026-11-24/hour=05/"
