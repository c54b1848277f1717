"""Monthly bills, compared with bills computed by hand."""

from dataclasses import replace

import pytest

from streaming_etl.ops.cost.bill import Bill, bill_of
from streaming_etl.ops.cost.plan import Plan, Traffic
from streaming_etl.ops.cost.prices import read_prices
from tests.ops.cost.plans import PLAIN, PLAN, plan, traffic

VIRGINIA = read_prices("us-east-1")


def bill(month: Traffic, one_plan: Plan) -> Bill:
    return bill_of("orders", month, one_plan, VIRGINIA, PLAIN)


@pytest.mark.usefixtures("fixed_measurements")
def test_every_line_is_its_quantity_times_its_price() -> None:
    full = plan(
        format="parquet",
        dynamic=True,
        prefixes=3,
        crawler_runs=730,
        alarm_metrics=7,
        dashboards=1,
        customer_key=True,
        object_events=True,
    )
    # 1,024 changes per second of 1,024 bytes: 1 MiB per second, 2,628,000 MiB per month.
    month = bill(traffic(1_024, 1_024), full)

    # 256 changes fill a record of 256 KiB: 52 steps of 5,120. The other 244 of a batch of 500 are
    # 249,856 bytes, 49 steps.
    assert month.usage.billed_bytes == pytest.approx(5_382_144 * 101 * 5_120)
    # 1 MiB per second in 3 prefixes fills 64 MiB after 192 s, so time flushes them: 3 x 21,900.
    assert month.usage.objects == 65_700
    assert {(line.service, line.item): round(line.usd, 4) for line in month.lines} == {
        ("DynamoDB Streams", "reads by Lambda"): 0,
        # 5,382,144 calls at 0.20 per million.
        ("Lambda", "forwarder"): 1.0764,
        # 2,691,072,000 changes of 13.57261 us and 0.5 ms per call: 39,215.9 s of 1,769 MiB.
        ("Lambda", "forwarder, time"): 0.9033,
        # 2,592.0703 GB at 0.029.
        ("Firehose", "ingestion"): 75.1700,
        # 2,628,000 calls, one per second.
        ("Lambda", "transform"): 0.5256,
        # The same changes at 16.18833 us, deaggregated: 44,877.9 s.
        ("Lambda", "transform, time"): 1.0337,
        # The same GB as ingestion, at 0.018.
        ("Firehose", "Parquet"): 46.6573,
        # 2,628,000 MiB are 2,566.40625 GB at 0.02.
        ("Firehose", "partitioning"): 51.3281,
        # 65,700 objects at 0.005 per thousand, and again as PUTs.
        ("Firehose", "partitioned objects"): 0.3285,
        ("S3", "PUTs"): 0.3285,
        # A third of 2,566.40625 GB at 0.023.
        ("S3", "the month's rows"): 19.6758,
        # 657 requests at 0.003 per thousand.
        ("KMS", "requests"): 0.0020,
        # 65,700 events at 1.00 per million.
        ("EventBridge", "objects"): 0.0657,
        # 730 runs of ten minutes at 0.44 per hour.
        ("Glue", "crawler"): 53.5333,
        ("CloudWatch", "alarms"): 0.70,
        ("CloudWatch", "dashboard"): 3.00,
        # 5,382,144 and 2,628,000 calls of 450 bytes: 3.357 GB at 0.50.
        ("CloudWatch", "logs"): 1.6785,
    }
    assert month.usd == pytest.approx(sum(line.usd for line in month.lines))


def test_only_features_in_use_are_billed() -> None:
    month = bill(traffic(1), PLAN)

    assert [line.item for line in month.lines if line.usd] == [
        *["forwarder", "forwarder, time", "ingestion", "transform", "transform, time"],
        *["PUTs", "the month's rows", "logs"],
    ]


def test_an_idle_table_costs_its_alarms_and_its_crawler() -> None:
    month = bill(traffic(0), plan(alarm_metrics=5, crawler_runs=730))

    billed = {line.item: round(line.usd, 2) for line in month.lines if line.usd}
    assert billed == {"crawler": 53.53, "alarms": 0.50}


def test_x86_64_has_its_own_price_of_time() -> None:
    month = bill(traffic(1_000), plan(architecture="x86_64"))
    time = next(line for line in month.lines if line.item == "transform, time")

    assert time.usd == pytest.approx(time.quantity * 0.0000166667)


def test_the_price_of_a_query_is_not_part_of_the_bill() -> None:
    # 1 TB of uncompressed rows in the lake: 5 USD.
    terabyte = replace(traffic(1), changes=1024**3, image_bytes=1024)
    month = bill(terabyte, plan(compressed=False))

    assert month.full_scan_usd == pytest.approx(5)
    assert "Athena" not in {line.service for line in month.lines}
