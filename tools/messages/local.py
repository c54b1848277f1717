"""Errors and output of `make demo` and `make local`."""

import dataclasses
import io
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock, Mock, patch

from botocore.exceptions import ClientError
from pulumi.runtime.mocks import MockMonitor
from rich.console import Console

from local import console
from local.commands import demo, items, serve, update
from local.commands.keys import parse_key
from local.deploy import inputs, operations
from local.deploy.deploy import Monitor, Provider, Resource, require_no_loss
from local.deploy.existing_tables import missing_definition, read_definitions
from local.deploy.look_ups import look_up
from local.deploy.resources import athena as workgroups
from local.deploy.resources import cloudwatch, events, firehose, s3
from local.emulator import athena, process, state
from local.emulator.process import ROOT
from local.engine import workspace
from local.ministack_patches.compat import IncompatibleMinistackError
from local.sample import run
from local.sample.delivery import Failure, LakeTableDelivery
from local.sample.item_json import parse_item, writes_of
from local.sample.lake import FailedChange, Lake, lakes_of
from local.sample.report import MovedChange, Partition, PipelineReport, TableReport
from local.sample.writes import Sample
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack
from tools.messages.commands import OUTPUTS, PIPELINE

ENDPOINT = "http://127.0.0.1:4566"
FIRST, SECOND, THIRD = "event-1", "event-2", "event-3"
TABLE = TableReport(
    name="orders",
    rules={},
    bucket="lake",
    location="s3://lake/data/shop/orders/",
    compared_columns=("store_id",),
    expected={FIRST: "INSERT", SECOND: "INSERT", THIRD: "REMOVE"},
    event_types={SECOND: "INSERT", THIRD: "REMOVE"},
    missing=0,
    partitions=[Partition("day=23", 1, 1000, 2)],
    items=1,
    current_state=[{"id": "o-1", "store_id": "tokyo"}],
    different_ids=[],
    failed_changes=[FailedChange(FIRST, "Lambda.ProcessingFailedStatus", "errors/orders/key")],
    expected_failures=1,
    failure_logs={FIRST: '{"message": "change failed", "event_id": "event-1"}'},
)
DEVIATING = dataclasses.replace(
    TABLE,
    event_types={SECOND: "MODIFY"},
    missing=1,
    different_ids=["o-1"],
    partitions=[Partition("day=24", 1, 1000, 0)],
    failed_changes=[],
    failure_logs={FIRST: None},
)
REPORT = PipelineReport(
    name="orders",
    tables=[TABLE],
    is_routed=False,
    changes=3,
    unmatched=0,
    counted_unmatched=0,
    moved=[],
)
LEADS = dataclasses.replace(
    TABLE,
    name="shop.leads",
    rules={"type": ["lead", "visitor"]},
    location="s3://lake/data/shop/leads/",
    compared_columns=("visits",),
    current_state=[],
    items=0,
    failed_changes=[],
    expected_failures=0,
    failure_logs={},
)
CUSTOMERS = dataclasses.replace(
    LEADS,
    name="shop.customers",
    rules={"type": ["customer"], "sk": {"prefix": "PROFILE"}},
    location="s3://lake/data/shop/customers/",
    expected={THIRD: "INSERT"},
    event_types={THIRD: "INSERT"},
    current_state=[{"id": "c-1", "visits": "2"}],
    items=1,
)
ROUTED = dataclasses.replace(
    REPORT,
    name="shop",
    tables=[LEADS, CUSTOMERS],
    is_routed=True,
    changes=5,
    unmatched=2,
    counted_unmatched=2,
    moved=[
        MovedChange("CUSTOMER#c-1 PROFILE", 1, "shop.leads", "INSERT"),
        MovedChange("CUSTOMER#c-1 PROFILE", 2, "shop.leads", "REMOVE"),
        MovedChange("CUSTOMER#c-1 PROFILE", 2, "shop.customers", "INSERT"),
    ],
)
STATELESS = dataclasses.replace(PIPELINE, current_state_query_id=None, view=None)
SHOP = DeployedPipeline.from_outputs(
    "shop",
    {
        **OUTPUTS,
        "settings": {
            "lake_tables": {
                "customers": {
                    "transform_module": "transforms/shop_customers.py",
                    "where": {"type": ["customer"]},
                },
                "open-orders": {
                    "transform_module": "transforms/missing.py",
                    "where": {"sk": {"prefix": "ORDER#"}, "closed": [False]},
                },
            }
        },
        "lake_tables": {
            key: {**OUTPUTS, "table": table, "view": f"{table}_current"}
            for key, table in (("customers", "customers"), ("open-orders", "open_orders"))
        },
    },
)


STACK = DeployedStack("dev", {"orders": OUTPUTS, "shop": SHOP.outputs}, ENDPOINT)


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    return {**_deploy_errors(), **_emulator_errors(), **_item_messages(), **_output()}


def _deploy_errors() -> dict[str, str]:
    unused = inputs.Inputs("aws:s3/bucket:Bucket", "lake", {"acl": "private"})
    rule = inputs.Inputs("rule", "target", {"inputTransformer": MagicMock()})
    dashboard = inputs.Inputs("dashboard", "orders", {"dashboardName": "orders-dev"})
    problems = {"DashboardValidationMessages": ["no widget"]}
    processors = {"Processors": [{"Type": "MetadataExtraction", "Parameters": []}]}
    deaggregation = {"ParameterName": "SubRecordType", "ParameterValue": "JSON"}
    unpartitioned = {"Processors": [{"Type": "RecordDeAggregation", "Parameters": [deaggregation]}]}
    check = firehose.require_supported_processors
    bucket = "aws:s3/bucket:Bucket"
    monitor = Monitor(Provider(Mock(), Mock(), stack="dev"))
    request = SimpleNamespace(parent="", type=bucket, name="lake", ignoreChanges=[])
    with patch.object(MockMonitor, "RegisterResource"):
        monitor.RegisterResource(request)
        duplicate = _error(monitor.RegisterResource, request)
    destination = inputs.Inputs("stream", "orders", {"name": "orders", "destination": "redshift"})
    failing = Mock(side_effect=RuntimeError("NoSuchBucket"))
    with patch.object(s3.Bucket, "create", failing):
        failed = _error(operations.create, Mock(), bucket, "lake", {})
    full = _clients(
        list_named_queries={"NamedQueryIds": ["1", "2"]},
        list_query_executions={"QueryExecutionIds": ["3"]},
    )
    role = "aws:iam/role:Role"
    table = "aws:dynamodb/table:Table"
    previous = {
        "1": Resource(table, "orders-source-table", "orders", {}, {}),
        "2": Resource(bucket, "orders-lake-bucket", "lake", {}, {}),
    }
    return {
        "create-failed": failed,
        "data-at-risk": _error(require_no_loss, {"1": "replace", "2": "delete"}, previous),
        "invalid-table-definition": _invalid_definitions(),
        "missing-table-definition": str(missing_definition(["app", "events"], "prod")),
        "replacement-required": _error(
            operations.update, Mock(), bucket, "lake", "a", {"bucket": "a"}, {"bucket": "b"}
        ),
        "unknown-removal": _error(
            operations.update, Mock(), role, "states", "a", {"description": "a"}, {}
        ),
        "workgroup-not-empty": _error(workgroups.Workgroup().delete, full, {"name": "orders"}),
        "unknown-resource-type": _error(operations.create, Mock(), "aws:sqs/queue:Queue", "q", {}),
        "unknown-inputs": _error(unused.require_all_used),
        "unknown-call": _error(look_up, Mock(), "aws:index/getPartitions", {}, {}, "dev"),
        "duplicate-resource": duplicate,
        "unsupported-destination": _error(firehose.DeliveryStream().create, Mock(), destination),
        "unsupported-processor": _error(check, {"ProcessingConfiguration": processors}),
        "deaggregation-without-partitioning": _error(
            check, {"ProcessingConfiguration": unpartitioned}
        ),
        "invalid-dashboard": _error(
            cloudwatch.Dashboard().create, _clients(put_dashboard=problems), dashboard
        ),
        "invalid-event-target": _error(
            events.Target().create,
            _clients(put_targets={"FailedEntries": ["no such rule"]}),
            rule,
        ),
    }


def _invalid_definitions() -> str:
    """Return the error for files of every kind that describe no table."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        unreadable = Mock(__str__=lambda _: f"{name}/unreadable.json")
        unreadable.read_text.side_effect = PermissionError(13, "Permission denied")
        (directory / "utf-16.json").write_text("{}", encoding="utf-16")
        (directory / "table.yaml").write_text("Table:\n  TableName: orders\n")
        (directory / "list.json").write_text('{"TableNames": ["orders"]}')
        names = ("missing.json", "", "utf-16.json", "table.yaml", "list.json")
        files = [*(directory / each for each in names), unreadable]
        return _error(read_definitions, files).replace(name, "tables")


def _emulator_errors() -> dict[str, str]:
    def query(status: str) -> str:
        execution = {"Status": {"State": status, "StateChangeReason": "no such table"}}
        clients = _clients(get_query_execution={"QueryExecution": execution})
        return _error(athena.query, clients, "SELECT 1", "orders", "shop")

    emulator = process.Emulator("eu-west-1", 4566)
    emulator._process = Mock(poll=lambda: 1)
    exited = _error(emulator.check)
    with socket.create_server((process.HOST, 0)) as server:
        port = server.getsockname()[1]
        in_use = _error(process.Emulator("eu-west-1", port).__enter__)
    with (
        tempfile.TemporaryDirectory() as directory,
        patch.object(subprocess, "Popen", return_value=Mock(poll=lambda: None)),
        patch.multiple(process, START_SECONDS=0.0, is_ready=lambda _: False),
        patch.multiple(emulator, directory=Path(directory)),
    ):
        slow = _error(emulator._start)
    with patch.object(athena, "QUERY_SECONDS", 0.0):
        timeout = query("RUNNING")
    with patch.object(state, "load_running", return_value=STACK):
        second = _error(state.ensure_none_running)
    with patch.object(state, "STATE_FILE", Mock(exists=lambda: False)):
        none = _error(state.load_running)
    with patch.object(shutil, "which", return_value=None):
        no_pulumi = _error(workspace.require_pulumi)
    failed = workspace.Outcome(succeeded=False, errors=["name is too long\n", "update failed\n"])
    return {
        "already-running": second,
        "emulator-exited": exited,
        "emulator-timeout": slow,
        "engine-failed": _error(update.succeeded, failed),
        "incompatible-ministack": str(IncompatibleMinistackError(["ministack.services.s3._put"])),
        "not-running": none,
        "port-in-use": in_use.replace(str(port), "4566"),
        "pulumi-not-installed": no_pulumi,
        "query-failed": query("FAILED"),
        "query-timeout": timeout,
    }


def _item_messages() -> dict[str, str]:
    details = {"Error": {"Code": "ValidationException", "Message": "The key must be a string"}}
    empty_table = DeployedStack("dev", {}, ENDPOINT)
    stateless = DeployedStack("dev", {"orders": STATELESS.outputs}, ENDPOINT)

    def reject() -> None:
        with items.rejections("write 2 of 3"):
            raise ClientError(details, "PutItem")

    with patch.object(items, "load_running", return_value=empty_table):
        empty = _error(items.run_query, "SELECT 1")
    with patch.object(items, "load_running", return_value=STACK):
        no_table = _error(items.run_query, "shop")
    with patch.object(items, "load_running", return_value=stateless):
        no_state = _error(items.run_query, "orders")
    return {
        **_deliveries(),
        "invalid-item": _error(parse_item, '{"id": {"M": {"sizes": {"NS": ["1", "x"]}}}}'),
        "invalid-item-type": _error(parse_item, '{"id": {"X": "1"}}'),
        "invalid-items": _error(demo.files_of, ["orders"]),
        "invalid-json": _error(parse_item, "{id: 1}"),
        "invalid-key": _error(parse_key, "1", {"user_id": "S", "created": "N"}),
        "invalid-key-value": _error(parse_key, '{"created": "now"}', {"created": "N"}),
        "item-not-an-object": _error(parse_item, "[]"),
        "key-missing-in-a-file": _error(writes_of, b'{"id": "1"}', "scan.json", ["pk", "id"]),
        "no-current-state": no_state,
        "no-pipeline": empty,
        "unknown-lake-table": no_table,
        "unknown-table": _unknown_table("orders", "orders_current", "orders_objects"),
        "unknown-table-before-the-first-crawl": _unknown_table(),
        "write-rejected": _error(reject),
    }


def _unknown_table(*existing: str) -> str:
    """Return the error of `query` for a missing table."""
    pages = [{"TableList": [{"Name": name} for name in existing]}]
    glue = Mock(**{"get_paginator.return_value.paginate.return_value": pages})
    stack = Mock(pipelines=[PIPELINE], clients=lambda _pipeline: lambda _service: glue)
    return items.unknown_table(stack, 'awsdatacatalog."orders"."nothing"').message


def _deliveries() -> dict[str, str]:
    """Return what `put`, `delete` and `import` print."""
    clients = Mock()
    customers, orders = lakes_of(clients, SHOP)
    failure = Failure(FIRST, "change failed: KeyError at shop.py:9", "s3://lake/errors/shop/key")
    mixed = Mock(
        changes=12,
        unmatched=1,
        unmatched_batches={THIRD: "s3://lake/aws/lambda/batch"},
        left=1,
        tables=[
            LakeTableDelivery(customers, rows=2, filtered=1, missing={SECOND, THIRD}),
            LakeTableDelivery(orders, failures=[failure] * 4),
        ],
    )
    failed = Mock(
        unmatched_batches={FIRST: "s3://lake/aws/lambda/UUID/key"},
        tables=[LakeTableDelivery(customers)],
    )
    stateless = LakeTableDelivery(Lake(clients, STATELESS), rows=1)
    next_commands = console.print_next_commands
    return {
        "delivery": _printed(console.print_delivery, mixed),
        "delivery-commands": _printed(next_commands, mixed, "python -m local", "replay"),
        "delivery-commands-of-an-unmatched-failure": _printed(
            next_commands, failed, "python -m local", "replay"
        ),
        "delivery-commands-without-current-state": _printed(
            next_commands,
            Mock(tables=[stateless], unmatched_batches={}),
            "python -m local",
            "replay",
        ),
    }


def _source_table(type_: str, *keys: str) -> Mock:
    """Return a client of a table; `id` is the default key."""
    names = keys or ("id",)
    kinds = zip(names, ("HASH", "RANGE"), strict=False)
    table = {
        "TableName": "table",
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in kinds],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": type_} for name in names],
    }
    return Mock(**{"describe_table.return_value": {"Table": table}})


def _output() -> dict[str, str]:
    result = athena.QueryResult(["id", "text"], [{"id": "1", "text": "x" * 90}])
    emulator = Mock(
        endpoint=ENDPOINT, region="eu-west-1", clients=lambda _service: _source_table("S")
    )

    def commands_of(*pipelines: DeployedPipeline) -> str:
        exports = {pipeline.name: pipeline.outputs for pipeline in pipelines}
        stack = DeployedStack("dev", exports, ENDPOINT)
        return _printed(serve.print_commands, emulator, stack, ROOT)

    with patch.object(items, "relative", lambda path: path.name.rstrip("0123456789.")):
        commands = commands_of(PIPELINE)
        stateless = commands_of(STATELESS)
        emulator.clients = lambda _service: _source_table("S", "pk", "sk")
        several = commands_of(SHOP)
    deviating = dataclasses.replace(REPORT, tables=[DEVIATING], unmatched=1)
    delivered = run.PipelineRun(Mock(), PIPELINE, Sample((), {}), [], records=[{}] * 3)
    delivered.missing = {"orders": {FIRST}}
    unmatched = dataclasses.replace(delivered, missing={}, unmatched=1)
    urn = "urn:pulumi:dev::streaming-etl::aws:dynamodb/table:Table::orders-source-table"
    outcome = workspace.Outcome(
        steps={urn: "update", f"{urn}-2": "create", f"{urn}-3": "same"}, inputs={urn: ["tags"]}
    )
    return {
        "changes": _printed(update.print_changes, outcome),
        "changes-summary": update.summary(outcome),
        "commands": commands,
        "commands-without-current-state": stateless,
        "commands-for-several-lake-tables": several,
        "crawl-result": demo.crawl_result(["orders", "shipments"], {"orders": 2}),
        "crawl-result-of-three": demo.crawl_result(["orders", "a.b", "a.c"], {"orders": 1}),
        "delivery-result": demo.delivery_result([delivered]),
        "delivery-result-with-unmatched": demo.delivery_result([delivered, unmatched]),
        "query-result": _printed(console.print_query_result, result),
        "report": _printed(console.print_reports, [REPORT]),
        "report-without-current-state": _printed(
            console.print_reports,
            [dataclasses.replace(REPORT, tables=[dataclasses.replace(TABLE, current_state=None)])],
        ),
        "report-of-several-lake-tables": _printed(console.print_reports, [ROUTED]),
        "summary": _printed(console.print_summary, [], 4.0),
        "summary-of-problems": _printed(
            console.print_summary, list(deviating.problems.values()), 4.0
        ),
    }


def _clients(**responses: Any) -> Any:
    """Clients whose only service returns these responses."""
    methods = {name: Mock(return_value=response) for name, response in responses.items()}
    return lambda _: MagicMock(**methods)


def _error(function: Callable[..., Any], *arguments: Any) -> str:
    try:
        function(*arguments)
    except CommandError as error:
        return error.message
    raise AssertionError(f"{function} raised no CommandError")


def _printed(function: Callable[..., Any], *arguments: Any) -> str:
    output = io.StringIO()
    with (
        patch.object(sys, "stdout", output),
        patch.object(console, "console", Console(width=80, highlight=False)),
    ):
        function(*arguments)
    return output.getvalue().strip("\n")
