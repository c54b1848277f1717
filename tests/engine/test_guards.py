"""Guards fail previews and updates that put existing rows at risk."""

import hashlib
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pulumi
import pulumi_aws as aws
from pulumi.provider.experimental.util import camel_case

from local.engine.workspace import EngineStack, Outcome
from streaming_etl import (
    LakeArgs,
    PartitionArgs,
    SourceArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components import lake_table as component
from streaming_etl.components.table import lake_table
from streaming_etl.components.table.column_types import METADATA, Column
from streaming_etl.components.table.layout_messages import FINDING
from streaming_etl.components.table.serdes import SERDES
from tests.engine.harness import Engine, config_of, deployed, edited
from tests.support.pipelines import existing_table
from tools.project import ROOT

Settings = dict[str, Any]

PATTERN = '{"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}'
TRANSFORM = "def transform(change):\n    return change.new\n"


def module(folder: Path, columns: str) -> str:
    """A transform module with columns such as `id string, total int`."""
    pairs = dict(column.split() for column in columns.split(", ") if column)
    name = hashlib.sha256(columns.encode()).hexdigest()[:8]
    path = folder / f"transform_{name}.py"
    path.write_text(f"COLUMNS = {pairs}\n{TRANSFORM}" if pairs else TRANSFORM)
    return str(path)


def orders(folder: Path, columns: str = "id string, total int", **settings: Any) -> Settings:
    """Settings of a pipeline that only guards protect."""
    required = {"table_name": "orders", "transform_module": module(folder, columns)}
    return {**required, "partitions": {}, "protect": False, **settings}


def found(outcome: Outcome) -> set[tuple[str, str]]:
    """Rule and subject of each finding of a rejected run."""
    assert not outcome.succeeded
    return _findings(outcome.errors)


def warned(outcome: Outcome) -> set[tuple[str, str]]:
    """Rule and subject of each finding that is a warning."""
    assert outcome.succeeded, outcome.errors
    return _findings(outcome.warnings)


def _findings(texts: list[str]) -> set[tuple[str, str]]:
    return {(rule, subject) for text in texts for subject, rule in FINDING.findall(text)}


def layout(stack: EngineStack) -> Settings:
    """The deployed layout of the only pipeline."""
    [resource] = [
        resource
        for resource in stack.state()["resources"]
        if resource["type"] == "streaming-etl:index:LakeTable"
    ]
    return dict(resource.get("inputs", {}))


def shared(folder: Path) -> Settings:
    """Settings with an existing table, bucket and database, and all partition settings."""
    return orders(
        folder,
        "id string, store string, total int, note string",
        format="csv",
        glue_table_name="orders",
        database_name="shop",
        source={"use_existing": True},
        retain=True,
        lake={"bucket_name": "lake-1"},
        partitions={
            "time_zone": "Asia/Tokyo",
            "dynamic_partition_keys": {"kind": ["a", "b"], "area": []},
            "projection_start_year": 2025,
        },
    )


def test_every_setting_that_existing_rows_depend_on_is_guarded(engine: Engine) -> None:
    folder = engine.folder
    engine.backend.tables |= {**existing_table(), **existing_table(name="orders-2")}
    stack = deployed(engine, {"orders": shared(folder)})
    before = layout(stack)
    created = dict(engine.backend.resources)

    other = orders(
        folder,
        # `x` is inserted, `store` and `id` are moved, `note` is removed, `total` is retyped.
        "store string, x string, id string, total date",
        table_name="orders-2",
        format="csv",
        glue_table_name="orders",
        database_name="shop_2",
        source={"use_existing": True},
        lake={"bucket_name": "lake-2"},
        forwarder={"event_names": ["MODIFY", "REMOVE"], "filter_patterns": [PATTERN]},
        partitions={
            "partition_time": "event",
            "dynamic_partition_keys": {"area": ["x"], "kind": ["a"]},
            "projection_start_year": 2026,
        },
    )
    expected = {
        ("column-inserted", "x"),
        ("column-moved", "id"),
        ("column-moved", "store"),
        ("column-removed", "note"),
        ("column-type", "total"),
        ("filters", "forwarder.event_names"),
        ("filters", "forwarder.filter_patterns"),
        ("location", "database_name"),
        ("location", "lake.bucket_name"),
        ("partition-any-value", "partitions.dynamic_partition_keys.area"),
        ("partition-keys", "partitions"),
        ("partition-time", "partitions.partition_time"),
        ("partition-values", "partitions.dynamic_partition_keys.kind"),
        ("projection-start-year", "partitions.projection_start_year"),
        ("source-table", "table_name"),
        ("time-zone", "partitions.time_zone"),
    }
    assert found(edited(stack, {"orders": other})) == expected
    assert found(stack.up()) == expected
    assert layout(stack) == before
    # Nothing that reads or writes rows is updated before the guard.
    lake = ("CatalogTable", "EventSourceMapping", "FirehoseDeliveryStream", "Function")
    for key, state in created.items():
        if key[0].rpartition(":")[2] in lake:
            assert engine.backend.resources[key] == state, key

    # The override: the same findings, as warnings.
    assert warned(edited(stack, {"orders": {**other, "allow_layout_change": True}})) == expected

    # The documented way: all of it passes with a new Glue table, and the former table stays.
    moved = {"orders": {**other, "glue_table_name": "orders_2"}}
    stack.configure(config_of(moved))
    outcome = stack.up()
    assert warned(outcome) == set()
    for location in ("s3://lake-1/data/shop/orders/", "s3://lake-2/data/shop_2/orders_2/"):
        assert any(location in text for text in outcome.warnings)
    assert any("streaming-etl backfill orders" in text for text in outcome.warnings)
    tables = {id_.partition(":")[0] for id_ in engine.of("CatalogTable")}
    assert tables == {
        f"{name}{suffix}"
        for name in ("orders", "orders_2")
        for suffix in ("", "_objects", "_current")
    }
    outcome = edited(stack, moved)
    assert (outcome.succeeded, outcome.changed, outcome.warnings) == (True, {}, [])


def test_changes_that_keep_existing_rows_pass(engine: Engine) -> None:
    folder = engine.folder
    engine.backend.tables |= existing_table()
    before = shared(folder)
    stack = deployed(engine, {"orders": before})
    after = {
        **before,
        "transform_module": module(
            folder, "id string, store string, total bigint, note string, x date"
        ),
        "partitions": {
            **before["partitions"],
            "dynamic_partition_keys": {"kind": ["c", "b", "a"], "area": []},
            "projection_start_year": 2020,
        },
        "forwarder": {
            "event_names": ["REMOVE", "MODIFY", "INSERT"],
            "old_image": "never",
            "max_changes_per_record": 1,
        },
        "delivery": {"compression": "UNCOMPRESSED", "buffer_mib": 128},
        "query": {"current_state_source": "partitions"},
        "log_retention_days": 90,
        "architecture": "x86_64",
    }
    outcome = edited(stack, {"orders": after})
    assert (outcome.succeeded, outcome.warnings) == (True, []), outcome.errors
    assert outcome.steps[_urn(outcome, "orders-lake-table")] == "update"
    after["catalog"] = "crawler"
    del after["partitions"]["projection_start_year"]
    outcome = edited(stack, {"orders": after})
    assert (outcome.succeeded, outcome.warnings) == (True, []), outcome.errors
    assert outcome.steps[_urn(outcome, "orders-lake-table")] == "update"


def _urn(outcome: Outcome, name: str) -> str:
    [urn] = [urn for urn in outcome.steps if urn.endswith(f"::{name}")]
    return urn


def test_each_pipeline_of_a_stack_has_its_guard(engine: Engine) -> None:
    folder = engine.folder
    expiring = {"query": {"current_state": False}, "lake": {"data_retention_days": 9}}
    tables = {
        "orders": orders(folder, **expiring),
        "crawled": orders(folder, "", table_name="crawled", catalog="crawler"),
        "stored": orders(folder, table_name="stored", format="parquet"),
    }
    stack = deployed(engine, tables)
    declared = {"transform_module": module(folder, "id string"), "catalog": "projection"}
    wider = {"transform_module": module(folder, "id string, total bigint")}
    text = {"transform_module": module(folder, "id string, total string")}
    for name, changes, expected in (
        ("orders", {"format": "parquet"}, ("format", "format")),
        ("orders", {"query": {}, "lake": {}}, ("expired-rows", "query.current_state")),
        ("orders", text, ("column-type", "total")),
        ("crawled", declared, ("columns-declared", "COLUMNS")),
        ("stored", wider, ("column-type", "total")),
    ):
        outcome = edited(stack, {**tables, name: {**tables[name], **changes}})
        assert found(outcome) == {expected}
    outcome = edited(stack, {**tables, "orders": {**tables["orders"], **wider}})
    assert (outcome.succeeded, outcome.warnings) == (True, []), outcome.errors


def test_a_created_lake_is_deleted_by_no_setting(engine: Engine) -> None:
    settings = orders(engine.folder)
    stack = deployed(engine, {"orders": settings})
    [bucket], [database] = engine.of("Bucket"), engine.of("CatalogDatabase")
    other = {**settings, "lake": {"bucket_name": "x-lake"}, "database_name": "shop"}
    expected = {("bucket-deleted", "lake.bucket_name"), ("database-deleted", "database_name")}
    for way in (
        {},
        {"glue_table_name": "orders_2"},
        {"allow_layout_change": True},
        # The engine deletes with the option of the last update.
        {"glue_table_name": "orders_2", "retain": True},
    ):
        outcome = edited(stack, {"orders": {**other, **way}})
        assert found(outcome) == expected
        assert not any("existing rows stay" in text for text in outcome.warnings)
    assert found(stack.up()) == expected
    # The same bucket by its name.
    named = {**settings, "lake": {"bucket_name": bucket}}
    assert found(edited(stack, {"orders": named})) == {("bucket-deleted", "lake.bucket_name")}

    # The documented way.
    stack.configure(config_of({"orders": {**settings, "retain": True}}))
    assert warned(stack.up()) == set()
    assert found(edited(stack, {"orders": other})) == {
        ("location", "database_name"),
        ("location", "lake.bucket_name"),
    }
    stack.configure(config_of({"orders": {**other, "glue_table_name": "orders_2"}}))
    assert warned(stack.up()) == set()
    assert (set(engine.of("Bucket")), set(engine.of("CatalogDatabase"))) == ({bucket}, {database})


def test_a_change_of_the_items_of_a_lake_table_is_guarded(engine: Engine) -> None:
    conditions = {"kind": ["order", 5, 2.5, True], "id": {"prefix": "ORDER#"}}
    others = {"kind": ["return"]}

    def shop(orders: Settings, **settings: Any) -> dict[str, Settings]:
        part = {"transform_module": module(engine.folder, "id string"), "partitions": {}}
        tables = {"orders": {**part, "where": orders, **settings}, "items": {**part, **both}}
        return {"shop": {"table_name": "shop", "lake_tables": tables}}

    both = {"where": others}
    stack = deployed(engine, shop(conditions))

    # Pulumi's state has 5 as 5.0, and the order of values has no effect.
    reordered = {"id": {"prefix": "ORDER#"}, "kind": [2.50, True, 5.0, "order"]}
    outcome = edited(stack, shop(reordered))
    assert (outcome.succeeded, outcome.warnings) == (True, [])
    assert "shop-orders-lake-table" not in outcome.changed

    narrower, wider = {**conditions, "kind": ["order"]}, {"kind": [*conditions["kind"], 6]}
    for where, rule in ((narrower, "where"), ({}, "where-wider"), (wider, "where-wider")):
        assert found(edited(stack, shop(where))) == {(rule, "where")}
    assert found(stack.up()) == {("where-wider", "where")}
    assert found(edited(stack, shop({**conditions, "kind": ["order", 5, 2.5, 1]}))) == {
        ("where", "where")
    }
    # Each lake table has its guard and its permission.
    both = {"where": {}, "allow_layout_change": True}
    outcome = edited(stack, shop(narrower))
    assert found(outcome) == {("where", "where")}
    # The first error ends the preview, which may be before the warning of the other lake table.
    assert _findings(outcome.warnings) <= {("where-wider", "where")}
    outcome = edited(stack, shop(narrower, glue_table_name="orders_2"))
    assert warned(outcome) == {("where-wider", "where")}
    stack.configure(config_of(shop(narrower, allow_layout_change=True)))
    assert warned(stack.up()) == {("where", "where"), ("where-wider", "where")}
    assert edited(stack, shop(narrower, allow_layout_change=True)).changed == {}


def test_what_another_version_of_the_program_writes_is_guarded(engine: Engine) -> None:
    tables = {"orders": orders(engine.folder, format="csv")}
    stack = deployed(engine, tables)
    further = (*METADATA, Column("_shard", "string"))
    with mock.patch.object(lake_table, "METADATA", further):
        assert found(stack.preview()) == {("metadata-columns", "metadata")}
    with mock.patch.dict(SERDES["csv"].parameters, {"escapeChar": "\\"}):
        assert found(stack.preview()) == {("serde", "SerDe")}


def test_a_renamed_pipeline_keeps_its_guard(engine: Engine) -> None:
    settings = orders(engine.folder)
    stack = deployed(engine, {"orders": settings})
    renamed = {**settings, "renamed_from": "orders"}
    changed = {**renamed, "format": "csv"}
    assert found(edited(stack, {"sales": changed})) == {("format", "format")}
    stack.configure(config_of({"sales": renamed}))
    assert stack.up().succeeded
    without = {("database-replaced", "renamed_from")}
    assert found(edited(stack, {"sales": settings})) == without
    assert found(edited(stack, {"sales": {**settings, "glue_table_name": "sales"}})) == without


def test_a_state_without_a_layout_passes(engine: Engine) -> None:
    folder = engine.folder
    with mock.patch.object(component, "layout_of", return_value={}):
        stack = deployed(engine, {"orders": orders(folder)})
    assert layout(stack) == {}
    outcome = edited(stack, {"orders": orders(folder, format="parquet")})
    assert (outcome.succeeded, outcome.warnings) == (True, []), outcome.errors


def test_a_name_that_only_the_update_knows_passes_the_preview(engine: Engine) -> None:
    path = module(engine.folder, "id string")
    owner = "first"

    def program() -> None:
        # Only AWS knows the ARN of a new topic.
        name = aws.sns.Topic(f"{owner}-topic").arn.apply(lambda arn: arn.rpartition(":")[2])
        args = StreamingEtlPipelineArgs(
            table_name="orders",
            transform_module=path,
            partitions=PartitionArgs(),
            protect=False,
            lake=LakeArgs(bucket_name=name),
        )
        StreamingEtlPipeline("orders", args)

    stack = deployed(engine, {}, program=program)
    owner = "second"
    assert stack.preview().succeeded
    assert found(stack.up()) == {("location", "lake.bucket_name")}


def test_a_table_of_the_same_program_is_created_and_then_guarded(engine: Engine) -> None:
    path = module(engine.folder, "id string")
    own, wanted = "own", "json"

    def program() -> None:
        table = aws.dynamodb.Table(
            own,
            attributes=[{"name": "id", "type": "S"}],
            hash_key="id",
            stream_enabled=True,
            stream_view_type="NEW_AND_OLD_IMAGES",
        )
        args = StreamingEtlPipelineArgs(
            table_name=table.name,
            glue_table_name="orders",
            transform_module=path,
            partitions=PartitionArgs(),
            format=wanted,
            source=SourceArgs(use_existing=True, stream_arn=table.stream_arn),
        )
        StreamingEtlPipeline("orders", args)

    stack = engine.stack(program=program)
    assert stack.preview().succeeded
    assert stack.up().succeeded
    assert not stack.preview().changed
    [mapping], [table] = (engine.of(kind).values() for kind in ("EventSourceMapping", "Table"))
    assert mapping["eventSourceArn"] == table["streamArn"]
    own = "other"
    assert found(stack.preview()) == {("source-table", "table_name")}
    own, wanted = "own", "parquet"
    assert found(stack.preview()) == {("format", "format")}


def test_a_changed_key_must_be_a_former_one(engine: Engine) -> None:
    folder = engine.folder
    old, new = (f"arn:aws:kms:ap-northeast-1:123456789012:key/{name}" for name in ("old", "new"))
    stack = deployed(engine, {"orders": orders(folder, kms_key_arn=old)})
    created = dict(engine.backend.resources)
    for outcome in (edited(stack, {"orders": orders(folder, kms_key_arn=new)}), stack.up()):
        assert not outcome.succeeded
        assert any("[former-key]" in error for error in outcome.errors), outcome.errors
    assert engine.backend.resources == created

    changed = orders(folder, kms_key_arn=new, former_kms_key_arns=[old])
    outcome = edited(stack, {"orders": changed})
    assert outcome.succeeded, outcome.errors
    # Every key changes in place, so nothing that holds data is replaced.
    assert outcome.of("replace") == set()
    assert stack.up().succeeded


class RemotePipeline(pulumi.ComponentResource):
    """The package's pipeline, as another language's SDK registers it."""

    def __init__(self, name: str, settings: Mapping[str, Any]) -> None:
        inputs = {camel_case(key): value for key, value in settings.items()}
        super().__init__("streaming-etl:index:StreamingEtlPipeline", name, inputs, remote=True)


def test_the_package_guards_programs_in_other_languages(engine: Engine) -> None:
    # The engine starts a plugin of this name for a component of the package.
    plugin = engine.folder / "home" / "plugins" / "resource-streaming-etl-v0.1.0"
    plugin.mkdir(parents=True)
    executable = plugin / "pulumi-resource-streaming-etl"
    executable.write_text(
        f'#!/bin/sh\nexec {shlex.join([sys.executable, str(ROOT / "package")])} "$@"\n'
    )
    executable.chmod(0o755)
    settings = orders(engine.folder)

    def program() -> None:
        RemotePipeline("orders", settings)

    stack = deployed(engine, {}, program=program)
    settings["format"] = "parquet"
    expected = {("format", "format")}
    assert found(stack.preview()) == expected
    assert found(stack.up()) == expected
    settings["allow_layout_change"] = True
    assert warned(stack.up()) == expected
