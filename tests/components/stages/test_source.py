"""An existing table is only read; its stream must include new images."""

from typing import Any

import pytest

from streaming_etl import ForwarderArgs, SourceArgs
from tests.support.pipelines import Pipelines, existing_table
from tests.support.problems import places

EXISTING = SourceArgs(use_existing=True)


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"])
def test_reads_a_table_whose_stream_includes_new_images(pipelines: Pipelines, view: str) -> None:
    graph = pipelines.build(tables=existing_table(view), source=EXISTING)
    table = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
    outputs = graph.exports["pipeline"]
    assert outputs["source_table"] == "orders"
    assert outputs["source_table_arn"] == table
    assert outputs["source_stream_arn"] == f"{table}/stream/2020-02-02T02:02:02.000"
    assert "shop-source-table" not in {node.name for node in graph.nodes}
    assert graph["shop-source"].outputs == {"streamArn": outputs["source_stream_arn"]}


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_rejects_a_stream_without_new_images(pipelines: Pipelines, view: str) -> None:
    [problem] = pipelines.problems(tables=existing_table(view), source=EXISTING)
    assert places([problem]) == [("", "table_name", "stream-view")]
    assert (problem.value, problem.details["got"]) == ("orders", view)


def test_rejects_old_image_always_with_a_stream_of_new_images(pipelines: Pipelines) -> None:
    always = ForwarderArgs(old_image="always")
    tables = existing_table("NEW_IMAGE")
    problems = pipelines.problems(tables=tables, source=EXISTING, forwarder=always)
    assert places(problems) == [("forwarder", "old_image", "stream-without-old-images")]


@pytest.mark.parametrize(
    ("view", "old_image"), [("NEW_AND_OLD_IMAGES", "always"), ("NEW_IMAGE", "never")]
)
def test_accepts_streams_with_the_requested_images(
    pipelines: Pipelines, view: str, old_image: str
) -> None:
    forwarder = ForwarderArgs(old_image=old_image)
    assert pipelines.build(tables=existing_table(view), source=EXISTING, forwarder=forwarder)


@pytest.mark.parametrize(
    "description", [{}, {"streamArn": "", "streamEnabled": False}, {"streamEnabled": True}]
)
def test_rejects_a_table_without_a_stream(
    pipelines: Pipelines, description: dict[str, Any]
) -> None:
    [table] = existing_table(None).values()
    tables = {"orders": {**table, **description}}
    problems = pipelines.problems(tables=tables, source=EXISTING)
    assert places(problems) == [("", "table_name", "stream-disabled")]
