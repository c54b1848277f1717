"""Step Functions, exports and a bucket, for tests of exports."""

import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.stack.outputs import DeployedPipeline
from tests.support.backfill import FakeDynamoDb, FakeLambda
from tests.support.deployed import MAPPING, TABLE_ARN, deployed_pipeline

STATES = "arn:aws:states:ap-northeast-1:123456789012"
MACHINE = f"{STATES}:stateMachine:orders-backfill"
PATH = "backfill/shop/orders"
EXPORT = f"{TABLE_ARN}/export/01795-2d8752fd"
STOPPED_AT = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
EXPORTED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DATA = f"{PATH}/exports/AWSDynamoDB/01795-2d8752fd/data"
MANIFEST = f"{PATH}/exports/AWSDynamoDB/01795-2d8752fd/manifest-files.json"


class NoSuchKeyError(Exception):
    pass


class FakeBucket:
    """Objects by their key."""

    class exceptions:  # noqa: N801 (the name in boto3)
        NoSuchKey = NoSuchKeyError

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "lake"
        if Key not in self.objects:
            raise NoSuchKeyError
        return {"Body": io.BytesIO(self.objects[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        assert Bucket == "lake"
        self.objects[Key] = Body


class FakeExporter(FakeDynamoDb):
    """A table with one export, whose status is `status`."""

    def __init__(self, *, backups: str = "ENABLED") -> None:
        super().__init__()
        self.backups = backups
        self.status = "COMPLETED"
        self.exported_at = EXPORTED_AT

    def describe_continuous_backups(self, **request: Any) -> dict[str, Any]:
        assert request == {"TableName": "orders"}
        recovery = {"PointInTimeRecoveryStatus": self.backups}
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": recovery}}

    def describe_export(self, **request: Any) -> dict[str, Any]:
        assert request == {"ExportArn": EXPORT}
        export = {"ExportStatus": self.status, "StartTime": self.exported_at}
        if self.status != "IN_PROGRESS":
            export["ExportTime"] = self.exported_at
        return {"ExportDescription": export}


class FakeStates:
    """Step Functions; a run makes progress whenever it is described."""

    def __init__(self, bucket: FakeBucket) -> None:
        self.bucket = bucket
        self.runs: list[dict[str, Any]] = []
        self.ends = ("SUCCEEDED", ["a", "b", "c"], [])
        """How the next run ends: status, files that succeed, files that fail."""
        self.started: list[tuple[str, dict[str, Any]]] = []
        self.progress: dict[str, Any] = {}
        """Further fields in the result of each file."""

    def add(
        self, name: str, status: str, run_input: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        arn = f"{STATES}:execution:orders-backfill:{name}"
        run = {
            "executionArn": arn,
            "name": name,
            "status": status,
            "input": json.dumps(run_input or {}),
            "described": 0,
            "ends": self.ends,
        }
        self.runs.insert(0, run)
        return run

    def ended(
        self,
        name: str,
        status: str,
        succeeded: Iterable[str],
        failed: Iterable[str],
        **run_input: Any,
    ) -> dict[str, Any]:
        """Add a run that has ended."""
        self.ends = (status, list(succeeded), list(failed))
        run = self.add(name, "RUNNING", run_input)
        self.end(run)
        return run

    def end(self, run: dict[str, Any]) -> None:
        run["status"], succeeded, failed = run["ends"]
        run["stopDate"] = STOPPED_AT
        run["described"] = 9
        if run["status"] != "SUCCEEDED":
            run |= {"error": "States.ExceedToleratedFailureThreshold", "cause": "Too many."}
        folder = f"{PATH}/results/{run['name']}-uuid"
        progress = {"changes": 10, "dead_lettered": 0, **self.progress}
        outputs = [
            {"Output": json.dumps({"key": f"{DATA}/{name}.gz", **progress})} for name in succeeded
        ]
        errors = [{"Error": "NoProgressError", "Cause": "..."} for _ in failed]
        results = {"SUCCEEDED": outputs, "FAILED": errors, "PENDING": []}
        written = {
            kind: [{"Key": f"{folder}/{kind}_0.json"}] if files else []
            for kind, files in results.items()
        }
        for kind, files in results.items():
            self.bucket.objects[f"{folder}/{kind}_0.json"] = json.dumps(files).encode()
        manifest = json.dumps({"ResultFiles": written}).encode()
        self.bucket.objects[f"{folder}/manifest.json"] = manifest

    def run(self, arn: str) -> dict[str, Any]:
        [match] = [run for run in self.runs if run["executionArn"] == arn]
        return match

    def list_executions(self, **request: Any) -> dict[str, Any]:
        assert request.pop("stateMachineArn") == MACHINE
        # One per page.
        place = int(request.pop("nextToken", 0))
        assert request == {}
        arns = [run["executionArn"] for run in self.runs]
        page: dict[str, Any] = {
            "executions": [{"executionArn": arn} for arn in arns[place : place + 1]]
        }
        return page if place + 1 >= len(arns) else {**page, "nextToken": str(place + 1)}

    def describe_execution(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        run["described"] += 1
        if run["status"] == "RUNNING" and run["described"] > 4:
            self.end(run)
        return {name: run[name] for name in run if name not in ("described", "ends")}

    def start_execution(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"stateMachineArn", "name", "input"}
        if request["name"] in [run["name"] for run in self.runs]:
            response = {"Error": {"Code": "ExecutionAlreadyExists", "Message": "It does."}}
            raise ClientError(response, "StartExecution")  # type: ignore[arg-type]
        run_input = json.loads(request["input"])
        self.started.append((request["name"], run_input))
        return {"executionArn": self.add(request["name"], "RUNNING", run_input)["executionArn"]}

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        output = {"lake_tables": [], "started": {"export_arn": EXPORT}}
        export = {"name": "Export", "output": json.dumps(output)}
        before = {"name": "ChooseExport", "output": "{}"}
        events = [{"stateExitedEventDetails": before}, {"stateExitedEventDetails": export}]
        return {"events": [{}, *events[: run["described"]]]}

    def list_map_runs(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        arn = f"{STATES}:mapRun:orders-backfill/files:{run['name']}-uuid"
        return {"mapRuns": [{"mapRunArn": arn}] if run["described"] > 2 else []}

    def describe_map_run(self, **request: Any) -> dict[str, Any]:
        name = request["mapRunArn"].rpartition(":")[2].removesuffix("-uuid")
        [run] = [run for run in self.runs if run["name"] == name]
        return {"itemCounts": {"succeeded": min(run["described"] - 3, 3), "total": 3}}


class World:
    """A pipeline with a state machine, and an export of three files."""

    endpoint = None

    def __init__(
        self, deployed: Callable[..., DeployedPipeline] = deployed_pipeline, **outputs: Any
    ) -> None:
        self.bucket = FakeBucket()
        self.states = FakeStates(self.bucket)
        self.dynamodb = FakeExporter()
        self.mappings = FakeLambda({MAPPING: "Enabled"})
        files = [{"itemCount": 10, "dataFileS3Key": f"{DATA}/{name}.gz"} for name in "abc"]
        self.lines = {name: json.dumps(file) for name, file in zip("abc", files, strict=True)}
        content = "".join(f"{line}\n" for line in self.lines.values())
        self.bucket.objects[MANIFEST] = content.encode()
        machine = {
            "backfill_state_machine_arn": MACHINE,
            "backfill_location": f"s3://lake/{PATH}/",
        }
        self.pipeline = deployed(**{**machine, **outputs})

    def __call__(self, service: str) -> Any:
        services = {
            "stepfunctions": self.states,
            "s3": self.bucket,
            "dynamodb": self.dynamodb,
            "lambda": self.mappings,
        }
        return services[service]
