"""A month's bill, line by line, beside one computed by hand."""

from dataclasses import replace

import pytest

from streaming_etl.ops.cost.bill import Line, bill_of, compare
from streaming_etl.ops.cost.plan import by_hand
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.usage import flow_of
from tests.ops.cost_cases import PLAIN, PLAN, plan, traffic

VIRGINIA = read_prices("us-east-1")


@pytest.mark.usefixtures("measured_once")
def test_every_line_of_a_bill_is_its_quantity_times_its_price() -> None:
    full = plan(
        format="parquet",
        dynamic=True,
        folders=3,
        crawler_runs=730,
        alarm_metrics=7,
        dashboards=1,
        customer_key=True,
        object_events=True,
    )
    # 1,024 changes a second of 1,024 bytes: 1 MiB a second, 2,628,000 MiB a month.
    bill = bill_of(traffic(1_024, 1_024), full, VIRGINIA, PLAIN)
    flow = flow_of(traffic(1_024, 1_024), full, PLAIN)

    # 256 lines fill a record of 256 KiB exactly: 52 steps of 5,120. Of a batch of 500 the other
    # 244 are 249,856 bytes, 49 steps.
    assert flow.billed_bytes == pytest.approx(5_382_144 * 101 * 5_120)
    # 1 MiB a second over 3 folders fills 64 MiB after 192 s, so time empties them: 3 x 21,900.
    assert flow.objects == 65_700
    assert {(line.service, line.item): round(line.usd, 4) for line in bill.lines} == {
        ("DynamoDB Streams", "reads by Lambda"): 0,
        # 5,382,144 calls at 0.20 a million.
        ("Lambda", "forwarder"): 1.0764,
        # 2,691,072,000 changes of 13.57261 us and half a millisecond a call: 39,215.9 s of
        # 1,769 MiB.
        ("Lambda", "forwarder, time"): 0.9033,
        # 2,592.0703 GB at 0.029.
        ("Firehose", "ingestion"): 75.1700,
        # 2,628,000 calls, one a second.
        ("Lambda", "transform"): 0.5256,
        # As many changes of 16.18833 us, taken out of their packs: 44,877.9 s.
        ("Lambda", "transform, time"): 1.0337,
        # The same GB as ingestion, at 0.018.
        ("Firehose", "Parquet"): 46.6573,
        # 2,628,000 MiB are 2,566.40625 GB at 0.02.
        ("Firehose", "partitioning"): 51.3281,
        # 65,700 objects at 0.005 a thousand, and again as PUTs.
        ("Firehose", "partitioned objects"): 0.3285,
        ("S3", "PUTs"): 0.3285,
        # A third of 2,566.40625 GB at 0.023.
        ("S3", "the month's rows"): 19.6758,
        # 657 requests at 0.003 a thousand.
        ("KMS", "requests"): 0.0020,
        # 65,700 events at 1.00 a million.
        ("EventBridge", "objects"): 0.0657,
        # 730 runs of ten minutes at 0.44 an hour.
        ("Glue", "crawler"): 53.5333,
        ("CloudWatch", "alarms"): 0.70,
        ("CloudWatch", "dashboard"): 3.00,
        # 5,382,144 and 2,628,000 calls of 450 bytes: 3.357 GB at 0.50.
        ("CloudWatch", "logs"): 1.6785,
    }
    assert bill.usd == pytest.approx(sum(line.usd for line in bill.lines))


def test_what_a_plan_does_not_use_costs_nothing() -> None:
    bill = bill_of(traffic(1), PLAN, VIRGINIA, PLAIN)

    free = {(line.service, line.item) for line in bill.lines if not line.usd}
    assert free == {
        ("DynamoDB Streams", "reads by Lambda"),
        ("Firehose", "Parquet"),
        ("Firehose", "partitioning"),
        ("Firehose", "partitioned objects"),
        ("KMS", "requests"),
        ("EventBridge", "objects"),
        ("Glue", "crawler"),
        ("CloudWatch", "alarms"),
        ("CloudWatch", "dashboard"),
    }


def test_a_table_nobody_writes_to_costs_its_alarms_and_its_crawler() -> None:
    idle = plan(alarm_metrics=5, crawler_runs=730)
    bill = bill_of(traffic(0), idle, VIRGINIA, PLAIN)

    paid = {line.item: round(line.usd, 2) for line in bill.lines if line.usd}
    assert paid == {"crawler": 53.53, "alarms": 0.50}


def test_time_on_x86_64_is_billed_at_its_own_price() -> None:
    intel = plan(architecture="x86_64")
    bill = bill_of(traffic(1_000), intel, VIRGINIA, PLAIN)
    time = next(line for line in bill.lines if line.item == "transform, time")

    assert time.usd == pytest.approx(time.quantity * 0.0000166667)


def test_the_comparison_bills_the_same_traffic_made_by_hand() -> None:
    one = compare("orders", traffic(10), PLAN, VIRGINIA, PLAIN)

    assert one.ours == bill_of(traffic(10), PLAN, VIRGINIA, PLAIN)
    assert one.by_hand == bill_of(traffic(10), by_hand(PLAN), VIRGINIA, PLAIN)
    crawler = Line(
        service="Glue", item="crawler", quantity=1_460, unit="DPU-hours", usd=pytest.approx(642.4)
    )
    assert next(line for line in one.by_hand.lines if line.item == "crawler") == crawler


def test_a_query_over_the_months_rows_is_told_but_not_billed() -> None:
    # 1 TB of rows as they lie in the lake, uncompressed: 5 USD.
    terabyte = replace(traffic(1), changes=1024**3, image_bytes=1024)
    one = compare("orders", terabyte, plan(compressed=False), VIRGINIA, PLAIN)

    assert one.athena_usd == pytest.approx(5)
    assert "Athena" not in {line.service for line in one.ours.lines}
