"""What each setting of the pipeline as a whole changes."""

from tests.components.alarm_cases import (
    DELIVERED,
    DELIVERY_FAILURES,
    MINIMAL,
    NOT_CONVERTED,
    added,
    headed,
)
from tests.components.differences import GONE
from tests.components.pipelines import TYPED
from tests.components.setting_cases import (
    ENTRY,
    PARAMETERS,
    S3,
    SETTINGS,
    STORAGE,
    Case,
)
from tests.support.expected_sql import CURRENT
from tests.components.test_minimal_policies import POLICIES, allow
from tests.support.wheelhouse import CARRIED

TAGGED = (
    *("source-table", "lake-bucket", "catalog-database", "query-workgroup"),
    *("forwarder-role", "forwarder-logs", "forwarder-function", "forwarder-mapping"),
    *("transform-role", "transform-logs", "transform-function"),
    *("delivery-role", "delivery-logs", "delivery-stream", "monitoring-topic"),
    *(f"monitoring-{kind}" for kind in MINIMAL),
    *("watch-topic", "watch-failed-batches", "watch-error-records"),
)

SELECT_CSV = (
    'SELECT NULLIF("id", \'\') AS "id",'
    ' CAST(NULLIF("total", \'\') AS decimal(10,2)) AS "total",'
    ' CAST(NULLIF("created", \'\') AS timestamp) AS "created",'
    ' "year", "month", "day",'
    ' NULLIF("_sequence_number", \'\') AS "_sequence_number",'
    ' CAST(NULLIF("_changed_at", \'\') AS timestamp) AS "_changed_at"'
)
CURRENT_CSV = "\n".join([SELECT_CSV, *CURRENT.splitlines()[1:]])


def of_both_functions(changes: dict[str, str]) -> dict[str, str]:
    return {
        f"shop-{name}-function.{path}": value
        for name in ("forwarder", "transform")
        for path, value in changes.items()
    }


def built_for(python: str) -> dict[str, str]:
    """The wheels that every archive carries."""
    return {f"code.wheels.{package}": python for package in CARRIED}


CASES = [
    Case(
        setting="table_name",
        note="in Glue's letters",
        given={"table_name": "Sales.2026-v1"},
        renames=[("orders", "sales_2026_v1"), ("table/sales_2026_v1/", "table/Sales.2026-v1/")],
        changes={"shop-source-table.name": "Sales.2026-v1", **headed("Sales.2026-v1")},
    ),
    Case(
        setting="transform_module",
        module_name="other.py",
        module=f"{TYPED}# Changed.\n",
        changes={"shop-transform-function.code.transform_module.py": f"{TYPED}# Changed.\n"},
    ),
    Case(
        setting="format",
        note="csv",
        given={"format": "csv"},
        changes={
            f"{PARAMETERS}.classification": "csv",
            # OpenCSVSerDe reads text only, and by place: what may grow stands last.
            **{
                f"{STORAGE}.columns.{index}.name": name
                for index, name in enumerate(
                    [
                        "_op",
                        "_key",
                        "_row",
                        "_event_id",
                        "_sequence_number",
                        "_changed_at",
                        "id",
                        "total",
                        "created",
                    ]
                )
            },
            **{f"{STORAGE}.columns.{index}.type": "string" for index in (1, 2, 5, 8)},
            f"{STORAGE}.serDeInfo.serializationLibrary": (
                "org.apache.hadoop.hive.serde2.OpenCSVSerde"
            ),
            f"{STORAGE}.serDeInfo.parameters.separatorChar": ",",
            f"{STORAGE}.serDeInfo.parameters.quoteChar": '"',
            f"{STORAGE}.serDeInfo.parameters.escapeChar": "\x01",
            f"{STORAGE}.serDeInfo.parameters.ignore.malformed.json": GONE,
            f"{S3}.fileExtension": ".csv.gz",
            f"{SETTINGS}.format": "csv",
            "shop-query-current-state.query": CURRENT_CSV,
            "shop-query-view.viewOriginalText.originalSql": CURRENT_CSV,
        },
    ),
    Case(
        setting="format",
        note="parquet",
        given={"format": "parquet"},
        changes={
            f"{PARAMETERS}.classification": "parquet",
            f"{STORAGE}.inputFormat": (
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
            ),
            f"{STORAGE}.outputFormat": (
                "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
            ),
            f"{STORAGE}.serDeInfo.serializationLibrary": (
                "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
            ),
            f"{STORAGE}.serDeInfo.parameters.serialization.format": "1",
            f"{STORAGE}.serDeInfo.parameters.ignore.malformed.json": GONE,
            # Parquet compresses by itself, and Firehose names its objects.
            f"{S3}.compressionFormat": "UNCOMPRESSED",
            f"{S3}.fileExtension": GONE,
            f"{S3}.dataFormatConversionConfiguration": {
                "enabled": True,
                "inputFormatConfiguration": {"deserializer": {"openXJsonSerDe": {}}},
                "outputFormatConfiguration": {
                    "serializer": {"parquetSerDe": {"compression": "SNAPPY"}}
                },
                "schemaConfiguration": {
                    "databaseName": "shop_test",
                    "tableName": "orders",
                    "roleArn": "arn:aws:iam::123456789012:role/shop-delivery-role-0000000",
                },
            },
            "shop-delivery-policy.policy.Statement": [
                *POLICIES["shop-delivery-policy"][1],
                allow(["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"], *ENTRY),
            ],
            **added("failed-conversions"),
            DELIVERY_FAILURES: [*DELIVERED, NOT_CONVERTED],
        },
    ),
    Case(
        setting="glue_table_name",
        given={"glue_table_name": "sales"},
        renames=[("orders", "sales"), ("table/sales/", "table/orders/")],
        changes={"shop-source-table.name": "orders", **headed("orders")},
    ),
    Case(
        setting="database_name",
        given={"database_name": "theirs"},
        renames=[("shop_test", "theirs")],
        changes={"-shop-catalog-database": None},
    ),
    Case(
        setting="runtime",
        given={"runtime": "python3.14"},
        changes=of_both_functions({"runtime": "python3.14", **built_for("cp314 aarch64")}),
    ),
    Case(
        setting="architecture",
        given={"architecture": "x86_64"},
        changes=of_both_functions({"architectures.0": "x86_64", **built_for("cp313 x86_64")}),
    ),
    Case(
        setting="log_retention_days",
        given={"log_retention_days": 3653},
        changes={
            f"shop-{name}-logs.retentionInDays": 3653
            for name in ("forwarder", "transform", "delivery")
        },
    ),
    Case(
        setting="tags",
        given={"tags": {"team": "sales"}},
        changes={f"shop-{name}.tags.team": "sales" for name in TAGGED},
    ),
]
