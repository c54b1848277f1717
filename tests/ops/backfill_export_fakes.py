"""Stands in for Step Functions and the bucket around a backfill by an export."""

import io
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.stack.outputs import Pipeline, Stack, StackConfig
from tests.ops.backfill_fakes import ARN, MAPPING, OUTPUTS, FakeDynamoDb, FakeLambda

STATES = "arn:aws:states:ap-northeast-1:123456789012"
MACHINE = f"{STATES}:stateMachine:orders-backfill"
PATH = "backfill/shop/orders"
EXPORT = f"{ARN}/export/01795-2d8752fd"
EXPORTED_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
DATA = f"{PATH}/exports/AWSDynamoDB/01795-2d8752fd/data"
MANIFEST = f"{PATH}/exports/AWSDynamoDB/01795-2d8752fd/manifest-files.json"


class NoSuchKeyError(Exception):
    pass


class FakeBucket:
    """Objects by their key."""

    class exceptions:  # noqa: N801 (boto3 calls it so)
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
    """The table with its exports; `status` is that of the one export."""

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
        told = {"ExportStatus": self.status, "StartTime": self.exported_at}
        # Not told before it is known.
        known = {} if self.status == "IN_PROGRESS" else {"ExportTime": self.exported_at}
        return {"ExportDescription": {**told, **known}}


class FakeStates:
    """Step Functions; a run goes through its `stages` of three, one whenever it is described."""

    def __init__(self, bucket: FakeBucket) -> None:
        self.bucket = bucket
        self.runs: list[dict[str, Any]] = []
        self.ends = ("SUCCEEDED", ["a", "b", "c"], [])
        """How the next run ends: its status, the files passed on, the files failed."""
        self.started: list[tuple[str, dict[str, Any]]] = []

    def add(self, name: str, status: str, given: dict[str, Any] | None = None) -> dict[str, Any]:
        arn = f"{STATES}:execution:orders-backfill:{name}"
        run = {
            "executionArn": arn,
            "name": name,
            "status": status,
            "input": json.dumps(given or {}),
            "described": 0,
            "ends": self.ends,
        }
        self.runs.insert(0, run)
        return run

    def ended(
        self, name: str, status: str, passed: Iterable[str], failed: Iterable[str], **given: Any
    ) -> dict[str, Any]:
        """Add a run that has ended so."""
        self.ends = (status, list(passed), list(failed))
        run = self.add(name, "RUNNING", given)
        self.end(run)
        return run

    def end(self, run: dict[str, Any]) -> None:
        run["status"], passed, failed = run["ends"]
        run["described"] = 9
        if run["status"] != "SUCCEEDED":
            run |= {"error": "States.ExceedToleratedFailureThreshold", "cause": "Too many."}
        folder = f"{PATH}/results/{run['name']}-uuid"
        ended = [
            {"Output": json.dumps({"key": f"{DATA}/{name}.gz", "changes": 10, "dead_lettered": 0})}
            for name in passed
        ]
        lost = [{"Error": "NoProgressError", "Cause": "..."} for _ in failed]
        objects = {"SUCCEEDED": ended, "FAILED": lost, "PENDING": []}
        files = {
            kind: [{"Key": f"{folder}/{kind}_0.json"}] if found else []
            for kind, found in objects.items()
        }
        for kind, found in objects.items():
            self.bucket.objects[f"{folder}/{kind}_0.json"] = json.dumps(found).encode()
        manifest = json.dumps({"ResultFiles": files}).encode()
        self.bucket.objects[f"{folder}/manifest.json"] = manifest

    def run(self, arn: str) -> dict[str, Any]:
        [found] = [run for run in self.runs if run["executionArn"] == arn]
        return found

    def list_executions(self, **request: Any) -> dict[str, Any]:
        assert request == {"stateMachineArn": MACHINE, "maxResults": 1}
        return {"executions": [{"executionArn": run["executionArn"]} for run in self.runs[:1]]}

    def describe_execution(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        run["described"] += 1
        if run["status"] == "RUNNING" and run["described"] > 4:
            self.end(run)
        return {name: run[name] for name in run if name not in ("described", "ends")}

    def start_execution(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"stateMachineArn", "name", "input"}
        if request["name"] in [run["name"] for run in self.runs]:
            answer = {"Error": {"Code": "ExecutionAlreadyExists", "Message": "It does."}}
            raise ClientError(answer, "StartExecution")  # type: ignore[arg-type]
        given = json.loads(request["input"])
        self.started.append((request["name"], given))
        return {"executionArn": self.add(request["name"], "RUNNING", given)["executionArn"]}

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        left = {"name": "Export", "output": json.dumps({"export_arn": EXPORT})}
        before = {"name": "Given", "output": "{}"}
        events = [{"stateExitedEventDetails": before}, {"stateExitedEventDetails": left}]
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
    """A stack whose pipeline `orders` has a state machine, and an export of three files."""

    endpoint = None

    def __init__(self, **outputs: Any) -> None:
        self.bucket = FakeBucket()
        self.states = FakeStates(self.bucket)
        self.dynamodb = FakeExporter()
        self.mappings = FakeLambda({MAPPING: "Enabled"})
        files = [{"itemCount": 10, "dataFileS3Key": f"{DATA}/{name}.gz"} for name in "abc"]
        self.lines = {name: json.dumps(file) for name, file in zip("abc", files, strict=True)}
        content = "".join(f"{line}\n" for line in self.lines.values())
        self.bucket.objects[MANIFEST] = content.encode()
        told = {
            **OUTPUTS,
            "backfill_state_machine_arn": MACHINE,
            "backfill_location": f"s3://lake/{PATH}/",
            **outputs,
        }
        config = StackConfig("streaming-etl", "dev", {})
        self.stack = Stack(config, [Pipeline("orders", told)], self)  # type: ignore[arg-type]

    def __call__(self, service: str) -> Any:
        services = {
            "stepfunctions": self.states,
            "s3": self.bucket,
            "dynamodb": self.dynamodb,
            "lambda": self.mappings,
        }
        return services[service]
