"""What the status of a stack reads, and what needs attention."""

from datetime import timedelta
from typing import Any

import pytest

from streaming_etl.ops.status import collect
from streaming_etl.ops.status.collect import FailureCount, LastRun, StackStatus
from streaming_etl.ops.status.metrics import MAX_QUERIES
from streaming_etl.stack.outputs import DeployedStack
from tests.ops.status.fakes import NOW, FakeAws
from tests.support.deployed import MAPPING, deployed_pipeline, deployed_shop

HOUR = timedelta(hours=1)
ALARM = "orders-monitoring-iterator-age"
AGES = {
    "iterator-age": ("IteratorAge", "orders-forwarder-function", 1000, 900),
    # Firehose may also be late by its buffers, of 60 and 120 seconds.
    "data-freshness": ("DeliveryToS3.DataFreshness", "orders-delivery", 1, 900 + 60 + 120),
}
"""Metric, value of its dimension, units of a second, and seconds of the threshold."""


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> list[FakeAws]:
    """The fake that the stack's clients are."""
    fakes: list[FakeAws] = []
    monkeypatch.setattr(DeployedStack, "clients", lambda *_: fakes[-1])
    return fakes


@pytest.fixture
def aws(clients: list[FakeAws]) -> FakeAws:
    clients.append(FakeAws())
    return clients[-1]


def codes(status: StackStatus) -> list[str]:
    return [each.code for each in status.problems]


def execution(name: str, status: str, hours_ago: float) -> dict[str, Any]:
    start = NOW - hours_ago * HOUR
    return {"executionArn": name, "name": name, "status": status, "startDate": start}


def test_the_status_of_a_healthy_pipeline(aws: FakeAws) -> None:
    aws.put("PolledEventCount", MAPPING, (1200, 5), (60, 7), (5, 3))
    aws.put("IteratorAge", "orders-forwarder-function", (5, 1500))
    aws.put("DeliveryToS3.Records", "orders-delivery", (1200, 2), (60, 4), (5, 0))
    aws.put("DeliveryToS3.DataFreshness", "orders-delivery", (5, 61))
    aws.put("ChangeLag", "orders-transform-function", (10, 400), (5, 130))
    assert aws.read().as_json == {
        "version": 1,
        "stack": "prod",
        "read_at": "2026-11-29T12:30:00+00:00",
        "today_since": "2026-11-29T00:00:00+00:00",
        "status": "ok",
        "pipelines": {
            "orders": {
                "status": "ok",
                "alarms": {"total": 2, "in_alarm": []},
                "mapping_state": "Enabled",
                "iterator_age_seconds": 1.5,
                "changes_today": 10,
                "last_delivery": "2026-11-29T11:35:00+00:00",
                "failed_batches": {"objects": 0, "complete": True, "oldest": None},
                "backfill_errors": None,
                "lake_tables": {
                    "lake-table": {
                        "lag_seconds": 130,
                        "data_freshness_seconds": 61,
                        "records_today": 4,
                        "last_delivery": "2026-11-29T11:35:00+00:00",
                        "hourly_records": [0, 0, 0, 2, *[0] * 18, 4, 0],
                        "error_records": {"objects": 0, "complete": True, "oldest": None},
                        "last_run": None,
                    }
                },
                "problems": [],
            }
        },
    }


@pytest.mark.parametrize("code", AGES)
def test_an_age_over_the_alarms_threshold_needs_attention(aws: FakeAws, code: str) -> None:
    metric, value, unit, threshold = AGES[code]
    aws.put(metric, value, (5, (threshold + 1) * unit))
    assert codes(aws.read()) == [code]
    aws.put(metric, value, (5, threshold * unit))
    assert codes(aws.read()) == []
    # Without recent traffic there is no age.
    aws.put(metric, value, (30, (threshold + 1) * unit))
    assert codes(aws.read()) == []


def test_an_age_is_not_repeated_where_its_alarm_fires(aws: FakeAws) -> None:
    aws.put("IteratorAge", "orders-forwarder-function", (5, 2e6))
    aws.states[ALARM] = "ALARM"
    status = aws.read()
    assert [(each.code, each.see) for each in status.problems] == [
        ("alarm", "docs/runbook.md#iterator-age")
    ]
    assert status.pipelines[0].in_alarm == [ALARM]


def test_an_alarm_with_a_suffix_leads_to_its_section(clients: list[FakeAws]) -> None:
    name = "orders-monitoring-changes-lost-0a1b2c3"
    clients.append(FakeAws(deployed_pipeline(alarm_names=[name])))
    clients[-1].states[name] = "ALARM"
    [problem] = clients[-1].read().problems
    assert problem.see == "docs/runbook.md#changes-lost"


def test_a_deleted_alarm_needs_attention(aws: FakeAws) -> None:
    del aws.states[ALARM]
    [problem] = aws.read().problems
    assert (problem.code, problem.command) == ("alarm-missing", "pulumi up --refresh --stack prod")


def test_a_stack_of_an_earlier_version_has_no_alarms_and_no_age(clients: list[FakeAws]) -> None:
    clients.append(
        FakeAws(
            deployed_pipeline(alarm_names=None, forwarder_function=None, transform_function=None)
        )
    )
    [pipeline] = clients[-1].read().pipelines
    assert (pipeline.alarms, pipeline.iterator_age_seconds, pipeline.problems) == (0, None, [])


@pytest.mark.parametrize(
    ("state", "expected"), [("Disabled", ["not-polling"]), ("Updating", []), ("Enabled", [])]
)
def test_a_mapping_that_does_not_poll_needs_attention(
    aws: FakeAws, state: str, expected: list[str]
) -> None:
    aws.mapping_state = state
    assert codes(aws.read()) == expected


def test_failures_have_the_command_of_a_replay(aws: FakeAws) -> None:
    aws.keys = [
        (f"aws/lambda/{MAPPING}/a", NOW - HOUR),
        ("errors/shop/orders/a", NOW),
        ("errors/shop/orders/b", NOW - 3 * HOUR),
        ("replayed/errors/shop/orders/c", NOW - 9 * HOUR),
    ]
    status = aws.read()
    [pipeline] = status.pipelines
    assert pipeline.failed_batches == FailureCount(1, oldest=NOW - HOUR)
    errors = pipeline.lake_tables["lake-table"].error_records
    assert errors == FailureCount(2, oldest=NOW - 3 * HOUR)
    assert [(each.code, each.command) for each in pipeline.problems] == [
        (
            "failed-batches",
            "streaming-etl replay orders --stack prod --from failed-batches --dry-run",
        ),
        ("error-records", "streaming-etl replay orders --stack prod --from errors --dry-run"),
    ]


def test_the_commands_are_for_the_lake_table_and_the_embedded_aws(clients: list[FakeAws]) -> None:
    shop = deployed_shop(backfill_errors_location="s3://lake/errors/shop/backfill/")
    clients.append(FakeAws(shop))
    clients[-1].keys = [("errors/shop/customers/a", NOW), ("errors/shop/backfill/a", NOW)]
    stack = DeployedStack("dev", {"shop": shop.outputs}, "http://127.0.0.1:4566")
    problems = clients[-1].read(stack).problems
    begin = "streaming-etl replay shop --stack dev --endpoint-url http://127.0.0.1:4566"
    assert {each.lake_table: each.command for each in problems} == {
        None: f"{begin} --from errors --dry-run",
        "customers": f"{begin} --lake-table customers --from errors --dry-run",
    }


def test_the_listing_of_failures_is_bounded(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "MAX_LISTED", 3)
    aws.keys = [(f"errors/shop/orders/{number}", NOW) for number in range(5)]
    [pipeline] = aws.read().pipelines
    assert pipeline.lake_tables["lake-table"].error_records == FailureCount(
        3, complete=False, oldest=NOW
    )
    aws.keys = aws.keys[:2]
    [pipeline] = aws.read().pipelines
    assert pipeline.lake_tables["lake-table"].error_records == FailureCount(2, oldest=NOW)


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([], LastRun("merge")),
        ([("a", "RUNNING", 0)], LastRun("merge", running=True)),
        ([("b", "SUCCEEDED", 1), ("a", "FAILED", 2)], LastRun("merge", NOW - HOUR)),
        (
            [("a", "SUCCEEDED", 2), ("b", "ABORTED", 1)],
            LastRun("merge", NOW - 2 * HOUR, NOW - HOUR),
        ),
    ],
)
def test_the_last_merge(
    clients: list[FakeAws], runs: list[tuple[str, str, float]], expected: LastRun
) -> None:
    clients.append(FakeAws(deployed_pipeline(merge_state_machine_arn="arn:merge")))
    clients[-1].executions = [execution(*run) for run in runs]
    [pipeline] = clients[-1].read().pipelines
    assert pipeline.lake_tables["lake-table"].last_run == expected
    commands = [each.command for each in pipeline.problems]
    failed = ["streaming-etl merge orders --stack prod --status"]
    assert commands == (failed if expected.failed else [])


@pytest.mark.parametrize(
    ("crawl", "expected"),
    [
        ({"State": "READY"}, LastRun("crawl")),
        ({"State": "RUNNING"}, LastRun("crawl", running=True)),
        (
            {"State": "READY", "LastCrawl": {"Status": "SUCCEEDED", "StartTime": NOW}},
            LastRun("crawl", NOW),
        ),
        (
            {"State": "READY", "LastCrawl": {"Status": "FAILED", "StartTime": NOW}},
            LastRun("crawl", failed=NOW),
        ),
    ],
)
def test_the_last_crawl(clients: list[FakeAws], crawl: dict[str, Any], expected: LastRun) -> None:
    clients.append(FakeAws(deployed_pipeline(crawler="orders-crawler")))
    clients[-1].crawl = crawl
    status = clients[-1].read()
    assert status.pipelines[0].lake_tables["lake-table"].last_run == expected
    assert codes(status) == (["crawler-failed"] if expected.failed else [])


@pytest.mark.parametrize(
    "operation",
    [
        "get_metric_data",
        "DescribeAlarms",
        "GetEventSourceMapping",
        "list_objects_v2",
        "GetCrawler",
        "ListExecutions",
    ],
)
def test_a_call_that_aws_rejects_is_a_problem_of_the_pipeline(
    clients: list[FakeAws], operation: str
) -> None:
    shop = deployed_shop()
    of_tables = {key: dict(each) for key, each in (shop.lake_tables or {}).items()}
    of_tables["orders"]["crawler"] = "crawler"
    of_tables["events"]["merge_state_machine_arn"] = "arn:merge"
    clients.append(FakeAws(deployed_shop(lake_tables=of_tables)))
    clients[-1].rejected = {operation}
    status = clients[-1].read()
    assert set(codes(status)) == {"not-readable"}
    assert operation in status.problems[0].text


def test_metrics_and_alarms_of_many_pipelines_need_few_calls(clients: list[FakeAws]) -> None:
    pipelines = [
        deployed_pipeline(
            alarm_names=[f"{number}-{alarm}" for alarm in range(6)],
            forwarder_function=f"forwarder-{number}",
            delivery_stream=f"stream-{number}",
            transform_function=f"transform-{number}",
        )
        for number in range(100)
    ]
    clients.append(FakeAws(*pipelines))
    status = clients[-1].read()
    # All have one mapping.
    assert clients[-1].queries == [MAX_QUERIES, 101]
    assert {pipeline.alarms for pipeline in status.pipelines} == {6}
    assert status.problems == []
