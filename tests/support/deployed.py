"""Deployed pipelines for tests of the operator's commands."""

from pathlib import Path
from typing import Any

from streaming_etl.stack.outputs import DeployedPipeline

REGION = "ap-northeast-1"
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:123456789012:table/orders"
STREAM_ARN = f"{TABLE_ARN}/stream/2026-11-23T09:00:00.000"
MAPPING = "5d1a2c3e-0000-4000-8000-000000000001"
SETTINGS = {"table_name": "orders", "transform_module": "transforms/orders.py", "partitions": {}}

OUTPUTS: dict[str, Any] = {
    "region": REGION,
    "settings": SETTINGS,
    "bucket": "lake",
    "database": "shop",
    "table": "orders",
    "workgroup": "orders",
    "current_state_query_id": "query",
    "delivery_stream": "orders-delivery",
    "source_table": "orders",
    "source_table_arn": TABLE_ARN,
    "source_stream_arn": STREAM_ARN,
    "failed_batches_location": f"s3://lake/aws/lambda/{MAPPING}/",
    "errors_location": "s3://lake/errors/shop/orders/",
    "transform_function": "orders-transform-function",
    "forwarder_function": "orders-forwarder-function",
    "alarm_topic_arn": "arn:alarms",
    "alarm_names": ["orders-monitoring-iterator-age", "orders-monitoring-dead-lettered"],
    "failure_events_topic_arn": "arn:failures",
    "view": "orders_current",
    "dashboard": None,
    "crawler": None,
    "merged_table": None,
    "merge_state_machine_arn": None,
    "backfill_state_machine_arn": None,
    "backfill_location": None,
    "backfill_errors_location": None,
    "role_policies": None,
    "lake_tables": None,
}


def deployed_pipeline(settings: dict[str, Any] | None = None, **outputs: Any) -> DeployedPipeline:
    """The pipeline `orders` with further settings and other outputs."""
    values = {**OUTPUTS, "settings": {**SETTINGS, **(settings or {})}, **outputs}
    return DeployedPipeline.from_outputs("orders", values)


SHOP_TABLES: dict[str, Any] = {
    "orders": {"where": {"kind": ["order"]}},
    "customers": {"where": {"kind": ["customer", "company"]}, "format": "parquet"},
    "events": {},
}
"""Settings of the lake tables of `deployed_shop`; the last has all items."""


def deployed_shop(settings: dict[str, Any] | None = None, **outputs: Any) -> DeployedPipeline:
    """The pipeline `shop` with the lake tables `orders`, `customers` and `events`."""
    tables = {
        key: {"transform_module": f"transforms/{key}.py", "partitions": {}, **table}
        for key, table in SHOP_TABLES.items()
    }
    of_tables = {
        key: {
            "table": key,
            "view": f"{key}_current",
            "current_state_query_id": None,
            "delivery_stream": f"shop-{key}-delivery",
            "transform_function": f"shop-{key}-transform-function",
            "errors_location": f"s3://lake/errors/shop/{key}/",
            "crawler": None,
            "merged_table": None,
            "merge_state_machine_arn": None,
        }
        for key in tables
    }
    values = {
        **OUTPUTS,
        **dict.fromkeys(of_tables["orders"]),
        "settings": {"table_name": "orders", "lake_tables": tables, **(settings or {})},
        "lake_tables": of_tables,
        **outputs,
    }
    return DeployedPipeline.from_outputs("shop", values)


def embedded_options(outputs: Path, endpoint: object) -> list[str]:
    """Options of a command for the stack `dev` on the embedded AWS."""
    return ["--stack", "dev", "--outputs", str(outputs), "--endpoint-url", str(endpoint)]
