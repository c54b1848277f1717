"""An existing table is only read; its stream must include new images."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    SettingsError,
    SourceArgs,
    StreamingEtlPipeline,
)
from streaming_etl.stack.recorder import Graph, build
from tests.support.pipelines import Pipelines, Tables, existing_table
from tests.support.problems import places

EXISTING = SourceArgs(use_existing=True)
STREAM = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders/stream/2020-02-02T02:02:02.000"


@pytest.mark.parametrize("view", ["NEW_AND_OLD_IMAGES", "NEW_IMAGE"])
def test_reads_a_table_whose_stream_includes_new_images(pipelines: Pipelines, view: str) -> None:
    graph = pipelines.build(tables=existing_table(view), source=EXISTING)
    table = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
    outputs = graph.exports["pipeline"]
    assert outputs["source_table"] == "orders"
    assert outputs["source_table_arn"] == table
    assert outputs["source_stream_arn"] == f"{table}/stream/2020-02-02T02:02:02.000"
    assert "shop-source-table" not in {node.name for node in graph.nodes}


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


@pytest.mark.parametrize(
    ("recovery", "rules"),
    [
        (None, ["no-point-in-time-recovery"]),
        ({"enabled": False, "recoveryPeriodInDays": 0}, ["no-point-in-time-recovery"]),
        ({"enabled": True, "recoveryPeriodInDays": 35}, []),
    ],
)
def test_an_export_by_the_update_needs_the_backups_of_the_table(
    pipelines: Pipelines, recovery: dict[str, Any] | None, rules: list[str]
) -> None:
    [table] = keyed_table().values()
    settings: dict[str, Any] = {
        "tables": {"orders": {**table, "pointInTimeRecovery": recovery}},
        "source": EXISTING,
    }
    # The command checks them otherwise.
    assert pipelines.build(backfill=BackfillArgs(enabled=True), **settings)
    settings["backfill"] = BackfillArgs(enabled=True, on_create=True)
    if not rules:
        assert pipelines.build(**settings)
        return
    # Problems of the table are reported together.
    assert places(pipelines.problems(**settings, where={"pk": [5]})) == [
        ("", "where[pk]", "where-key-type"),
        ("backfill", "on_create", rules[0]),
    ]


def keyed_table(view: str = "NEW_AND_OLD_IMAGES") -> Tables:
    """An existing table with a key of a text and a number."""
    [table] = existing_table(view).values()
    keys = {"hashKey": "pk", "rangeKey": "number"}
    attributes = [{"name": "pk", "type": "S"}, {"name": "number", "type": "N"}]
    return {"orders": {**table, **keys, "attributes": attributes}}


def test_a_condition_on_other_attributes_needs_old_images(pipelines: Pipelines) -> None:
    tables = pipelines.lake_tables(
        orders={"where": {"pk": {"prefix": "ORDER#"}, "number": [1, 2.5]}},
        items={"where": {"type": ["item"], "pk": ["a"]}},
        rest={"where": {"id": ["a"]}},
    )
    problems = pipelines.problems(tables=keyed_table("NEW_IMAGE"), source=EXISTING, **tables)
    assert places(problems) == [
        ("lake_tables.items", "where[type]", "where-needs-old-images"),
        # The default of `source.hash_key` is no key of an existing table.
        ("lake_tables.rest", "where[id]", "where-needs-old-images"),
    ]
    assert pipelines.build(tables=keyed_table(), source=EXISTING, **tables)
    with_keys = {**tables, "lake_tables": {"orders": tables["lake_tables"]["orders"]}}
    assert pipelines.build(tables=keyed_table("NEW_IMAGE"), source=EXISTING, **with_keys)


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ({"pk": ["a", 5]}, ["pk"]),
        ({"pk": [True]}, ["pk"]),
        ({"number": ["5"]}, ["number"]),
        ({"number": {"prefix": "5"}, "pk": [5]}, ["number", "pk"]),
        ({"type": ["5", 5, True]}, []),
    ],
    ids=str,
)
def test_a_condition_on_a_key_has_values_of_its_type(
    pipelines: Pipelines, where: dict[str, Any], wrong: list[str]
) -> None:
    settings = {"tables": keyed_table(), "source": EXISTING, "where": where}
    if not wrong:
        assert pipelines.build(**settings)
        return
    assert places(pipelines.problems(**settings)) == [
        ("", f"where[{name}]", "where-key-type") for name in wrong
    ]


def key_statements(graph: Graph) -> dict[str, list[dict[str, Any]]]:
    """The statements about keys of each policy that has some."""
    found = {
        node.name: [
            statement
            for statement in node.policy()["Statement"]
            if any(action.startswith("kms:") for action in statement["Action"])
        ]
        for node in graph.of("RolePolicy")
    }
    return {name: statements for name, statements in found.items() if statements}


def test_readers_of_a_table_under_a_customer_key_may_decrypt_with_it(pipelines: Pipelines) -> None:
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/table"
    [table] = existing_table().values()
    encrypted = {**table, "serverSideEncryption": {"enabled": True, "kmsKeyArn": key}}
    graph = pipelines.build(
        tables={"orders": encrypted}, source=EXISTING, backfill=BackfillArgs(enabled=True)
    )
    decrypt = {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": [key]}
    # The state machine exports the table; the backfill's function reads the export in S3.
    assert key_statements(graph) == {
        "shop-forwarder-policy": [decrypt],
        "shop-backfill-states-policy": [decrypt],
    }


@pytest.mark.parametrize("encryption", [None, {"enabled": False, "kmsKeyArn": ""}])
def test_a_table_under_a_key_of_aws_needs_no_permission(
    pipelines: Pipelines, encryption: dict[str, Any] | None
) -> None:
    [table] = existing_table().values()
    tables = {"orders": {**table, "serverSideEncryption": encryption}}
    backfill = BackfillArgs(enabled=True)
    graph = pipelines.build(tables=tables, source=EXISTING, backfill=backfill)
    assert key_statements(graph) == {}


def program_table(pipelines: Pipelines, *, preview: bool = False, **source: Any) -> Graph:
    """A pipeline of a table that the same program creates."""

    def program() -> None:
        table = aws.dynamodb.Table(
            "own",
            attributes=[{"name": "pk", "type": "S"}],
            hash_key="pk",
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
        )
        args = pipelines.args(
            table_name=table.name,
            glue_table_name="own",
            source=SourceArgs(
                use_existing=True, stream_arn=table.stream_arn, hash_key="pk", **source
            ),
            backfill=BackfillArgs(enabled=True),
        )
        pulumi.export("table", {"name": table.name, "stream_arn": table.stream_arn})
        pulumi.export("pipeline", StreamingEtlPipeline("shop", args).outputs)

    return build(program, preview=preview)


def test_a_table_of_the_same_program_is_the_source(pipelines: Pipelines) -> None:
    key = "arn:aws:kms:ap-northeast-1:123456789012:key/a"
    graph = program_table(pipelines, table_kms_key_arn=key)
    assert [node.name for node in graph.of("dynamodb/table:Table")] == ["own"]
    table, outputs = graph.exports["table"], graph.exports["pipeline"]
    stream_arn = table["stream_arn"]
    assert outputs["source_table"] == table["name"]
    assert outputs["source_stream_arn"] == stream_arn
    assert outputs["source_table_arn"] == stream_arn.partition("/stream/")[0]
    assert outputs["settings"]["table_name"] == table["name"]
    [mapping] = graph.of("EventSourceMapping")
    assert mapping.inputs["eventSourceArn"] == stream_arn
    [dashboard] = graph.of("Dashboard")
    assert f"`{table['name']}`" in dashboard.inputs["dashboardBody"]
    policies = [json.loads(node.inputs["policy"]) for node in graph.of("RolePolicy")]
    readers = [
        statement
        for policy in policies
        for statement in policy["Statement"]
        if statement["Resource"] in (key, [key])
    ]
    assert {tuple(statement["Action"]) for statement in readers} == {
        ("kms:Decrypt", "kms:DescribeKey")
    }


def test_a_table_of_the_same_program_previews_before_it_exists(pipelines: Pipelines) -> None:
    assert program_table(pipelines, preview=True).of("EventSourceMapping")


def test_rejects_settings_that_only_a_known_name_implies(pipelines: Pipelines) -> None:
    output = pulumi.Output.from_input("orders")
    with pytest.raises(SettingsError) as error:
        pipelines.args(table_name=output, source=EXISTING)
    assert places(error.value.problems) == [
        ("", "table_name", "table-of-program"),
        ("", "glue_table_name", "required"),
    ]


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"stream_arn": STREAM}, "stream_arn"),
        ({"use_existing": True, "stream_view_type": "NEW_IMAGE"}, "stream_view_type"),
        ({"use_existing": True, "hash_key": "pk"}, "hash_key"),
        ({"use_existing": True, "stream_arn": STREAM, "read_capacity": 5}, "read_capacity"),
    ],
)
def test_rejects_settings_without_effect_on_the_stream(settings: dict[str, Any], name: str) -> None:
    with pytest.raises(SettingsError) as error:
        SourceArgs(**settings)
    found = [(problem.field, problem.rule) for problem in error.value.problems]
    assert (name, "no-effect") in found


def test_rejects_what_a_stream_without_old_images_cannot_do(pipelines: Pipelines) -> None:
    source = SourceArgs(
        use_existing=True, stream_arn=STREAM, stream_view_type="NEW_IMAGE", hash_key="pk"
    )
    always = ForwarderArgs(old_image="always")
    with pytest.raises(SettingsError) as error:
        pipelines.args(source=source, forwarder=always, where={"type": ["a"], "pk": ["a"]})
    assert places(error.value.problems) == [
        ("", "where[type]", "where-needs-old-images"),
        ("forwarder", "old_image", "stream-without-old-images"),
    ]
