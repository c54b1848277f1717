"""Rules across the groups of a pipeline's settings."""

from typing import Any

import pytest

from streaming_etl import (
    BackfillArgs,
    DeliveryArgs,
    ForwarderArgs,
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    SourceArgs,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.components.settings.monitoring import iterator_age_threshold
from streaming_etl.components.settings.pipeline import pipeline_name_problems
from tests.support.pipeline_settings import pipeline_args as pipeline
from tests.support.problems import places, problems_of

KEYED = PartitionArgs(dynamic_partition_keys={"store_id": []})
BY_EVENT = PartitionArgs(partition_time="event")
CRON = "cron(0 3 * * ? *)"


@pytest.mark.parametrize(
    ("settings", "place", "related", "limit"),
    [
        (
            {"format": "parquet", "delivery": DeliveryArgs(buffer_mib=63)},
            ("delivery", "buffer_mib", "minimum"),
            "format",
            64,
        ),
        (
            {"partitions": KEYED, "delivery": DeliveryArgs(buffer_mib=63)},
            ("delivery", "buffer_mib", "minimum"),
            "partitions.dynamic_partition_keys",
            64,
        ),
        (
            {"partitions": BY_EVENT, "delivery": DeliveryArgs(buffer_mib=1)},
            ("delivery", "buffer_mib", "minimum"),
            "partitions.partition_time",
            64,
        ),
        (
            {"partitions": KEYED, "delivery": DeliveryArgs(buffer_seconds=59)},
            ("delivery", "buffer_seconds", "minimum"),
            "partitions.dynamic_partition_keys",
            60,
        ),
        (
            {"partitions": BY_EVENT, "delivery": DeliveryArgs(buffer_seconds=0)},
            ("delivery", "buffer_seconds", "minimum"),
            "partitions.partition_time",
            60,
        ),
        (
            {"transform": TransformArgs(buffer_mib=0.24)},
            ("forwarder", "max_record_kib", "maximum"),
            "transform.buffer_mib",
            245,
        ),
        (
            {
                "forwarder": ForwarderArgs(max_changes_per_record=2, max_record_kib=513),
                "transform": TransformArgs(buffer_mib=0.5),
            },
            ("forwarder", "max_record_kib", "maximum"),
            "transform.buffer_mib",
            512,
        ),
        (
            {
                "monitoring": MonitoringArgs(max_iterator_age_seconds=60),
                "forwarder": ForwarderArgs(maximum_record_age_seconds=60),
            },
            ("monitoring", "max_iterator_age_seconds", "maximum"),
            "forwarder.maximum_record_age_seconds",
            59,
        ),
        (
            {"format": "parquet", "delivery": DeliveryArgs(compression="GZIP")},
            ("delivery", "compression", "no-effect"),
            "format",
            None,
        ),
        ({"crawler_schedule": CRON}, ("", "crawler_schedule", "no-effect"), "catalog", None),
        (
            {"catalog": "crawler", "partitions": PartitionArgs(projection_start_year=2020)},
            ("partitions", "projection_start_year", "no-effect"),
            "catalog",
            None,
        ),
        (
            {
                "backfill": BackfillArgs(enabled=True),
                "source": SourceArgs(point_in_time_recovery=False),
            },
            ("source", "point_in_time_recovery", "conflict"),
            "backfill.enabled",
            None,
        ),
        (
            {
                "backfill": BackfillArgs(enabled=True, retention_days=1),
                "lake": LakeArgs(bucket_name="shared"),
            },
            ("backfill", "retention_days", "no-effect"),
            "lake.bucket_name",
            None,
        ),
    ],
)
def test_rejects_settings_that_do_not_go_together(
    settings: dict[str, Any], place: tuple[str, str, str], related: str, limit: object
) -> None:
    [problem] = problems_of(pipeline, **settings)
    assert places([problem]) == [place]
    assert [other.name for other in problem.related] == [related]
    assert problem.details.get("low", problem.details.get("high")) == limit


@pytest.mark.parametrize(
    "settings",
    [
        {"format": "parquet", "delivery": DeliveryArgs(buffer_mib=64, buffer_seconds=0)},
        {"partitions": KEYED, "delivery": DeliveryArgs(buffer_mib=64, buffer_seconds=60)},
        {"partitions": BY_EVENT, "delivery": DeliveryArgs(buffer_mib=128, buffer_seconds=900)},
        {"delivery": DeliveryArgs(buffer_mib=1, buffer_seconds=0)},
        # The transform's buffer has no such minimum, but must hold an aggregated record.
        {
            "partitions": KEYED,
            "transform": TransformArgs(buffer_mib=0.2, buffer_seconds=0),
            "forwarder": ForwarderArgs(max_record_kib=204),
        },
        {
            "transform": TransformArgs(buffer_mib=0.5),
            "forwarder": ForwarderArgs(max_record_kib=512),
        },
        {
            "transform": TransformArgs(buffer_mib=0.2),
            "forwarder": ForwarderArgs(max_changes_per_record=1),
        },
        {
            "backfill": BackfillArgs(enabled=True),
            "source": SourceArgs(use_existing=True),
        },
    ],
)
def test_accepts_settings_that_go_together(settings: dict[str, Any]) -> None:
    assert isinstance(pipeline(**settings), StreamingEtlPipelineArgs)


def test_reports_rules_across_groups_with_the_other_problems() -> None:
    problems = problems_of(
        pipeline,
        table_name="x",
        format="parquet",
        catalog="hive",
        crawler_schedule=CRON,
        delivery=DeliveryArgs(buffer_mib=1, compression="GZIP"),
    )
    # No rule that compares the catalog, which is invalid by itself.
    assert places(problems) == [
        ("", "table_name", "pattern"),
        ("", "catalog", "choice"),
        ("delivery", "buffer_mib", "minimum"),
        ("delivery", "compression", "no-effect"),
    ]


def test_the_iterator_age_threshold_is_at_most_half_of_the_record_age() -> None:
    def threshold(record_age: int, **monitoring: Any) -> int:
        forwarder = ForwarderArgs(maximum_record_age_seconds=record_age)
        return iterator_age_threshold(MonitoringArgs(**monitoring), forwarder)

    assert (threshold(43_200), threshold(600)) == (900, 300)
    assert threshold(600, max_iterator_age_seconds=599) == 599


NO_BUCKET_NAMES = ["Orders", "orders_v2", "orders.v2", "-orders", "orders-", "or--ders", "1orders"]


@pytest.mark.parametrize("name", [*NO_BUCKET_NAMES, "órders", "", "orders\n", "my orders", 7])
def test_rejects_a_pipeline_name_from_which_no_bucket_name_derives(name: object) -> None:
    assert places(pipeline_name_problems(name)) == [("", "name", "pipeline-name")]


def test_rejects_a_pipeline_name_of_more_than_35_characters() -> None:
    assert list(pipeline_name_problems("a" * 35)) == []
    assert places(pipeline_name_problems("a" * 36)) == [("", "name", "pipeline-name-length")]
