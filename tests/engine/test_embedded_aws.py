"""Stacks that the real Pulumi CLI deploys to the embedded AWS."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.emulator.process import Emulator
from local.engine.embedded import EmbeddedBackend
from local.engine.provider import serving
from local.engine.workspace import EngineStack
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import read_config
from tests.engine.harness import ORDERS, REGION, ROOT, config_of, run_main


@pytest.fixture(scope="module")
def aws() -> Iterator[Clients]:
    with Emulator(REGION) as emulator:
        yield emulator.clients


@pytest.fixture
def port(aws: Clients) -> Iterator[int]:
    with serving(EmbeddedBackend(aws, ROOT, stack="dev")) as port:
        yield port


def created(port: int, folder: Path, config: Mapping[str, str]) -> EngineStack:
    """Deploy a stack with this config."""
    stack = EngineStack(run_main, folder=folder, directory=ROOT, port=port, config=config)
    outcome = stack.up()
    assert outcome.succeeded, outcome.errors
    assert not stack.preview().changed
    return stack


def remaining(aws: Clients) -> list[Any]:
    """Return what is left on the embedded AWS."""
    found = [
        [{"Name": name} for name in aws("dynamodb").list_tables()["TableNames"]],
        aws("s3").list_buckets()["Buckets"],
        aws("lambda").list_functions()["Functions"],
        aws("lambda").list_event_source_mappings()["EventSourceMappings"],
        [{"Name": name} for name in aws("firehose").list_delivery_streams()["DeliveryStreamNames"]],
        aws("glue").get_databases()["DatabaseList"],
        aws("glue").get_crawlers()["Crawlers"],
        aws("athena").list_work_groups()["WorkGroups"],
        aws("cloudwatch").describe_alarms()["MetricAlarms"],
        aws("cloudwatch").list_dashboards()["DashboardEntries"],
        aws("iam").list_roles()["Roles"],
        aws("logs").describe_log_groups()["logGroups"],
        aws("events").list_rules()["Rules"],
        aws("scheduler").list_schedules()["Schedules"],
        aws("stepfunctions").list_state_machines()["stateMachines"],
        aws("sns").list_topics()["Topics"],
    ]
    # Every account has this workgroup.
    return [item for items in found for item in items if item.get("Name") != "primary"]


def test_a_refresh_finds_what_someone_changed_and_deleted(
    aws: Clients, port: int, tmp_path: Path
) -> None:
    stack = created(port, tmp_path, read_config(ROOT).values)
    assert stack.refresh().succeeded
    assert not stack.preview().changed
    [group] = aws("logs").describe_log_groups(logGroupNamePrefix="orders-transform")["logGroups"]
    aws("logs").put_retention_policy(logGroupName=group["logGroupName"], retentionInDays=1)
    aws("cloudwatch").delete_dashboards(DashboardNames=["shipments-dev"])

    refreshed = stack.refresh()

    assert refreshed.succeeded, refreshed.errors
    assert stack.preview().changed == {
        "orders-transform-logs": "update",
        "shipments-monitoring-dashboard": "create",
    }
    assert stack.up().succeeded
    assert not stack.preview().changed

    destroyed = stack.destroy()
    assert destroyed.succeeded, destroyed.errors
    assert not remaining(aws)


def test_an_update_is_in_place_and_deletion_protection_keeps_the_table(
    aws: Clients, port: int, tmp_path: Path
) -> None:
    stack = created(port, tmp_path, config_of({"orders": ORDERS}, {"protect": False}))
    settings = {
        "source": {"deletion_protection": True, "ttl_attribute": "expires_at"},
        "forwarder": {"batch_size": 7, "memory_mib": 512},
        "delivery": {"buffer_seconds": 900},
        "log_retention_days": 1,
        "tags": {"team": "sales"},
    }
    stack.configure(config_of({"orders": ORDERS | settings}, {"protect": False}))

    updated = stack.up()

    assert updated.succeeded, updated.errors
    assert set(updated.changed.values()) == {"update"}
    assert not stack.preview().changed
    ttl = aws("dynamodb").describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    [mapping] = aws("lambda").list_event_source_mappings(
        EventSourceArn=updated.outputs["orders"]["source_stream_arn"]
    )["EventSourceMappings"]
    assert mapping["BatchSize"] == 7

    assert not stack.destroy().succeeded
    assert aws("dynamodb").list_tables()["TableNames"] == ["orders"]
    aws("dynamodb").update_table(TableName="orders", DeletionProtectionEnabled=False)
    assert stack.destroy().succeeded
    assert not remaining(aws)
