"""Runs of the pipeline's state machine over an export."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Optional
from urllib.parse import urlparse

from streaming_etl.ops.backfill.source_table import SourceTable
from streaming_etl.ops.executions import start_execution, stop_command
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline

# The state that starts the export, in components/stages/backfill_state_machine.py.
EXPORT_STATE = "Export"


@dataclass(frozen=True)
class Run:
    """An execution of the state machine."""

    arn: str
    name: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    input: dict[str, Any]
    error: Optional[str]
    cause: Optional[str]
    stopped: Optional[datetime] = None
    """None while it runs."""

    @property
    def lake_tables(self) -> list[str]:
        """The lake tables that it fills; none for the only one."""
        return list(self.input.get("lake_tables", []))

    @property
    def number(self) -> int:
        """N of `run-N`; 0 for a run with another name."""
        kind, _, number = self.name.partition("-")
        return int(number) if kind == "run" and number.isdigit() else 0

    @property
    def stop_command(self) -> str:
        return stop_command(self.arn)


@dataclass(frozen=True)
class File:
    """A file of an export."""

    key: str
    line: str
    """Its line in the manifest."""


@dataclass(frozen=True)
class FileResults:
    """Results of a run's files, as Step Functions wrote them."""

    succeeded: frozenset[str] = frozenset()
    """Keys of files that are done."""
    items: int = 0
    """Items of these that Firehose has accepted."""
    dead_lettered: int = 0
    """Lines of these in the error prefix."""
    unmatched: int = 0
    """Items of these that no lake table has."""
    sent: Counter[str] = field(default_factory=Counter)
    """Of `items`, those of each lake table."""
    errors: Optional[dict[str, int]] = None
    """Errors of the other files, with the number of files."""


class ExportRuns:
    """The runs of one pipeline's state machine."""

    def __init__(
        self, clients: Callable[[str], Any], pipeline: DeployedPipeline, machine_arn: str
    ) -> None:
        self._sfn, self._s3 = clients("stepfunctions"), clients("s3")
        self._dynamodb = clients("dynamodb")
        self._machine_arn = machine_arn
        location = urlparse(str(pipeline.backfill_location))
        self._bucket, self._path = location.netloc, location.path.lstrip("/")

    def all(self) -> Iterator[Run]:
        """Yield the runs of the last 90 days, the latest first."""
        start: dict[str, str] = {}
        while True:
            page = self._sfn.list_executions(stateMachineArn=self._machine_arn, **start)
            for run in page["executions"]:
                yield self.describe(run["executionArn"])
            if "nextToken" not in page:
                return
            start = {"nextToken": page["nextToken"]}

    def describe(self, arn: str) -> Run:
        execution = self._sfn.describe_execution(executionArn=arn)
        return Run(
            arn=arn,
            name=execution["name"],
            status=execution["status"],
            input=json.loads(execution.get("input") or "{}"),
            error=execution.get("error"),
            cause=execution.get("cause"),
            stopped=execution.get("stopDate"),
        )

    def start(self, number: int, run_input: dict[str, Any]) -> Run:
        """Start `run-<number>`; raises CommandError when another caller has just started it."""
        arn = start_execution(self._sfn, self._machine_arn, f"run-{number}", run_input)
        return self.describe(arn)

    def export_arn(self, run: Run) -> Optional[str]:
        """Return the run's export; None before the export is started."""
        if "export_arn" in run.input:
            return str(run.input["export_arn"])
        # One of the first states starts it, so that its event is in the first page.
        for event in self._sfn.get_execution_history(executionArn=run.arn)["events"]:
            exited = event.get("stateExitedEventDetails", {})
            if exited.get("name") == EXPORT_STATE:
                output = json.loads(exited["output"])
                # Without `started` in a run of an earlier version.
                return str(output.get("started", output)["export_arn"])
        return None

    def export(self, run: Run) -> Optional[dict[str, Any]]:
        """Describe the run's export; None before the export is started."""
        arn = self.export_arn(run)
        if arn is None:
            return None
        export: dict[str, Any] = self._dynamodb.describe_export(ExportArn=arn)["ExportDescription"]
        return export

    def files(self, run: Run) -> list[File]:
        """Return the files that the run reads, once the export is complete."""
        key = run.input.get("manifest")
        if key is None:
            export_arn = self.export_arn(run)
            if export_arn is None:
                return []
            export_id = export_arn.rpartition("/")[2]
            key = f"{self._path}exports/AWSDynamoDB/{export_id}/manifest-files.json"
        lines = (self._read(str(key)) or b"").decode().splitlines()
        return [File(json.loads(line)["dataFileS3Key"], line) for line in lines]

    def succeeded(self, run: Run) -> Optional[int]:
        """Return how many files have succeeded; None before the first one starts.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_MapRunItemCounts.html
        """
        arn = self._map_run(run)
        if arn is None:
            return None
        return int(self._sfn.describe_map_run(mapRunArn=arn)["itemCounts"]["succeeded"])

    def results(self, run: Run) -> FileResults:
        """Return the results of the run's files; empty while it runs.

        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        """
        arn = self._map_run(run)
        content = None
        if arn is not None:
            content = self._read(f"{self._path}results/{arn.rpartition(':')[2]}/manifest.json")
        if content is None:
            return FileResults()
        written = json.loads(content)["ResultFiles"]
        outputs = [json.loads(each["Output"]) for each in self._results(written["SUCCEEDED"])]
        errors = Counter(str(each.get("Error", "")) for each in self._results(written["FAILED"]))
        return FileResults(
            succeeded=frozenset(output["key"] for output in outputs),
            items=sum(output["changes"] for output in outputs),
            dead_lettered=sum(output["dead_lettered"] for output in outputs),
            # A run of an earlier version has one lake table.
            unmatched=sum(output.get("unmatched", 0) for output in outputs),
            sent=sum((Counter(output.get("sent", {})) for output in outputs), Counter()),
            errors=dict(errors),
        )

    def write_list(self, number: int, files: list[File]) -> str:
        """Write a list of files for `run-<number>`; return its key."""
        key = f"{self._path}lists/run-{number}.json"
        body = "".join(f"{file.line}\n" for file in files).encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        return key

    def require_backups(self, table: SourceTable) -> None:
        """Raise CommandError unless the table has point-in-time recovery, which exports need."""
        backups = self._dynamodb.describe_continuous_backups(TableName=table.name)
        recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
        if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
            raise CommandError(
                f"Point-in-time recovery of {table.name} must be enabled for an export. Enable it "
                f"(aws dynamodb update-continuous-backups --table-name {table.name} "
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true), then run "
                "this command again. Without --export the table is scanned.",
                code="no-point-in-time-recovery",
                table=table.name,
            )

    def _map_run(self, run: Run) -> Optional[str]:
        runs = self._sfn.list_map_runs(executionArn=run.arn)["mapRuns"]
        return str(runs[0]["mapRunArn"]) if runs else None

    def _results(self, written: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for file in written:
            yield from json.loads(self._read(file["Key"]) or b"[]")

    def _read(self, key: str) -> Optional[bytes]:
        try:
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return body
