"""Messages of `streaming-etl replay` and `backfill`, and of reading a stack."""

import contextlib
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

import click
from botocore.exceptions import ClientError, NoCredentialsError

from streaming_etl.ops.aws_errors import aws_error
from streaming_etl.ops.backfill import by_export, by_scan, source_table
from streaming_etl.ops.backfill.checkpoint import (
    Checkpoint,
    CheckpointIdentity,
    Segment,
    open_checkpoint,
)
from streaming_etl.ops.backfill.command import backfill
from streaming_etl.ops.backfill.export_runs import ExportRuns, File, FileResults, Run
from streaming_etl.ops.backfill.scan import Scan
from streaming_etl.ops.firehose_writer import FirehoseWriter
from streaming_etl.ops.replay.command import ReplayOptions, iso_time
from streaming_etl.ops.replay.entries import REASONS, ChangeSummary, Problem, RowReference
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from streaming_etl.ops.replay.objects import FailureObjects
from streaming_etl.ops.replay.report import (
    EntryProblem,
    ListedChange,
    Report,
    TransformTest,
    render,
)
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig, read_config
from streaming_etl.stack.errors import EXIT_CODES
from streaming_etl.stack.outputs import STATE_FILE, DeployedPipeline, DeployedStack, open_stack

TEXT_OUTPUTS = (
    "region",
    "bucket",
    "database",
    "table",
    "workgroup",
    "current_state_query_id",
    "delivery_stream",
    "source_table",
    "source_table_arn",
    "source_stream_arn",
    "failed_batches_location",
    "errors_location",
    "alarm_topic_arn",
    "failure_events_topic_arn",
)
OUTPUTS: dict[str, Any] = {
    **dict.fromkeys(TEXT_OUTPUTS, "orders"),
    "source_stream_arn": "arn:aws:dynamodb:eu-west-1:1:table/orders/stream/2026-11-23T09:00:00.000",
    "failed_batches_location": "s3://lake/aws/lambda/UUID/",
    "settings": {
        "table_name": "orders",
        "transform_module": "transforms/orders.py",
        "partitions": {},
    },
}
PIPELINE = DeployedPipeline.from_outputs("orders", OUTPUTS)
TABLE = source_table.SourceTable(
    "orders", "arn", "created", "stream", ("id",), 1000, 8_192_000, 40.0, True, 1_000_000
)
RUN_ARN = "arn:aws:states:eu-west-1:1:execution:orders-backfill:run-1"
RUN = Run(RUN_ARN, "run-1", "FAILED", {}, "States.Timeout", "Timed out.")
STREAM = {
    "LatestStreamArn": OUTPUTS["source_stream_arn"],
    "StreamSpecification": {"StreamEnabled": True},
}
IDENTITY = CheckpointIdentity("dev", "orders", "arn", "2026-11-01", "stream")
SHOP = CheckpointIdentity("dev", "shop", "arn", "2026-11-01", "stream", ["orders", "events"])


def messages() -> dict[str, str]:
    """Return every message by its code or name."""
    with _directory():
        return {
            **_stack_messages(),
            **_replay_messages(),
            **_scan_messages(),
            **_export_messages(),
            "aws-error": str(aws_error(_client_error("ValidationException"))),
            "aws-error-denied": str(aws_error(_client_error("AccessDeniedException"))),
            "aws-error-no-credentials": str(aws_error(NoCredentialsError())),
            "exit-codes": EXIT_CODES,
        }


def _stack_messages() -> dict[str, str]:
    configs = {
        "config-not-a-map": "orders\n",
        "invalid-yaml": "config: {tables: [\n",
        "secret-in-config": "config: {tables: {secure: abc}}\n",
        "unknown-config-key": "config: {table: {}}\n",
    }
    invalid = StackConfig("shop", "dev", {"shop:tables": '{"orders": {"format": "csv"}}'})
    stack = DeployedStack("dev", {"orders": OUTPUTS})
    Path("list.json").write_text("[]")
    Path("text.json").write_text("orders")
    lacking = {name: value for name, value in OUTPUTS.items() if name != "bucket"}
    broken = DeployedPipeline.from_outputs("orders", {**OUTPUTS, "settings": {"format": "csv"}})
    result = {
        **{code: _config_error(text) for code, text in configs.items()},
        "unknown-stack": error_of(read_config, Path(), "prod"),
        "invalid-settings": error_of(lambda: invalid.pipelines),
        "invalid-settings-in-outputs": error_of(lambda: broken.args),
        "unknown-pipeline": error_of(stack.pipeline, "payments"),
        "missing-outputs": error_of(DeployedPipeline.from_outputs, "orders", lacking),
        "outputs-not-json": error_of(open_stack, "dev", Path("text.json"), None),
        "outputs-not-json-object": error_of(open_stack, "dev", Path("list.json"), None),
        "endpoint-not-local": error_of(Clients, "http://10.0.0.1:4566", "eu-west-1"),
        "embedded-aws-not-running": error_of(open_stack, "dev", None, "http://127.0.0.1:4566"),
    }
    STATE_FILE.parent.mkdir()
    STATE_FILE.write_text(json.dumps({"endpoint": "http://127.0.0.1:5000", "stack": "dev"}))
    result["embedded-aws-other-stack"] = error_of(open_stack, "prod", None, "http://127.0.0.1:5000")
    elsewhere = error_of(open_stack, "dev", None, "http://127.0.0.1:4566")
    with patch.dict(os.environ, PATH=""):
        absent = error_of(open_stack, "dev", None, None)
    failed = SimpleNamespace(returncode=1, stderr="no stack named 'dev' found\n")
    with patch("shutil.which", return_value="pulumi"), patch("subprocess.run", return_value=failed):
        return {
            **result,
            "embedded-aws-elsewhere": elsewhere,
            "pulumi-not-installed": absent,
            "pulumi-failed": error_of(open_stack, "dev", None, None),
        }


def _replay_messages() -> dict[str, str]:
    day = datetime(2026, 11, 23, tzinfo=UTC)
    report = Report("orders", dry_run=False, objects=2, objects_replayed=1, changes=9)
    report.from_stream, report.from_table, report.deleted_since = 3, 2, 1
    report.by_day["2026-11-23"], report.by_error["Lambda.ProcessingFailedStatus"] = 2, 10
    report.problems = [EntryProblem("errors/1", 3, Problem("not-a-json-object"))] * 2
    report.filtered, report.without_old_image, report.skipped = 1, 2, ["errors/2"]
    dry_run = Report("orders", dry_run=True)
    dry_run.transform_test, dry_run.not_listed = TransformTest("lake", "orders", "prod"), 3
    summary = ChangeSummary("event", "INSERT", '{"id":{"S":"1"}}')
    failure = ("errors/1", 1, summary, "Lambda.ProcessingFailedStatus", "errors/1", "sent")
    dry_run.listed = [ListedChange(*failure)]
    row = RowReference("event", "INSERT", '{"id":{"S":"1"}}', "", "1", 0)
    request = {"UnprocessedKeys": {"orders": {}}, "Responses": {}}
    dynamodb = SimpleNamespace(batch_get_item=lambda **_: request)
    recovery = ChangeRecovery(
        lambda _: dynamodb, "stream", "orders", "always", sleep=lambda _: None
    )
    firehose = Mock()
    firehose.put_record_batch.side_effect = _client_error("AccessDeniedException")
    writer = FirehoseWriter(firehose, "orders", max_changes=1, max_bytes=1, kib_per_second=512)
    objects = FailureObjects(None, "lake")
    reasons = {
        f"problem-{code}": Problem(code, count=2, error="KeyError").reason for code in REASONS
    }
    several = replace(dry_run, objects=1, changes=3, lake_tables=["orders", "customers"])
    several.listed = [ListedChange(*failure, lake_table=name) for name in several.lake_tables]
    several.error_records, several.sent = Counter(orders=2), Counter(orders=2, customers=1)
    with patch("streaming_etl.ops.replay.report.SHOWN_PROBLEMS", 1):
        result = printed(render, report)
    return {
        **reasons,
        "invalid-time": error_of(iso_time, "yesterday"),
        "since-not-before-until": error_of(ReplayOptions(since=day, until=day).check),
        "other-bucket": error_of(lambda: [*objects.below("s3://other/errors/", None, None)]),
        "table-throttled": error_of(recovery.from_table, [row]),
        "firehose-rejected": error_of(writer.write, [b"a\n", b"b\n"]),
        "replay-result": result,
        "replay-result-dry-run": printed(render, dry_run),
        "replay-result-several-lake-tables": printed(render, several),
    }


def _scan_messages() -> dict[str, str]:
    path = Path("checkpoint.json")
    checkpoint = Checkpoint(path, IDENTITY, [Segment(items=250, too_large=["snapshot-1-a"])])
    checkpoint.save()
    Path("other.json").write_text("{}")
    other = CheckpointIdentity("dev", "payments", "arn", "2026-11-01", "stream")
    options = by_scan.ScanOptions
    maximum = SimpleNamespace(name="orders", read_units=40.0, provisioned=False)
    plan = by_scan.scan_plan("orders", TABLE, checkpoint, options())
    shop = Checkpoint(path, SHOP, [Segment(items=250, unmatched=9, sent={"orders": 250})])
    shop_plan = by_scan.scan_plan("shop", TABLE, shop, options())
    return {
        "out-of-range-segments": error_of(options(segments=99).check),
        "out-of-range-rate": error_of(options(read_units=0).check),
        "read-units-exceed-table": error_of(by_scan.read_budget, TABLE, 50.0),
        "read-units-exceed-maximum": error_of(by_scan.read_budget, maximum, 50.0),
        "other-segments": error_of(open_checkpoint, path, IDENTITY, 2, 4, restart=False),
        "other-checkpoint": error_of(open_checkpoint, path, other, None, 4, restart=False),
        "not-a-checkpoint": error_of(
            open_checkpoint, Path("other.json"), IDENTITY, None, 4, restart=False
        ),
        "stream-not-current": error_of(source_table.source_table, _clients(table={}), PIPELINE),
        "no-event-source-mapping": _mapping_error([]),
        "event-source-mapping-not-enabled": _mapping_error([{"UUID": "UUID", "State": "Disabled"}]),
        "scan-rejected": _scan_error("AccessDeniedException"),
        "scan-throttled": _scan_error("ThrottlingException"),
        "scan-plan": "\n".join(plan.lines()),
        "scan-result": printed(by_scan.report, checkpoint, plan, options()),
        "scan-plan-lake-tables": "\n".join(shop_plan.lines()),
        "scan-result-lake-tables": printed(by_scan.report, shop, shop_plan, options()),
        "other-checkpoint-lake-tables": error_of(
            open_checkpoint, path, replace(IDENTITY, lake_tables=["orders"]), None, 4, restart=False
        ),
    }


def _export_messages() -> dict[str, str]:
    machine = _clients(backups="DISABLED")
    machine("stepfunctions").start_execution.side_effect = _client_error("ExecutionAlreadyExists")
    runs = ExportRuns(machine, PIPELINE, "arn")
    ended: Any = Mock()
    ended.export_arn.return_value = "arn:export"
    ended.export.return_value = {"ExportStatus": "COMPLETED"}
    ended.files.return_value = []
    ended.succeeded.return_value = None
    failed = error_of(by_export.report, "orders", RUN, ended, as_json=False)
    left = error_of(by_export.remainder_of, ended, RUN)
    ended.succeeded.return_value = 1
    ended.files.return_value = [File("a", ""), File("b", "")]
    ended.results.return_value = FileResults(frozenset("a"), 1000, 2, errors={"NoProgressError": 1})
    remainder = by_export.Remainder("arn:export", ended.files())
    watching = by_export.ExportOptions(restart=True)
    only, several = by_export.Work([], 1, 1), by_export.Work(["orders", "events"], 1, 1)
    plans = {
        "export-plan": by_export.export_plan("orders", TABLE, None, 512, only),
        "export-plan-remainder": by_export.export_plan("orders", TABLE, remainder, 512, only),
        "export-plan-lake-tables": by_export.export_plan("shop", TABLE, None, 512, several),
    }
    of_orders = replace(RUN, input={"lake_tables": ["orders"]})
    result = printed(by_export.report, "orders", RUN, ended, as_json=False)
    ended.results.return_value = FileResults(
        frozenset("ab"), 1000, 0, 20, Counter(orders=1000), errors={}
    )
    return {
        **{name: "\n".join(plan.lines()) for name, plan in plans.items()},
        "scan-option-with-export": error_of(
            backfill.main,
            ["orders", "--stack", "dev", "--export", "--segments", "2"],
            standalone_mode=False,
        ),
        "backfill-not-enabled": error_of(by_export.state_machine_arn, "dev", PIPELINE),
        "no-point-in-time-recovery": error_of(runs.require_backups, TABLE),
        "run-already-started": error_of(runs.start, 1, {}),
        "run-in-progress": error_of(by_export.require_only_watching, RUN, [], watching),
        "other-lake-tables": error_of(
            by_export.require_only_watching, of_orders, ["events"], watching
        ),
        "export-failed": failed,
        "nothing-left": left,
        "export-result": result,
        "export-result-lake-tables": printed(
            by_export.report, "shop", of_orders, ended, as_json=False
        ),
    }


def error_of(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return the message of the command error that a call raises."""
    try:
        function(*args, **options)
    except click.ClickException as error:
        return error.format_message()
    raise AssertionError(f"{function} raised no error")


def printed(function: Callable[..., Any], *args: Any, **options: Any) -> str:
    """Return what a call prints on the standard output."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        function(*args, **options)
    return "\n".join(line.rstrip() for line in output.getvalue().strip().splitlines())


def _client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "Not authorized."}}, "PutItem")


def _config_error(text: str) -> str:
    Path("Pulumi.dev.yaml").write_text(text)
    return error_of(read_config, Path())


def _clients(
    table: dict[str, Any] | None = None, backups: str = "", mappings: Any = ()
) -> Callable[[str], Any]:
    """Clients of every service with these responses."""
    client = Mock()
    client.describe_table.return_value = {"Table": table}
    recovery = {"PointInTimeRecoveryStatus": backups}
    client.describe_continuous_backups.return_value = {
        "ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}
    }
    client.get_paginator.return_value.paginate.return_value = [{"EventSourceMappings": mappings}]
    return lambda _: client


def _mapping_error(mappings: list[dict[str, str]]) -> str:
    return error_of(
        source_table.require_stream_reader, _clients(STREAM, mappings=mappings), PIPELINE
    )


def _scan_error(code: str) -> str:
    client: Any = Mock()
    client.scan.side_effect = _client_error(code)
    checkpoint = Checkpoint(Path("checkpoint.json"), IDENTITY, [Segment()])
    scan = Scan(client, TABLE, [], Mock(), checkpoint, Mock(), 4, sleep=lambda _: None)
    return error_of(scan.send_page, 0)


@contextlib.contextmanager
def _directory() -> Iterator[None]:
    """Change into an empty directory with a Pulumi project."""
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        Path("Pulumi.yaml").write_text("name: shop\n")
        Path("Pulumi.dev.yaml").write_text("")
        yield
