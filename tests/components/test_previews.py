"""Previews show the resources of an update, and only changes."""

import compileall
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from streaming_etl import (
    BackfillArgs,
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    SourceArgs,
)
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import UNKNOWN, Graph
from tests.support.pipelines import (
    Pipelines,
    dev_config,
    dev_stack,
    existing_table,
)
from tools.pipeline_graphs.state import fingerprint


def registered(graph: Graph) -> list[tuple[str, str, str]]:
    return sorted((node.type, node.name, node.parent) for node in graph.nodes)


@pytest.fixture(scope="module")
def preview() -> Graph:
    return program_graph(dev_config(), preview=True)


def test_a_preview_registers_what_an_update_registers(preview: Graph) -> None:
    assert registered(preview) == registered(dev_stack())


def test_values_from_aws_are_unknown_in_a_preview(preview: Graph) -> None:
    outputs = preview.exports["orders"]
    assert {name: value for name, value in outputs.items() if value != UNKNOWN} == {
        "database": "orders_test",
        "table": "orders",
        "view": "orders_current",
        "workgroup": "orders-test",
        "current_state_query_id": None,
        "source_table": "orders",
        "dashboard": "orders-test",
        "alarm_names": [UNKNOWN for _ in dev_stack().exports["orders"]["alarm_names"]],
        "backfill_state_machine_arn": None,
        "backfill_location": None,
        "backfill_errors_location": None,
        "role_policies": None,
        "lake_tables": None,
        "merged_table": None,
        "merge_state_machine_arn": None,
        "region": "ap-northeast-1",
        "settings": dev_stack().exports["orders"]["settings"],
    }
    assert preview["orders-forwarder-policy"].inputs == {"policy": UNKNOWN, "role": UNKNOWN}
    destination = preview["orders-delivery-stream"].inputs["extendedS3Configuration"]
    assert destination["bucketArn"] == UNKNOWN


def test_prefixes_and_queries_are_known_in_a_preview(preview: Graph) -> None:
    destination = preview["orders-delivery-stream"].inputs["extendedS3Configuration"]
    update = dev_stack()["orders-delivery-stream"].inputs["extendedS3Configuration"]
    assert destination["prefix"] == update["prefix"]
    assert destination["errorOutputPrefix"] == update["errorOutputPrefix"]
    view = preview["orders-query-view"].inputs
    assert view == dev_stack()["orders-query-view"].inputs


@pytest.mark.parametrize(
    "settings",
    [
        {"source": SourceArgs(use_existing=True), "tables": existing_table()},
        {
            "lake": LakeArgs(
                bucket_name="shared", kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/k"
            )
        },
        {
            "database_name": "shared",
            "monitoring": MonitoringArgs(
                alarm_topic_arn="arn:aws:sns:us-east-1:123456789012:shared", dashboard=False
            ),
        },
        {"catalog": "crawler", "module": "def transform(change):\n    return change.new\n"},
        {"format": "parquet", "partitions": PartitionArgs(dynamic_partition_keys={"store_id": []})},
        {"backfill": BackfillArgs(enabled=True)},
    ],
    ids=[
        "existing table",
        "shared bucket and key",
        "shared database and topic",
        "crawler",
        "parquet",
        "backfill",
    ],
)
def test_a_preview_with_other_settings_registers_what_an_update_registers(
    pipelines: Pipelines, settings: dict[str, object]
) -> None:
    assert registered(pipelines.build(preview=True, **settings)) == registered(
        pipelines.build(**settings)
    )


PROGRAM = """
import json
from tools.pipeline_graphs.state import fingerprint
from tests.support.pipelines import dev_stack
print(json.dumps(fingerprint(dev_stack()), sort_keys=True))
"""


def preview_in(folder: Path, seed: int) -> dict[str, object]:
    """Build the example stack in a separate process."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        # The order of sets depends on the seed.
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(folder)},
        capture_output=True,
        check=True,
        text=True,
    )
    return json.loads(run.stdout)


def test_an_unchanged_program_previews_as_unchanged(project: Path) -> None:
    first = preview_in(project, seed=1)
    # Compiled files, and the modification times of a fresh checkout.
    for name in ("handlers", "transforms"):
        assert compileall.compile_dir(project / name, quiet=1)
        for path in (project / name).rglob("*.py"):
            os.utime(path, (1, 1))
    assert list((project / "handlers").glob("__pycache__/*.pyc"))
    assert preview_in(project, seed=2) == first
    # The directory of the project has no effect.
    assert first == json.loads(json.dumps(fingerprint(dev_stack())))


def test_a_changed_handler_changes_the_functions_only(project: Path) -> None:
    first = preview_in(project, seed=1)
    with (project / "handlers" / "log.py").open("a") as handler:
        handler.write("\n")
    second = preview_in(project, seed=1)
    assert {name for name in first if first[name] != second[name]} == {
        f"aws:lambda/function:Function {function}-function"
        for function in (
            *("orders-forwarder", "orders-transform"),
            *("shipments-forwarder", "shipments-transform"),
            *("shop-forwarder", "shop-orders-transform"),
            *("shop-customers-transform", "shop-leads-transform"),
        )
    }
