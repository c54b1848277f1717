"""The places of dead-lettered changes, and the lake tables that get them."""

from typing import Any

import pytest

from streaming_etl.ops.replay.places import Place, places_of
from streaming_etl.stack.errors import CommandError
from tests.ops.replay.shop import LAKE_TABLES, STREAMS, shop
from tests.support.deployed import MAPPING, deployed_pipeline

ARN = "arn:aws:lambda:ap-northeast-1:123456789012:function:"
ORDERS, CUSTOMERS = "s3://lake/errors/shop/orders/", "s3://lake/errors/shop/customers/"
BACKFILL = "s3://lake/errors/shop/shop-dev/backfill-failed/"
BATCHES = "s3://lake/aws/lambda/"


def shown(places: list[Place]) -> list[tuple[str, str, dict[str, str]]]:
    """Location, lake table, and delivery streams of the routes by lake table."""
    return [
        (each.location, each.lake_table, {route.name: route.stream for route in each.routes})
        for each in places
    ]


def test_one_lake_table_gets_the_changes_of_both_places() -> None:
    assert shown(places_of(deployed_pipeline(), "all", [])) == [
        (BATCHES, "lake-table", {}),
        (ORDERS, "lake-table", {}),
    ]


def test_failed_batches_are_routed_by_the_condition_of_the_only_lake_table() -> None:
    pipeline = deployed_pipeline({"where": {"kind": ["order"]}})
    batches, errors = places_of(pipeline, "all", [])
    assert shown([batches]) == [(BATCHES, "", {"lake-table": "orders-delivery"})]
    assert errors.where is not None
    assert errors.where.names == {"kind"}


@pytest.mark.parametrize(
    ("source", "lake_tables", "locations"),
    [
        ("all", [], [BATCHES, CUSTOMERS, ORDERS, BACKFILL]),
        ("errors", [], [CUSTOMERS, ORDERS, BACKFILL]),
        ("errors", ["customers"], [CUSTOMERS]),
        ("all", ["customers", "orders"], [BATCHES, CUSTOMERS, ORDERS]),
        ("failed-batches", ["customers"], [BATCHES]),
    ],
)
def test_reads_the_error_records_of_the_selected_lake_tables(
    source: str, lake_tables: list[str], locations: list[str]
) -> None:
    places = places_of(shop(), source, lake_tables)
    assert [each.location for each in places] == locations
    lake_table = {ORDERS: "orders", CUSTOMERS: "customers"}
    for location, table, routes in shown(places):
        assert table == lake_table.get(location, "")
        # A batch that is sent to some lake tables only is not done.
        assert routes == ({} if table else STREAMS)


def test_one_of_lake_tables_is_routed_too() -> None:
    [table] = [{"transform_module": "orders.py", "partitions": {}}]
    pipeline = shop(lake_tables={"orders": table})
    places = places_of(pipeline, "failed-batches", [])
    assert [route.name for route in places[0].routes] == ["orders"]


def test_reads_the_own_mapping_in_an_existing_bucket() -> None:
    [place] = places_of(shop(lake={"bucket_name": "lake"}), "failed-batches", [])
    assert place.location == f"{BATCHES}{MAPPING}/"


def test_rejects_an_unknown_lake_table() -> None:
    with pytest.raises(CommandError) as error:
        places_of(shop(), "failed-batches", ["carts"])
    assert error.value.code == "unknown-lake-table"


OWN = {
    "shop-forwarder-function-0a1b2c3": ("batches",),
    "store-forwarder-function-0a1b2c3": ("batches",),
    "shop-orders-transform-function-0a1b2c3": ("orders",),
    # Before a rename of the lake table, and of the pipeline.
    "shop-sales-transform-function-0a1b2c3": ("orders",),
    "store-orders-transform-function-0a1b2c3": ("orders",),
    "shop-customers-transform-function-0a1b2c3": ("customers",),
    "payments-forwarder-function-0a1b2c3": (),
}


@pytest.mark.parametrize("function", OWN)
def test_a_place_has_the_failures_of_its_functions(function: str) -> None:
    settings: dict[str, Any] = LAKE_TABLES
    renamed = {**settings, "orders": {**settings["orders"], "renamed_from": ["sales"]}}
    pipeline = shop(renamed_from=["store"], lake_tables=renamed)
    places = dict(
        zip(["batches", "customers", "orders"], places_of(pipeline, "all", []), strict=False)
    )
    owned = [
        name for name, each in places.items() if each.identity.owns_function(f"{ARN}{function}")
    ]
    assert owned == [*OWN[function]]


def test_a_place_has_the_objects_of_its_delivery_stream() -> None:
    places = places_of(shop(), "errors", [])[:2]
    for place, stream in zip(places, STREAMS.values(), strict=True):
        assert place.identity.owns_object(f"errors/{stream}-1-2026-11-23-12-00-00-uuid") is True
        other = stream.replace("shop", "payments")
        assert place.identity.owns_object(f"errors/{other}-1-2026-11-23-12-00-00-u") is False
