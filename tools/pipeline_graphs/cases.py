"""Settings that the golden files show: every setting once, and some together.

Each case has a base, the case that its graph is compared with, and the settings that it adds to
the settings of the base. Groups are dicts, as in a stack's config.
"""

from dataclasses import dataclass, field
from typing import Any

from streaming_etl.stack.recorder import ACCOUNT_ID, REGION

TRANSFORM = "def transform(change):\n    return change.new\n"
TYPED = (
    'COLUMNS = {"id": "string", "total": "decimal(10,2)", "created": "timestamp"}\n\n\n' + TRANSFORM
)
NESTED = TYPED.replace('"created": "timestamp"', '"parcels": "array<struct<sku:string,count:int>>"')

MODULES = {
    "modules/shop.py": TYPED,
    "modules/other.py": TYPED + "\n# Another module.\n",
    "modules/without_columns.py": TRANSFORM,
    "modules/nested.py": NESTED,
    "modules/columns_only.py": (
        'COLUMNS = {"id": "string", "city": {"type": "string", "path": "address.city"},\n'
        '    "created": {"type": "timestamp", "unit": "seconds"}}\n'
    ),
}
REQUIREMENTS = {
    "modules/requirements.txt": (
        "iniconfig==2.3.1 \\\n"
        "    --hash=sha256:67f4b9c50da0dedf52af349e7749a80a9057a5031199791b906c3bb3ae878960 \\\n"
        "    --hash=sha256:9121e2c1fdb355232495be3194c8dfe87ccc2d5dee45947b78e68f499790d7a7\n"
    )
}

TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/orders"
EXISTING_TABLE = {
    "orders": {
        "name": "orders",
        "arn": TABLE_ARN,
        "pointInTimeRecovery": {"enabled": True, "recoveryPeriodInDays": 35},
        "streamEnabled": True,
        "streamArn": f"{TABLE_ARN}/stream/2020-02-02T02:02:02.000",
        "streamViewType": "NEW_AND_OLD_IMAGES",
        "hashKey": "pk",
        "rangeKey": "sk",
    }
}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/k"
STREAM = f"{TABLE_ARN}/stream/2026-01-01T00:00:00.000"
BOUNDARY = f"arn:aws:iam::{ACCOUNT_ID}:policy/boundary"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:layer:shared:3"
SECRETS = {
    "API_KEY": f"arn:aws:ssm:{REGION}:{ACCOUNT_ID}:parameter/shop/api-key",
    "SALT": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:shop/salt-1a2B3c",
}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:shared"

ORDERS = {
    "transform_module": "modules/shop.py",
    "partitions": {"granularity": "day"},
    "where": {"type": ["order"]},
}
ITEMS = {
    "transform_module": "modules/columns_only.py",
    "partitions": {"dynamic_partition_keys": {"kind": ["a", "b"]}},
    "format": "parquet",
    "query": {"saved_queries": True},
}
"""Settings of the lake tables `orders` and `items` of the cases with several."""


@dataclass(frozen=True)
class Case:
    """Settings that are compared with those of `base`."""

    settings: dict[str, Any]
    base: str = "minimal"
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Existing tables."""


def _single(group: str, base: str = "minimal", **settings: Any) -> dict[str, Case]:
    """One case for each setting of a group."""
    return {
        f"{group}.{name}={value}": Case({group: {name: value}}, base)
        for name, value in settings.items()
    }


CASES: dict[str, Case] = {
    "minimal": Case(
        {"table_name": "orders", "transform_module": "modules/shop.py", "partitions": {}}
    ),
    "table_name": Case({"table_name": "Sales.2026-v1"}),
    "transform_module": Case({"transform_module": "modules/other.py"}),
    "transform_module without transform": Case({"transform_module": "modules/columns_only.py"}),
    "where": Case({"where": {"type": ["a", 5, True], "id": {"prefix": "A#"}}}),
    "forwarder.unmatched": Case({"forwarder": {"unmatched": "fail"}}, "where"),
    "lake_tables": Case(
        {
            "transform_module": None,
            "partitions": None,
            "lake_tables": {
                "orders": ORDERS,
                "items": ITEMS,
            },
        }
    ),
    "several lake_tables with backfill": Case({"backfill": {"enabled": True}}, "lake_tables"),
    "nested columns": Case({"transform_module": "modules/nested.py"}),
    "format=csv": Case({"format": "csv"}),
    "format=parquet": Case({"format": "parquet"}),
    "catalog=crawler": Case({"catalog": "crawler"}),
    "catalog=crawler without COLUMNS": Case(
        {"transform_module": "modules/without_columns.py"}, "catalog=crawler"
    ),
    "crawler_schedule": Case({"crawler_schedule": "cron(0 3 * * ? *)"}, "catalog=crawler"),
    "glue_table_name": Case({"glue_table_name": "sales"}),
    "allow_layout_change": Case({"allow_layout_change": True}),
    "freshness=seconds": Case({"freshness": "seconds"}),
    "freshness=economy": Case({"freshness": "economy"}),
    "freshness=seconds with format=parquet": Case({"format": "parquet"}, "freshness=seconds"),
    "freshness=seconds with dynamic partitioning": Case(
        {"partitions": {"dynamic_partition_keys": {"kind": ["a", "b"]}}}, "freshness=seconds"
    ),
    "freshness=seconds with set buffers": Case(
        {
            "forwarder": {"batching_window_seconds": 2},
            "transform": {"buffer_seconds": 10},
            "delivery": {"buffer_mib": 5, "buffer_seconds": 20},
        },
        "freshness=seconds",
    ),
    "freshness of a pipeline and of one of its lake_tables": Case(
        {
            "freshness": "economy",
            "lake_tables": {
                "orders": {**ORDERS, "freshness": "seconds"},
                "items": ITEMS,
            },
        },
        "lake_tables",
    ),
    "database_name": Case({"database_name": "shared"}),
    "runtime": Case({"runtime": "python3.14"}),
    "architecture": Case({"architecture": "x86_64"}),
    "log_retention_days": Case({"log_retention_days": 3653}),
    "tags": Case({"tags": {"team": "sales"}}),
    "protect=False": Case({"protect": False}),
    "retain": Case({"retain": True}),
    "renamed_from": Case({"renamed_from": ["store", "sales"]}),
    **_single("iam", permissions_boundary_arn=BOUNDARY, role_path="/team/", role_name_prefix="x-"),
    "iam.role_arns": Case(
        {
            "iam": {
                "role_arns": {
                    "forwarder": f"arn:aws:iam::{ACCOUNT_ID}:role/forwarder",
                    "transform": f"arn:aws:iam::{ACCOUNT_ID}:role/transform",
                }
            }
        }
    ),
    "kms_key_arn": Case({"kms_key_arn": KEY}),
    "kms_key_arn with a crawler": Case({"kms_key_arn": KEY}, "catalog=crawler"),
    "former_kms_key_arns": Case({"former_kms_key_arns": [KEY]}),
    **_single("partitions", granularity="hour", layout="date", time_zone="Asia/Tokyo"),
    **_single("partitions", partition_time="event", projection_start_year=2020),
    "partitions.partition_time in a time zone": Case(
        {"partitions": {"time_zone": "Asia/Tokyo"}}, "partitions.partition_time=event"
    ),
    "partitions.dynamic_partition_keys with values": Case(
        {"partitions": {"dynamic_partition_keys": {"kind": ["a", "b"]}}}
    ),
    "partitions.dynamic_partition_keys with any value": Case(
        {"partitions": {"dynamic_partition_keys": {"store_id": []}}}
    ),
    "partitions.dynamic_partition_keys without aggregation": Case(
        {"forwarder": {"max_changes_per_record": 1}},
        "partitions.dynamic_partition_keys with values",
    ),
    "partitions.projection_start_year with dates": Case(
        {"partitions": {"projection_start_year": 2020}}, "partitions.layout=date"
    ),
    "source.use_existing": Case({"source": {"use_existing": True}}, tables=EXISTING_TABLE),
    "source.stream_arn": Case({"source": {"stream_arn": STREAM}}, "source.use_existing"),
    **{
        f"source.{name}": Case({"source": {name: value}}, "source.stream_arn")
        for name, value in (("stream_view_type", "NEW_IMAGE"), ("table_kms_key_arn", KEY))
    },
    **_single("source", hash_key="pk", hash_key_type="N", range_key="at"),
    "source.range_key_type": Case({"source": {"range_key_type": "B"}}, "source.range_key=at"),
    "source.read_capacity, source.write_capacity": Case(
        {"source": {"read_capacity": 5, "write_capacity": 6}}
    ),
    **_single("source", point_in_time_recovery=False, deletion_protection=False),
    **_single("source", ttl_attribute="expires_at"),
    **_single("forwarder", batch_size=1, parallelization_factor=10),
    **_single("forwarder", "forwarder.batch_size=1", batching_window_seconds=0),
    **_single("forwarder", maximum_retry_attempts=0, maximum_record_age_seconds=60),
    **_single("forwarder", "query.current_state=False", event_names=["INSERT", "REMOVE"]),
    **_single("forwarder", old_image="always", maximum_record_age_seconds=86_400),
    **_single("forwarder", max_changes_per_record=1, max_record_kib=1000),
    **_single("forwarder", timeout_seconds=900, memory_mib=128, reserved_concurrency=0),
    "forwarder.filter_patterns": Case(
        {
            "forwarder": {
                "event_names": ["INSERT"],
                "filter_patterns": ['{"dynamodb": {"Keys": {"id": {"S": ["a"]}}}}'],
            }
        },
        "query.current_state=False",
    ),
    **_single("transform", timeout_seconds=300, memory_mib=10_240, buffer_mib=0.25),
    **_single("transform", buffer_seconds=0, maximum_retry_attempts=0),
    **_single("transform", reserved_concurrency=1, ephemeral_storage_mib=10_240, layers=[LAYER]),
    **_single("transform", environment={"TAX_RATE": "0.1"}),
    "transform.secrets": Case({"transform": {"secrets": SECRETS}}),
    "transform.requirements": Case({"transform": {"requirements": "modules/requirements.txt"}}),
    **_single("delivery", buffer_mib=1, buffer_seconds=900, compression="UNCOMPRESSED"),
    **_single("lake", bucket_name="shared", kms_key_arn=KEY, versioning=False, force_destroy=True),
    **_single("lake", "query.current_state=False", data_retention_days=1),
    **_single("lake", failures_retention_days=2, access_log_bucket="logs"),
    "lake.access_log_prefix": Case(
        {"lake": {"access_log_prefix": "lake/"}}, "lake.access_log_bucket=logs"
    ),
    **_single("lake", query_results_retention_days=3),
    **_single("query", managed_results=True, workgroup_name="analysts"),
    **_single("query", current_state_source="partitions", saved_queries=True),
    **_single("query", current_state=False, bytes_scanned_cutoff_mib=10, force_destroy=True),
    "merge.enabled": Case({"merge": {"enabled": True}}),
    "merge.enabled before the rebuild": Case(
        {"query": {"current_state_source": "objects"}}, "merge.enabled"
    ),
    "merge with format=parquet, granularity=hour": Case(
        {"format": "parquet", "partitions": {"granularity": "hour"}}, "merge.enabled"
    ),
    "merge with kms_key_arn": Case({"kms_key_arn": KEY}, "merge.enabled"),
    "merge with monitoring.alarms=all": Case({"monitoring": {"alarms": "all"}}, "merge.enabled"),
    "merge of one of several lake_tables": Case(
        {
            "lake_tables": {
                "orders": {**ORDERS, "merge": {"enabled": True}},
                "items": ITEMS,
            },
        },
        "lake_tables",
    ),
    **_single("merge", "merge.enabled", interval_minutes=15, window_hours=100),
    **_single("merge", "merge.enabled", alarm_after_hours=8, optimize_every=3, tombstone_days=90),
    **_single("merge", "merge.enabled", change_log_retention_days=30),
    **_single("monitoring", alarm_topic_arn=TOPIC, alarm_emails=["a@example.com", "b@example.com"]),
    **_single("monitoring", alarm_actions=[TOPIC], ok_actions=[TOPIC]),
    **_single("monitoring", dashboard=False, max_iterator_age_seconds=7200),
    **_single("monitoring", max_data_freshness_seconds=3600, max_requeued_changes=50_000),
    **_single("monitoring", max_lag_seconds=120),
    **_single("monitoring", alarms="all"),
    **_single("monitoring", alarms="none"),
    **_single("monitoring", "monitoring.alarms=all", max_transform_duration_percent=50),
    "functions.subnet_ids, functions.security_group_ids": Case(
        {"functions": {"subnet_ids": ["subnet-1a"], "security_group_ids": ["sg-1a"]}}
    ),
    **_single("functions", tracing=True, log_format="json", log_level="warning"),
    **_single("functions", log_group_class="infrequent_access"),
    "functions.log_level with log_format=json": Case(
        {"functions": {"log_level": "debug"}}, "functions.log_format=json"
    ),
    "functions.log_group_class with backfill": Case(
        {"functions": {"log_group_class": "infrequent_access"}}, "backfill.enabled"
    ),
    "backfill.enabled": Case({"backfill": {"enabled": True}}),
    **_single("backfill", "backfill.enabled", concurrency=3, kib_per_second=1024),
    **_single("backfill", "backfill.enabled", maximum_retry_attempts=0, timeout_seconds=60),
    **_single("backfill", "backfill.enabled", tolerated_failure_percentage=100),
    **_single("backfill", "backfill.enabled", memory_mib=10_240, retention_days=3),
    **_single("backfill", "backfill.enabled", reserved_concurrency=4),
    "backfill of an existing table": Case(
        {"source": {"use_existing": True}}, "backfill.enabled", EXISTING_TABLE
    ),
    "backfill.on_create": Case({"backfill": {"on_create": True}}, "backfill.enabled"),
    "backfill.on_create of several lake_tables": Case(
        {"backfill": {"on_create": True}}, "several lake_tables with backfill"
    ),
    "backfill with kms_key_arn": Case({"kms_key_arn": KEY}, "backfill.enabled"),
    "backfill with lake.bucket_name": Case({"lake": {"bucket_name": "shared"}}, "backfill.enabled"),
}


def settings_of(case: Case) -> dict[str, Any]:
    """Return all settings of a case, those of its base included."""
    settings = dict(settings_of(CASES[case.base])) if case is not CASES["minimal"] else {}
    for name, value in case.settings.items():
        inherited = settings.get(name)
        both = isinstance(value, dict) and isinstance(inherited, dict)
        settings[name] = {**inherited, **value} if both else value
    return settings
