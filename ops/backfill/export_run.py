"""One run of the state machine over an export: its state, its files, and what they came to."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Optional
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import Pipeline

# The state that asks DynamoDB for the export, components/backfill_definition.py.
EXPORT_STATE = "Export"


@dataclass(frozen=True)
class Run:
    """An execution, as Step Functions tells of it."""

    arn: str
    name: str
    status: str
    """RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED."""
    given: dict[str, Any]
    """Its input."""
    error: Optional[str]
    cause: Optional[str]

    @property
    def number(self) -> int:
        """N of `run-N`; 0 for a run that somebody started under another name."""
        kind, _, number = self.name.partition("-")
        return int(number) if kind == "run" and number.isdigit() else 0


@dataclass(frozen=True)
class File:
    """A file of an export, and how many items it holds."""

    key: str
    items: int
    line: str
    """How the manifest tells of it."""


@dataclass(frozen=True)
class Results:
    """What became of the files of a run, as Step Functions wrote it down."""

    passed: frozenset[str]
    """Keys of files that are done."""
    items: int
    """Items that Firehose has taken from them."""
    dead_lettered: int
    """Lines of them that lie in the error prefix."""
    errors: dict[str, int]
    """Errors by which the other files failed, and how many did."""


NO_RESULTS = Results(frozenset(), 0, 0, {})


class Runs:
    """The runs of one pipeline's state machine."""

    def __init__(self, clients: Clients, pipeline: Pipeline, machine_arn: str) -> None:
        self._sfn, self._s3 = clients("stepfunctions"), clients("s3")
        self._machine_arn = machine_arn
        location = urlparse(str(pipeline.backfill_location))
        self._bucket, self._path = location.netloc, location.path.lstrip("/")

    def latest(self) -> Optional[Run]:
        """The run that was started last, of the 90 days for which Step Functions keeps them."""
        found = self._sfn.list_executions(stateMachineArn=self._machine_arn, maxResults=1)
        return (
            self.describe(found["executions"][0]["executionArn"]) if found["executions"] else None
        )

    def describe(self, arn: str) -> Run:
        told = self._sfn.describe_execution(executionArn=arn)
        return Run(
            arn=arn,
            name=told["name"],
            status=told["status"],
            given=json.loads(told.get("input") or "{}"),
            error=told.get("error"),
            cause=told.get("cause"),
        )

    def start(self, number: int, given: dict[str, Any]) -> Run:
        """Start `run-<number>`; the same twice at one time is one run."""
        name = f"run-{number}"
        try:
            arn = self._sfn.start_execution(
                stateMachineArn=self._machine_arn, name=name, input=json.dumps(given)
            )["executionArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
                raise
            raise CommandError(
                f"Somebody else has started {name} just now. Run this command again: it watches "
                "that run."
            ) from None
        return self.describe(arn)

    def export_arn(self, run: Run) -> Optional[str]:
        """The run's export; None as long as DynamoDB has not been asked for one."""
        if "export_arn" in run.given:
            return str(run.given["export_arn"])
        # Asked for in the second state, so that it stands in the first page.
        for event in self._sfn.get_execution_history(executionArn=run.arn)["events"]:
            left = event.get("stateExitedEventDetails", {})
            if left.get("name") == EXPORT_STATE:
                return str(json.loads(left["output"])["export_arn"])
        return None

    def manifest_key(self, run: Run) -> Optional[str]:
        """The list of the files that the run takes; None before there is an export."""
        if "manifest" in run.given:
            return str(run.given["manifest"])
        export_arn = self.export_arn(run)
        if export_arn is None:
            return None
        export_id = export_arn.rpartition("/")[2]
        return f"{self._path}exports/AWSDynamoDB/{export_id}/manifest-files.json"

    def files(self, run: Run) -> list[File]:
        """The files that the run takes; none before the export is complete."""
        key = self.manifest_key(run)
        content = None if key is None else self._read(key)
        found = []
        for line in (content or b"").decode().splitlines():
            told = json.loads(line)
            found.append(File(told["dataFileS3Key"], told.get("itemCount", 0), line))
        return found

    def counts(self, run: Run) -> Optional[dict[str, int]]:
        """How many files stand where (`pending`, `running`, `succeeded`, `failed` ...); None
        before the first was begun.

        https://docs.aws.amazon.com/step-functions/latest/apireference/API_MapRunItemCounts.html
        """
        arn = self._map_run(run)
        if arn is None:
            return None
        counts: dict[str, int] = self._sfn.describe_map_run(mapRunArn=arn)["itemCounts"]
        return counts

    def results(self, run: Run) -> Results:
        """What the run's files came to; nothing while it runs, or where nothing was written.

        https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
        """
        arn = self._map_run(run)
        if arn is None:
            return NO_RESULTS
        folder = f"{self._path}results/{arn.rpartition(':')[2]}"
        content = self._read(f"{folder}/manifest.json")
        if content is None:
            return NO_RESULTS
        written = json.loads(content)["ResultFiles"]
        ended = [json.loads(each["Output"]) for each in self._ended(written["SUCCEEDED"])]
        errors = Counter(str(each.get("Error", "")) for each in self._ended(written["FAILED"]))
        return Results(
            passed=frozenset(output["key"] for output in ended),
            items=sum(output["changes"] for output in ended),
            dead_lettered=sum(output["dead_lettered"] for output in ended),
            errors=dict(errors),
        )

    def write_list(self, number: int, files: list[File]) -> str:
        """The key of a list of files for `run-<number>` to take."""
        key = f"{self._path}lists/run-{number}.json"
        body = "".join(f"{file.line}\n" for file in files).encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        return key

    def _map_run(self, run: Run) -> Optional[str]:
        runs = self._sfn.list_map_runs(executionArn=run.arn)["mapRuns"]
        return str(runs[0]["mapRunArn"]) if runs else None

    def _ended(self, written: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for file in written:
            yield from json.loads(self._read(file["Key"]) or b"[]")

    def _read(self, key: str) -> Optional[bytes]:
        try:
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey:
            return None
        return body
