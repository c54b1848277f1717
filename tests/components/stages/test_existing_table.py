"""A table that is already there is only read, and refused when its stream cannot feed a lake."""

from typing import Any

import pytest

from streaming_etl import ForwarderArgs, SourceArgs
from tests.components.pipelines import Pipelines, existing_table

EXISTING = SourceArgs(use_existing=True)
SWITCH_ON = (
    "switch it on with: aws dynamodb update-table --table-name orders --stream-specification"
    " StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
)


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"])
def test_a_table_whose_stream_carries_the_new_content_is_read(
    pipelines: Pipelines, view: str
) -> None:
    graph = pipelines.build(tables=existing_table(view), source=EXISTING)
    table = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
    outputs = graph.exports["pipeline"]
    assert outputs["source_table"] == "orders"
    assert outputs["source_table_arn"] == table
    assert outputs["source_stream_arn"] == f"{table}/stream/2020-02-02T02:02:02.000"
    assert "shop-source-table" not in {node.name for node in graph.nodes}
    assert graph["shop-source"].outputs == {"streamArn": outputs["source_stream_arn"]}


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_the_new_content_is_refused_with_the_remedy(
    pipelines: Pipelines, view: str
) -> None:
    assert pipelines.refusal(tables=existing_table(view), source=EXISTING) == (
        f"table_name='orders' has a stream of {view}, which does not carry an item's new content,"
        " and a stream's view cannot be edited: switch the stream off (its other readers stop),"
        f" then {SWITCH_ON}"
    )


def test_old_items_are_refused_of_a_stream_that_does_not_carry_them(pipelines: Pipelines) -> None:
    always = ForwarderArgs(old_image="always")
    refusal = pipelines.refusal(
        tables=existing_table("NEW_IMAGE"), source=EXISTING, forwarder=always
    )
    assert refusal == (
        "old_image='always' asks for what the stream of table_name='orders' does not carry, which"
        " is one of NEW_IMAGE; drop it, or give the table a stream of NEW_AND_OLD_IMAGES."
    )


@pytest.mark.parametrize(
    ("view", "old_image"), [("NEW_AND_OLD_IMAGES", "always"), ("NEW_IMAGE", "never")]
)
def test_other_streams_and_wishes_for_the_old_item_go_together(
    pipelines: Pipelines, view: str, old_image: str
) -> None:
    forwarder = ForwarderArgs(old_image=old_image)
    assert pipelines.build(tables=existing_table(view), source=EXISTING, forwarder=forwarder)


@pytest.mark.parametrize(
    "described", [{}, {"streamArn": "", "streamEnabled": False}, {"streamEnabled": True}]
)
def test_a_table_without_a_stream_is_refused_with_the_remedy(
    pipelines: Pipelines, described: dict[str, Any]
) -> None:
    [table] = existing_table(None).values()
    tables = {"orders": {**table, **described}}
    assert pipelines.refusal(tables=tables, source=EXISTING) == (
        f"table_name='orders' has no stream: {SWITCH_ON}"
    )
