"""Removal of pipelines with `protect`, without it, and with `retain`."""

import re
from typing import Any

from local.engine.workspace import Outcome
from streaming_etl.components.source_guard import MESSAGES
from streaming_etl.components.table.layout_messages import FINDING
from tests.engine.harness import ORDERS, REGION, Engine, config_of, deployed, edited
from tests.support.pipelines import existing_table

RETURNS: dict[str, Any] = {**ORDERS, "table_name": "returns"}
KEY = f"arn:aws:kms:{REGION}:123456789012:key/k"
OVERRIDE = {"allow_layout_change": True}
PROTECTED = ("orders-source-table", "orders-lake-bucket", "orders-catalog-database")
DATA = {
    "aws:dynamodb/table:Table",
    "aws:glue/catalogDatabase:CatalogDatabase",
    "aws:s3/bucket:Bucket",
}
KEPT = {
    *DATA,
    "aws:athena/namedQuery:NamedQuery",
    "aws:athena/workgroup:Workgroup",
    "aws:glue/catalogTable:CatalogTable",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketNotification:BucketNotification",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
}


RULE = re.compile(rf"\[({'|'.join(MESSAGES)})\]")


def rules(outcome: Outcome) -> set[str]:
    """The rules of the source table's guard in a rejected run."""
    assert not outcome.succeeded
    return {rule for error in outcome.errors for rule in RULE.findall(error)}


def named(errors: list[str]) -> set[str]:
    """The protected resources that an error names."""
    return {name for name in PROTECTED if any(f"::{name}" in error for error in errors)}


def test_removing_a_pipeline_fails_the_preview_and_names_a_protected_resource(
    engine: Engine,
) -> None:
    stack = deployed(engine, {"orders": ORDERS, "returns": RETURNS})
    existing = dict(engine.backend.resources)

    outcome = edited(stack, {"returns": RETURNS})
    assert not outcome.succeeded
    assert named(outcome.errors)
    assert engine.backend.resources == existing

    # Without a preview, as the Automation API updates, other resources are deleted.
    assert not stack.up().succeeded
    kept = {type_ for type_, id_ in engine.backend.resources if "orders" in id_}
    assert kept >= DATA


def test_replacing_a_protected_resource_fails_the_preview(engine: Engine) -> None:
    stack = deployed(engine, {"orders": ORDERS})
    # The guard of the layout fails before Pulumi reads the protection.
    edits: list[tuple[dict[str, Any], str]] = [
        ({"lake": {"bucket_name": "shared"}, **OVERRIDE}, "bucket-deleted"),
        ({"database_name": "shared", **OVERRIDE}, "database-deleted"),
    ]
    for settings, rule in edits:
        outcome = edited(stack, {"orders": {**ORDERS, **settings}})
        assert not outcome.succeeded
        assert rule in {found for text in outcome.errors for _, found in FINDING.findall(text)}

    # Pulumi alone would allow the replacements with `protect: false` or `retain: true`.
    engine.backend.tables |= existing_table()
    tables: list[tuple[dict[str, Any], str]] = [
        ({"source": {"hash_key": "pk"}}, "protected-keys"),
        ({"protect": False, "source": {"hash_key_type": "N"}}, "protected-keys"),
        ({"retain": True, "source": {"range_key": "at"}}, "protected-keys"),
        ({"protect": False, "table_name": "orders-2"}, "protected-table"),
        ({"protect": False, "source": {"use_existing": True}}, "protected-table"),
    ]
    for settings, rule in tables:
        assert rules(edited(stack, {"orders": {**ORDERS, **settings}})) == {rule}

    # Without a preview, as the Automation API updates.
    existing = dict(engine.backend.resources)
    assert rules(stack.up()) == {"protected-table"}
    assert engine.backend.resources == existing


def test_an_update_without_protect_allows_the_removal(engine: Engine) -> None:
    tables = {"orders": ORDERS}
    stack = deployed(engine, tables)
    stack.configure(config_of(tables, {"protect": False}))
    unprotected = stack.up()
    assert unprotected.succeeded, unprotected.errors
    assert unprotected.changed == dict.fromkeys(
        ["orders", "orders-source-table", "orders-lake-bucket", "orders-query-workgroup"], "update"
    )

    open_ = {**ORDERS, "protect": False}
    replaced = edited(stack, {"orders": {**open_, "source": {"hash_key": "pk"}}})
    assert replaced.of("replace") >= {"orders-source-table"}
    outcome = edited(stack, {"returns": RETURNS}, defaults={"protect": False})
    assert outcome.succeeded, outcome.errors
    assert set(PROTECTED) <= outcome.of("delete")


def test_a_retained_pipeline_leaves_data_and_queries(engine: Engine) -> None:
    orders = {**ORDERS, "lake": {"kms_key_arn": KEY}, "query": {"saved_queries": True}}
    stack = deployed(engine, {"orders": orders})
    existing = dict(engine.backend.resources)
    stack.configure(config_of({"orders": {**orders, "retain": True}}))
    retained = stack.up()
    assert retained.succeeded, retained.errors
    assert retained.changed == dict.fromkeys(["orders", "orders-lake-table"], "update")
    assert engine.backend.resources == existing

    outcome = edited(stack, {"returns": RETURNS})
    assert outcome.succeeded, outcome.errors
    removed = stack.up()
    assert removed.succeeded, removed.errors
    kept = existing.keys() & engine.backend.resources.keys()
    assert {type_ for type_, _ in kept} == KEPT
    assert {type_ for type_, _ in existing.keys() - kept}.isdisjoint(KEPT)
    assert [state["deletionProtectionEnabled"] for state in engine.of("Table").values()] == [
        True,
        True,
    ]


def test_a_retained_table_is_handed_over_without_a_replacement(engine: Engine) -> None:
    stack = deployed(engine, {"orders": {**ORDERS, "retain": True}})
    [(id_, table)] = engine.of("Table").items()
    engine.backend.tables["orders"] = {**table, "streamViewType": "NEW_AND_OLD_IMAGES"}
    other_key = {**ORDERS, "source": {"hash_key": "pk"}}
    assert rules(edited(stack, {"orders": other_key})) == {"retained-keys"}

    existing = {**ORDERS, "source": {"use_existing": True}}
    assert edited(stack, {"orders": existing}).of("delete", "replace") == {"orders-source-table"}

    assert stack.up().succeeded
    assert engine.of("Table") == {id_: table}
