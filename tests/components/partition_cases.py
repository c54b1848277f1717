"""What each partition setting changes."""

from typing import Any

from streaming_etl import ForwarderArgs, PartitionArgs
from tests.components.alarm_cases import WIDGETS, added, drawn
from tests.components.setting_cases import PARAMETERS, S3, SETTINGS, TIME_PROJECTION, Case
from tests.components.stage_cases import LAMBDA_ARN
from tests.support.expected_sql import CURRENT, LATEST_CHANGES, ROWS_PER_PARTITION

DATA = "s3://shop-lake-bucket-0000000/data/shop_test/orders/"
PREFIX = f"{S3}.prefix"
PARTITIONS_AT_A_TIME = [
    drawn(
        *("AWS/Firehose", metric),
        *("DeliveryStreamName", "shop-delivery-stream-0000000"),
        label=label,
        **how,
    )
    for metric, label, how in (
        ("DeliveryToS3.Bytes", "bytes", {}),
        ("PartitionCount", "partitions at a time", {"stat": "Maximum", "yAxis": "right"}),
        ("ActivePartitionsLimit", "partitions allowed", {"stat": "Maximum", "yAxis": "right"}),
    )
]
# Partition keys come from the transform, which must see each change of a packed record alone.
DYNAMIC = {
    f"{S3}.dynamicPartitioningConfiguration": {"enabled": True},
    f"{S3}.processingConfiguration.processors": [
        {
            "type": "RecordDeAggregation",
            "parameters": [{"parameterName": "SubRecordType", "parameterValue": "JSON"}],
        },
        {"type": "Lambda", "parameters": [LAMBDA_ARN]},
    ],
    **added("partition-limit"),
    f"{WIDGETS}.16.properties.metrics": PARTITIONS_AT_A_TIME,
}


def partitioned_by(*keys: str) -> dict[str, Any]:
    """What other partition keys change in the Glue table, the queries and the view."""
    listed = ", ".join(f'"{key}"' for key in keys)
    current = CURRENT.replace('"year", "month", "day"', listed)

    def columns(string: str) -> list[dict[str, str]]:
        return [
            {"name": "id", "type": string},
            {"name": "total", "type": "decimal(10,2)"},
            {"name": "created", "type": "timestamp"},
            *({"name": key, "type": string} for key in keys),
            {"name": "_sequence_number", "type": string},
            {"name": "_changed_at", "type": "timestamp"},
        ]

    return {
        "shop-catalog-table.partitionKeys": [{"name": key, "type": "string"} for key in keys],
        f"{PARAMETERS}.storage.location.template": (
            DATA + "".join(f"{key}=${{{key}}}/" for key in keys)
        ),
        "shop-query-current-state.query": current,
        "shop-query-rows-per-partition.query": ROWS_PER_PARTITION.replace(
            '"year", "month", "day"', listed
        ),
        "shop-query-view.viewOriginalText.originalSql": current,
        "shop-query-view.viewOriginalText.columns": columns("varchar"),
        "shop-query-view.storageDescriptor.columns": columns("string"),
    }


def asking_for_store() -> dict[str, Any]:
    """What a row key with any value changes in the queries; a view cannot ask."""
    table, where = 'FROM "shop_test"."orders"', "WHERE \"store_id\" = '<store_id>'"
    found = partitioned_by("store_id", "year", "month", "day")
    for query in ("shop-query-current-state.query", "shop-query-rows-per-partition.query"):
        indent = "  " if "current" in query else ""
        found[query] = found[query].replace(table, f"{table}\n{indent}{where}")
    latest = LATEST_CHANGES.replace(table, f"{table}\n{where}")
    without_view = {
        path: value for path, value in found.items() if not path.startswith("shop-query-view")
    }
    return without_view | {"shop-query-latest-changes.query": latest, "-shop-query-view": None}


KIND = {
    **partitioned_by("kind", "year", "month", "day"),
    **DYNAMIC,
    f"{PARAMETERS}.projection.kind.type": "enum",
    f"{PARAMETERS}.projection.kind.values": "a,b",
    PREFIX: (
        "data/shop_test/orders/kind=!{partitionKeyFromLambda:kind}/"
        "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
    ),
    f"{SETTINGS}.dynamic_partition_keys.kind": ["a", "b"],
}

CASES = [
    Case(
        setting="partitions.granularity",
        given={"partitions": PartitionArgs(granularity="hour")},
        changes={
            **partitioned_by("year", "month", "day", "hour"),
            f"{PARAMETERS}.projection.hour.type": "integer",
            f"{PARAMETERS}.projection.hour.range": "0,23",
            f"{PARAMETERS}.projection.hour.digits": "2",
            PREFIX: (
                "data/shop_test/orders/year=!{timestamp:yyyy}/month=!{timestamp:MM}/"
                "day=!{timestamp:dd}/hour=!{timestamp:HH}/"
            ),
        },
    ),
    Case(
        setting="partitions.layout",
        given={"partitions": PartitionArgs(layout="date")},
        changes={
            **partitioned_by("dt"),
            **TIME_PROJECTION,
            f"{PARAMETERS}.projection.dt.type": "date",
            f"{PARAMETERS}.projection.dt.format": "yyyy-MM-dd",
            f"{PARAMETERS}.projection.dt.range": "2026-01-01,NOW+1DAY",
            f"{PARAMETERS}.projection.dt.interval": "1",
            f"{PARAMETERS}.projection.dt.interval.unit": "DAYS",
            PREFIX: "data/shop_test/orders/dt=!{timestamp:yyyy-MM-dd}/",
        },
    ),
    Case(
        setting="partitions.time_zone",
        given={"partitions": PartitionArgs(time_zone="Asia/Tokyo")},
        changes={
            f"{S3}.customTimeZone": "Asia/Tokyo",
            f"{SETTINGS}.time_zone": "Asia/Tokyo",
        },
    ),
    Case(
        setting="partitions.partition_time",
        given={"partitions": PartitionArgs(partition_time="event")},
        changes={
            PREFIX: (
                "data/shop_test/orders/year=!{partitionKeyFromLambda:year}/"
                "month=!{partitionKeyFromLambda:month}/day=!{partitionKeyFromLambda:day}/"
                "arrived-!{timestamp:yyyy-MM-dd}-"
            ),
            **DYNAMIC,
            f"{SETTINGS}.time_keys": ["year", "month", "day"],
        },
    ),
    Case(
        setting="partitions.partition_time",
        note="in a time zone, which Lambda does not know",
        given={"partitions": PartitionArgs(partition_time="event", time_zone="Asia/Tokyo")},
        changes={
            PREFIX: (
                "data/shop_test/orders/year=!{partitionKeyFromLambda:year}/"
                "month=!{partitionKeyFromLambda:month}/day=!{partitionKeyFromLambda:day}/"
                "arrived-!{timestamp:yyyy-MM-dd}-"
            ),
            **DYNAMIC,
            f"{S3}.customTimeZone": "Asia/Tokyo",
            f"{SETTINGS}.time_keys": ["year", "month", "day"],
            f"{SETTINGS}.time_zone": "Asia/Tokyo",
            "shop-transform-function.code.zoneinfo/Asia/Tokyo": "a time zone",
        },
    ),
    Case(
        setting="partitions.dynamic_partition_keys",
        note="with their values",
        given={"partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a", "b"]})},
        changes=KIND,
    ),
    Case(
        setting="partitions.dynamic_partition_keys",
        note="with any value",
        given={"partitions": PartitionArgs(dynamic_partition_keys={"store_id": []})},
        changes={
            **asking_for_store(),
            f"{PARAMETERS}.projection.store_id.type": "injected",
            PREFIX: (
                "data/shop_test/orders/store_id=!{partitionKeyFromLambda:store_id}/"
                "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
            ),
            **DYNAMIC,
            f"{SETTINGS}.dynamic_partition_keys.store_id": None,
        },
    ),
    Case(
        setting="partitions.dynamic_partition_keys",
        note="with packing off, but packs perhaps under way",
        given={
            "partitions": PartitionArgs(dynamic_partition_keys={"kind": ["a", "b"]}),
            "forwarder": ForwarderArgs(max_changes_per_record=1),
        },
        changes={
            **KIND,
            "shop-forwarder-function.environment.variables.MAX_CHANGES_PER_RECORD": "1",
        },
    ),
    Case(
        setting="partitions.projection_start_year",
        given={"partitions": PartitionArgs(projection_start_year=2020)},
        changes={f"{PARAMETERS}.projection.year.range": "2020,NOW+1DAY"},
    ),
    Case(
        setting="partitions.projection_start_year",
        note="in one folder a day",
        given={
            "partitions": PartitionArgs(
                projection_start_year=2020, layout="date", granularity="hour"
            )
        },
        changes={
            **partitioned_by("dt", "hour"),
            **TIME_PROJECTION,
            f"{PARAMETERS}.projection.dt.type": "date",
            f"{PARAMETERS}.projection.dt.format": "yyyy-MM-dd",
            f"{PARAMETERS}.projection.dt.range": "2020-01-01,NOW+1DAY",
            f"{PARAMETERS}.projection.dt.interval": "1",
            f"{PARAMETERS}.projection.dt.interval.unit": "DAYS",
            f"{PARAMETERS}.projection.hour.type": "integer",
            f"{PARAMETERS}.projection.hour.range": "0,23",
            f"{PARAMETERS}.projection.hour.digits": "2",
            PREFIX: "data/shop_test/orders/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/",
        },
    ),
]
