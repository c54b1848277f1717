"""Monthly bills, compared with bills computed by hand."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from streaming_etl import StreamingEtlPipeline
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.ops.cost.bill import Bill, bill_of
from streaming_etl.ops.cost.merges import (
    COMPACTION_QUERIES,
    COMPACTION_STATES,
    QUERIES,
    STATES,
)
from streaming_etl.ops.cost.prices import read_prices
from streaming_etl.ops.cost.usage import Traffic
from streaming_etl.stack.config import read_config
from streaming_etl.stack.recorder import build
from tests.ops.cost.cases import CARRIERS, PLAIN, settings, shop, traffic
from tests.support.pipelines import dev_stack
from tools.project import ROOT

VIRGINIA = read_prices("us-east-1")


def bill(month: Traffic, **overrides: Any) -> Bill:
    return bill_of("orders", month, settings(**overrides), VIRGINIA, PLAIN)


@pytest.mark.usefixtures("fixed_measurements")
def test_every_line_is_its_quantity_times_its_price() -> None:
    # One run per hour, three prefixes.
    full = settings(
        format="parquet",
        partitions={"dynamic_partition_keys": {"p": ["a", "b", "c"]}},
        catalog="crawler",
        crawler_schedule="cron(0 * * * ? *)",
        monitoring={"dashboard": True},
        lake={"bucket_name": None, "kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/1"},
    )
    # 1,024 changes per second of 1,024 bytes: 1 MiB per second, 2,628,000 MiB per month.
    queried = replace(PLAIN, queries_per_month=1_000)
    month = bill_of("orders", traffic(1_024, 1_024), full, VIRGINIA, queried)

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
        # 788,400 objects of a year are 789 LISTs, for each of 1,000 queries.
        ("S3", "listings of queries"): 3.9450,
        # 657 requests at 0.003 per thousand.
        ("KMS", "requests"): 0.0020,
        # 65,700 events at 1.00 per million.
        ("EventBridge", "objects"): 0.0657,
        # 730 runs of ten minutes at 0.44 per hour.
        ("Glue", "crawler"): 53.5333,
        # One metric per alarm, at 0.10.
        ("CloudWatch", "alarms"): len(alarms(full)) / 10,
        ("CloudWatch", "dashboard"): 3.00,
        # 5,382,144 and 2,628,000 calls of 450 bytes, the latter also of 286 and of 100 values of 4:
        # 5.036 GB at 0.50.
        ("CloudWatch", "logs"): 2.5180,
        ("CloudWatch", "metric of the lag"): 0.30,
    }
    assert month.usd == pytest.approx(sum(line.usd for line in month.lines))


def test_a_merge_stage_is_billed_by_its_runs() -> None:
    # 1,024 uncompressed rows per second of 1,024 bytes: 1 MiB. A month is 2,628,000 MiB; 3 GiB of
    # items are 1 GiB in Parquet.
    args = settings(
        merge={"enabled": True, "interval_minutes": 120},
        delivery={"compression": "UNCOMPRESSED"},
    )
    month = replace(traffic(1_024, 1_024), items=3 * 1024**2)
    assumptions = replace(PLAIN, merge_share=1.5, expiry_share=0.25, commit_objects=6)
    lines = {
        (line.service, line.item): (line.quantity, line.usd)
        for line in bill_of("orders", month, args, VIRGINIA, assumptions).lines
    }

    # 365 runs; each twelfth compacts.
    compactions = 365 / 12
    # A window of 50 hours, a day, an interval, and half a day for full days: 88 hours of 3,600 MiB.
    merge = 88 * 3_600 / 1_024 + 1.5
    # A VACUUM is billed as 10 MB.
    scanned = 365 * (merge + 0.25) + compactions * (1 + 10 / 1_024)
    assert lines["Athena", "merges"] == pytest.approx((scanned, scanned / 1_024 * 5))
    transitions = 365 * 11 + compactions * 2
    assert lines["Step Functions", "merges"] == pytest.approx(
        (transitions, transitions * 0.025 / 1_000)
    )
    assert lines["EventBridge", "schedule"] == pytest.approx((365, 365 / 1e6))
    # Two commits of six objects, and a LIST for each of four days.
    requests = (365 * 2 + compactions * 2) * 6 + 365 * 4
    assert lines["S3", "requests of merges"] == pytest.approx((requests, requests * 0.005 / 1_000))
    assert lines["S3", "merged table"] == pytest.approx((1, 0.023))


def test_small_merges_are_billed_as_the_least_query() -> None:
    args = settings(merge={"enabled": True})
    month = bill_of("orders", replace(traffic(0), items=0), args, VIRGINIA, PLAIN)
    [line] = [line for line in month.lines if line.service == "Athena"]
    # Two queries of each run, and two more of each twelfth.
    assert line.quantity == pytest.approx((730 * 2 + 730 / 12 * 2) * 10 / 1_024)


@pytest.mark.parametrize("months", [1, 10])
def test_a_query_of_the_merged_table_has_the_price_of_the_items(months: float) -> None:
    # 1 GiB of items in Parquet, and 50 hours to three days and a half with 3,600 MiB per hour.
    args = settings(merge={"enabled": True}, delivery={"compression": "UNCOMPRESSED"})
    traffic_of_items = replace(traffic(1_024, 1_024), items=3 * 1024**2)
    assumptions = replace(PLAIN, stored_months=months)
    month = bill_of("orders", traffic_of_items, args, VIRGINIA, assumptions)

    [part] = month.lake_tables.values()
    merged = (1 + 84 * 3_600 / 1_024) / 1_024 * 5
    assert part.query_scan_usd["merged"] == pytest.approx(merged)
    assert part.query_scan_usd["objects"] == pytest.approx(2_628_000 / 1024**2 * 5 * months)


def test_the_states_of_a_scheduled_run_are_those_of_the_definition() -> None:
    args = settings(merge={"enabled": True})
    machine = build(lambda: StreamingEtlPipeline("orders", args))["orders-merge-state-machine"]
    states = json.loads(machine.inputs["definition"])["States"]
    # One range since the last success, and none of a command.
    assert [state for state in states.values() if state["Type"] == "Map"] == [
        states["Merge"],
        states["Ranges"],
    ]
    assert len(states) + 1 == STATES + COMPACTION_STATES
    queries = [state for state in states.values() if "QueryString" in state.get("Arguments", {})]
    assert len(queries) + 1 == QUERIES + COMPACTION_QUERIES


def test_only_features_in_use_are_billed() -> None:
    month = bill(traffic(1))

    assert [line.item for line in month.lines if line.usd] == [
        "forwarder",
        "forwarder, time",
        "ingestion",
        "transform",
        "transform, time",
        "PUTs",
        "the month's rows",
        "metric of the lag",
        "alarms",
        "logs",
    ]


def test_freshness_decides_records_objects_and_requests() -> None:
    found = {}
    for freshness in ("seconds", "minutes", "economy"):
        month = bill(traffic(2), freshness=freshness)
        puts = {line.item: line.quantity for line in month.lines}["PUTs"]
        [table] = month.lake_tables.values()
        usage = month.usage
        found[freshness] = (table.wait_seconds, usage.records, usage.objects, puts)
        assert table.freshness == freshness
    # A batch has the 2, 10 or 120 changes of its window. An object has the rows of a second, with
    # three requests, or those of a buffer.
    assert found == {
        "seconds": (1, 2_628_000, 2_628_000, 7_884_000),
        "minutes": (185, 525_600, 21_900, 21_900),
        "economy": (1_020, 43_800, 2_920, 2_920),
    }


def test_the_wait_is_that_of_each_lake_table() -> None:
    event_time = {"partition_time": "event"}
    args = shop({"freshness": "economy"}, {"partitions": event_time}, freshness="seconds")
    month = bill_of("shop", traffic(2), args, VIRGINIA, PLAIN)
    # Firehose may buffer dynamic partitions 1.5 times as long.
    assert {
        key: (part.freshness, part.wait_seconds) for key, part in month.lake_tables.items()
    } == {
        "a": ("economy", 1 + 60 + 900),
        "b": ("seconds", 1 + 0 + 90),
    }


def test_an_idle_table_costs_its_alarms_and_its_crawler() -> None:
    month = bill(traffic(0), catalog="crawler", crawler_schedule="cron(0 * * * ? *)")

    billed = {line.item: round(line.usd, 2) for line in month.lines if line.usd}
    assert billed == {"alarms": 0.7, "crawler": 53.53}


@pytest.mark.parametrize(("level", "count"), [("none", 0), ("essential", 6), ("all", 15)])
def test_alarms_are_billed_by_level(level: str, count: int) -> None:
    month = bill(traffic(1), monitoring={"alarms": level, "dashboard": False})
    [line] = [line for line in month.lines if line.item == "alarms"]
    assert line.quantity == count
    assert line.usd == pytest.approx(count * 0.1)


def test_x86_64_has_its_own_price_of_time() -> None:
    month = bill(traffic(1_000), architecture="x86_64")
    time = next(line for line in month.lines if line.item == "transform, time")

    assert time.usd == pytest.approx(time.quantity * 0.0000166667)


def test_the_price_of_a_query_is_not_part_of_the_bill() -> None:
    # 1 TB of uncompressed rows in the lake: 5 USD.
    terabyte = replace(traffic(1), changes=1024**3, image_bytes=1024)
    month = bill(terabyte, delivery={"compression": "UNCOMPRESSED"})

    assert month.full_scan_usd == pytest.approx(5)
    assert "Athena" not in {line.service for line in month.lines}


@pytest.mark.parametrize(
    ("query", "listings", "usd"),
    [
        ({}, 789, 3.945),
        # The example of the documentation.
        ({"current_state_source": "partitions"}, 26_784, 133.92),
        ({"current_state": False}, 0, 0),
        ({"current_state": False, "current_state_source": "partitions"}, 0, 0),
    ],
)
def test_queries_are_billed_by_the_table_that_the_current_state_reads(
    query: dict[str, Any], listings: int, usd: float
) -> None:
    # Flushed by time: 65,700 objects per month.
    args = settings(partitions=CARRIERS, query=query)
    assumptions = replace(PLAIN, queries_per_month=1_000)
    month = bill_of("orders", traffic(100), args, VIRGINIA, assumptions, date(2026, 11, 28))

    [line] = [line for line in month.lines if line.item == "listings of queries"]
    assert (line.service, line.unit, line.quantity) == ("S3", "listings", listings * 1_000)
    assert month.query_listings == listings
    assert line.usd == pytest.approx(usd)


def test_the_dev_stack_has_the_billed_alarms_dashboards_and_object_events() -> None:
    nodes = dev_stack().nodes
    counted, billed = {}, {}
    for name, args in read_config(ROOT).pipelines.items():
        own = [node for node in nodes if node.name.startswith(f"{name}-")]
        metrics = [
            # An alarm on a formula is billed by its metrics.
            sum("metric" in query for query in node.inputs.get("metricQueries") or ()) or 1
            for node in own
            if node.type.endswith(":MetricAlarm")
        ]
        dashboards = sum(node.type.endswith(":Dashboard") for node in own)
        event_sources = any(node.inputs.get("eventbridge") is True for node in own)
        counted[name] = (sum(metrics), dashboards, event_sources)
        month = bill_of(name, traffic(1), args, VIRGINIA, PLAIN)
        lines = {(line.service, line.item): line.quantity for line in month.lines}
        events = lines["EventBridge", "objects"] > 0
        billed[name] = (lines["CloudWatch", "alarms"], lines["CloudWatch", "dashboard"], events)
    assert billed == counted


def test_a_lake_table_is_billed_as_if_it_were_the_only_one() -> None:
    args = shop({"format": "parquet"}, {"where": {}, "catalog": "crawler"})
    month = replace(traffic(500, 1_024), shares={"a": 0.5})
    several = bill_of("shop", month, args, VIRGINIA, PLAIN)

    # Half of the batches of a stream with twice the changes.
    alone = bill(traffic(250, 1_024), format="parquet", forwarder={"batch_size": 250})
    shared = {"reads by Lambda", "forwarder", "forwarder, time", "alarms", "dashboard", "logs"}
    lines = {line.item: line.usd for line in several.lines if line.lake_table == "a"}
    assert lines == pytest.approx(
        {line.item: line.usd for line in alone.lines if line.item not in shared}
    )
    assert several.lake_tables["a"].usd == pytest.approx(sum(lines.values()))
    assert {line.item for line in several.lines if line.lake_table is None} == shared
    assert several.usd == pytest.approx(
        sum(table.usd for table in several.lake_tables.values())
        + sum(line.usd for line in several.lines if line.lake_table is None)
    )


def test_a_pipeline_has_the_alarms_of_all_of_its_lake_tables() -> None:
    args = shop({}, {"catalog": "crawler"}, {}, monitoring={"dashboard": True})
    graph = build(lambda: StreamingEtlPipeline("shop", args))
    lines = {
        line.item: line.quantity
        for line in bill_of("shop", traffic(1), args, VIRGINIA, PLAIN).lines
    }
    assert lines["alarms"] == len(graph.of("MetricAlarm"))
    assert lines["dashboard"] == 1
