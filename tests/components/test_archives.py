"""The Lambda archives: every file by name, and what they do when they are unpacked and run."""

import base64
import csv
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs
from streaming_etl.components.packaging.wheels import carried_packages
from streaming_etl.components.settings.pipeline import ARCHITECTURES, RUNTIMES
from streaming_etl.components.table.column_types import METADATA
from streaming_etl.stack.recorder import Graph, Node
from tests.components.differences import is_of_a_wheel
from tests.components.pipelines import ROOT, Pipelines, dev_stack
from tests.components.wheelhouse import CARRIED

HANDLERS = {f"handlers/{path.name}" for path in (ROOT / "handlers").glob("*.py")}

RUN = """
import json, sys
from streaming_etl.handlers.transform import lambda_handler
event = json.load(sys.stdin)
answer = lambda_handler(event, None)
print(json.dumps({"answer": answer}))
"""

# 2026-11-23 20:00 UTC, which is the next day in Tokyo.
CHANGED_AT = 1_795_464_000
KEYS = {"id": {"S": "a"}}


def change(image: Mapping[str, Any], number: int = 1) -> str:
    """A change on its way to the transform."""
    line = {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": CHANGED_AT,
            "Keys": KEYS,
            "NewImage": {**KEYS, **image},
            "SequenceNumber": str(number),
        },
    }
    return base64.b64encode(json.dumps(line).encode() + b"\n").decode()


def run(function: Node, folder: Path, *changes: str) -> tuple[list[Any], list[Any]]:
    """What the unpacked archive answers to one record per change, and the lines that it logs.

    Its wheels stay out: they are for Lambda, and this Python has the same packages of its own.
    """
    for name, asset in own_files(function.inputs["code"]).items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        text = asset.get("text")
        file.write_bytes(Path(asset["file"]).read_bytes() if text is None else text.encode())
    event = {
        "deliveryStreamArn": "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream/s",
        "records": [
            {"recordId": str(number), "approximateArrivalTimestamp": 0, "data": data}
            for number, data in enumerate(changes)
        ],
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=folder,
        input=json.dumps(event),
        capture_output=True,
        check=True,
        text=True,
    )
    *logged, answer = (json.loads(line) for line in done.stdout.splitlines())
    return answer["answer"]["records"], logged


def own_files(code: Mapping[str, Any]) -> dict[str, Any]:
    """An archive without the files of wheels."""
    return {name: asset for name, asset in code.items() if not is_of_a_wheel(asset)}


def rows(record: Mapping[str, Any]) -> str:
    return base64.b64decode(record["data"]).decode()


@pytest.mark.parametrize("name", ["orders", "shipments"])
def test_an_archive_names_every_file_and_no_folder(name: str) -> None:
    graph = dev_stack()
    forwarder = own_files(graph[f"{name}-forwarder-function"].inputs["code"])
    assert set(forwarder) == HANDLERS
    transform = own_files(graph[f"{name}-transform-function"].inputs["code"])
    assert set(transform) == {*HANDLERS, "transform_module.py", "transform.json"}
    for code in (transform, forwarder):
        files = [Path(asset["file"]) for asset in code.values() if "file" in asset]
        assert all(file.is_file() and file.suffix == ".py" for file in files)
    assert Path(transform["transform_module.py"]["file"]).samefile(
        ROOT / "transforms" / f"{name}.py"
    )


def machine_of(extension: Path) -> str:
    """The processor that a shared object is for, by its ELF header."""
    return {0xB7: "aarch64", 0x3E: "x86_64"}[
        int.from_bytes(extension.read_bytes()[18:20], "little")
    ]


@pytest.mark.parametrize("function", ["forwarder", "transform"])
@pytest.mark.parametrize("name", ["orders", "shipments"])
def test_an_archive_holds_the_wheels_whole_and_for_the_functions_own_python(
    name: str, function: str
) -> None:
    inputs = dev_stack()[f"{name}-{function}-function"].inputs
    assert (inputs["runtime"], inputs["architectures"]) == ("python3.13", ["arm64"])
    held = {
        path: Path(asset["file"]) for path, asset in inputs["code"].items() if is_of_a_wheel(asset)
    }
    assert {path: machine_of(file) for path, file in held.items() if path.endswith(".so")} == {
        f"{module}.cpython-313-aarch64-linux-gnu.so": "aarch64" for module in CARRIED.values()
    }
    # Each wheel lists its own files.
    listed = {}
    for path, file in held.items():
        if path.endswith(".dist-info/RECORD"):
            listed |= {row[0]: row[1] for row in csv.reader(file.read_text().splitlines())}
    assert set(held) == set(listed)
    for path, digest in listed.items():
        if digest:
            sha256 = hashlib.sha256(held[path].read_bytes()).digest()
            assert digest == f"sha256={base64.urlsafe_b64encode(sha256).decode().rstrip('=')}", path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_on_every_processor_has_its_wheels(runtime: str, architecture: str) -> None:
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
    ending = f".cpython-{runtime.removeprefix('python').replace('.', '')}-{machine}-linux-gnu.so"
    files = carried_packages(runtime, architecture, None).forwarder
    extensions = {path: file for path, file in files.items() if path.endswith(".so")}
    assert set(extensions) == {f"{module}{ending}" for module in CARRIED.values()}
    assert {machine_of(file) for file in extensions.values()} == {machine}
    tags = [file.read_text() for path, file in files.items() if path.endswith(".dist-info/WHEEL")]
    # Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34.
    glibc = 26 if runtime == "python3.11" else 34
    for text in tags:
        assert min(int(minor) for minor in re.findall(r"manylinux_2_(\d+)_", text)) <= glibc


def test_the_transform_is_told_its_columns_and_keys_and_no_more() -> None:
    code = dev_stack()["shipments-transform-function"].inputs["code"]
    assert json.loads(code["transform.json"]["text"]) == {
        # Firehose turns the lines into Parquet.
        "format": "json",
        "columns": [
            {"name": "id", "type": "string"},
            {"name": "status", "type": "string"},
            {"name": "weight_kg", "type": {"decimal": [9, 3]}},
            {
                "name": "address",
                "type": {
                    "struct": [["city", "string"], ["postcode", "string"], ["country", "string"]]
                },
            },
            {
                "name": "parcels",
                "type": {"array": {"struct": [["sku", "string"], ["quantity", "int"]]}},
            },
            {"name": "parcel_count", "type": "int"},
            {"name": "tags", "type": {"array": "string"}},
            {"name": "updated_at", "type": "timestamp"},
        ],
        "dynamic_partition_keys": {"carrier": ["yamato", "sagawa", "japanpost"]},
        "time_keys": [],
        "time_zone": "Asia/Tokyo",
        "lazy_items": True,
    }


def columns(graph: Graph, table: str) -> list[str]:
    return [column["name"] for column in graph[table].inputs["storageDescriptor"]["columns"]]


def test_a_row_of_csv_has_the_glue_tables_columns_in_its_order(tmp_path: Path) -> None:
    order = {
        name: {"S": name if name.endswith("id") else "2020-12-16T09:30:00"}
        for name in ("user_id", "store_id", "created", "updated_at")
    }
    [record], _ = run(dev_stack()["orders-transform-function"], tmp_path, change(order))
    assert rows(record) == (
        '"INSERT","{""id"":{""S"":""a""}}",0,"event-1","1",2026-11-23 20:00:00,'
        '"a","user_id","store_id",2020-12-16 09:30:00,2020-12-16 09:30:00\n'
    )
    assert columns(dev_stack(), "orders-catalog-table") == [
        *("_op", "_key", "_row", "_event_id", "_sequence_number", "_changed_at"),
        *("id", "user_id", "store_id", "created", "updated_at"),
    ]


def test_a_row_of_json_ends_in_the_metadata_that_the_glue_table_declares(
    minimal: Graph, tmp_path: Path
) -> None:
    [record], _ = run(minimal["shop-transform-function"], tmp_path, change({"total": {"N": "1"}}))
    row = json.loads(rows(record))
    assert [*row][-len(METADATA) :] == [column.name for column in METADATA]
    # Numbers where a number is declared, text elsewhere.
    kinds = {"string": str, "timestamp": str, "int": int}
    assert all(type(row[column.name]) is kinds[column.type] for column in METADATA)


def test_the_partition_keys_of_a_row_are_those_of_the_delivery_prefix(
    pipelines: Pipelines, tmp_path: Path
) -> None:
    graph = pipelines.build(
        module="COLUMNS = {'id': 'string'}\n\n\n"
        "def transform(change):\n    return {'id': 'a', 'kind': 'x'}\n",
        partitions=PartitionArgs(
            dynamic_partition_keys={"kind": []},
            partition_time="event",
            time_zone="Asia/Tokyo",
            layout="date",
            granularity="hour",
        ),
    )
    code = own_files(graph["shop-transform-function"].inputs["code"])
    assert set(code) - HANDLERS == {
        "transform_module.py",
        "transform.json",
        "zoneinfo/Asia/Tokyo",
    }
    [record], _ = run(graph["shop-transform-function"], tmp_path, change({}))
    assert record["metadata"]["partitionKeys"] == {"kind": "x", "dt": "2026-11-24", "hour": "05"}
    assert graph["shop-delivery-stream"].inputs["extendedS3Configuration"]["prefix"] == (
        "data/shop_test/orders/kind=!{partitionKeyFromLambda:kind}/"
        "dt=!{partitionKeyFromLambda:dt}/hour=!{partitionKeyFromLambda:hour}/"
        "arrived-!{timestamp:yyyy-MM-dd}-"
    )


def test_the_alarm_counts_the_line_by_which_the_transform_tells_of_a_refused_change(
    minimal: Graph, tmp_path: Path
) -> None:
    good, bad = change({}), change({"total": {"S": "no number"}}, number=2)
    answers, logged = run(minimal["shop-transform-function"], tmp_path, good, bad)
    assert [answer["result"] for answer in answers] == ["Ok", "ProcessingFailed"]
    pattern = minimal["shop-monitoring-refused-metric"].inputs["pattern"]
    assert pattern == '{ $.message = "change failed" }'
    counted = [line for line in logged if line["message"] == "change failed"]
    assert [line["event_id"] for line in counted] == ["event-2"]
    assert "no number" not in json.dumps(logged)
