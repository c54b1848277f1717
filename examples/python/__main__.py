"""Tables of DynamoDB as Athena tables."""

import pulumi
import pulumi_streaming_etl as streaming

orders = streaming.StreamingEtlPipeline(
    "orders",
    table_name="orders",
    transform_module="transforms/orders.py",
    format="parquet",
    partitions={
        "granularity": "hour",
        "time_zone": "Asia/Tokyo",
        "dynamic_partition_keys": {"store_id": ["tokyo", "osaka", "sapporo"]},
    },
    source={"range_key": "created"},
    forwarder={"batching_window_seconds": 10, "max_record_kib": 128},
    transform={"buffer_mib": 0.5},
    tags={"team": "web-shop"},
)

shop = streaming.StreamingEtlPipeline(
    "shop",
    table_name="shop",
    source={"hash_key": "pk", "range_key": "sk"},
    lake_tables={
        "customers": {
            "transform_module": "transforms/customers.py",
            "where": {"kind": ["customer", "company"], "priority": [1, 2], "active": [True]},
            "format": "parquet",
            "partitions": {"granularity": "day", "time_zone": "Asia/Tokyo"},
            "delivery": {"buffer_seconds": 300},
        },
        "orders": {
            "transform_module": "transforms/orders.py",
            "where": {"sk": {"prefix": "ORDER#"}},
            "partitions": {"dynamic_partition_keys": {"store_id": ["tokyo", "osaka", "sapporo"]}},
        },
    },
)

pulumi.export("view", orders.view)
pulumi.export("alarmTopicArn", orders.alarm_topic_arn)
pulumi.export("lakeTables", shop.lake_tables)
