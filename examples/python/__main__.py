"""The orders table as an Athena table."""

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

pulumi.export("view", orders.view)
pulumi.export("alarmTopicArn", orders.alarm_topic_arn)
