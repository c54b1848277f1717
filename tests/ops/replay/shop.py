"""A pipeline with two lake tables, which may have the same items."""

from typing import Any

from streaming_etl.stack.outputs import DeployedPipeline
from tests.support.deployed import deployed_shop

STREAMS = {
    "customers": "shop-customers-delivery-stream-4d5e6f7",
    "orders": "shop-orders-delivery-stream-0a1b2c3",
}
LAKE_TABLES: dict[str, dict[str, Any]] = {
    "orders": {
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "where": {"kind": ["order"]},
    },
    "customers": {
        "transform_module": "transforms/customers.py",
        "partitions": {},
        "where": {"name": {"prefix": "c"}},
    },
}


def shop(**settings: Any) -> DeployedPipeline:
    """The pipeline `shop`, whose delivery streams have the names of Pulumi."""
    outputs = {
        key: {
            "table": key,
            "delivery_stream": stream,
            "errors_location": f"s3://lake/errors/shop/{key}/",
        }
        for key, stream in STREAMS.items()
    }
    return deployed_shop(
        {"lake_tables": LAKE_TABLES, **settings},
        lake_tables=outputs,
        backfill_errors_location="s3://lake/errors/shop/shop-dev/backfill-failed/",
    )
