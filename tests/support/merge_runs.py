"""Step Functions and a change log for tests of merges."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.ops.merge.lake_tables import MergedLakeTable, merged_lake_tables
from streaming_etl.stack.outputs import DeployedPipeline
from tests.support.deployed import deployed_pipeline

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
STATES = "arn:aws:states:ap-northeast-1:123456789012"
MACHINE = f"{STATES}:stateMachine:orders-merge"
DATA = "data/shop/orders/"
MIB = 2**20


class FakeLog:
    """A bucket: sizes of objects by key."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.listed: list[str] = []

    def add(self, *folders: str, size: int = MIB) -> None:
        for folder in folders:
            self.sizes[f"{DATA}{folder}/object-{len(self.sizes)}.gz"] = size

    def get_paginator(self, operation: str) -> "FakeLog":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request.pop("Bucket") == "lake"
        prefix, delimiter = request.pop("Prefix"), request.pop("Delimiter", None)
        assert request == {}
        self.listed.append(prefix)
        keys = sorted(key for key in self.sizes if key.startswith(prefix))
        if delimiter is None:
            yield from ({"Contents": [{"Key": key, "Size": self.sizes[key]}]} for key in keys)
            return
        folders = {prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys}
        yield from ({"CommonPrefixes": [{"Prefix": each}]} for each in sorted(folders))
        yield {}


class FakeMergeStates:
    """Step Functions; each description of a running execution merges one more range."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.started: list[tuple[str, dict[str, Any]]] = []
        self.created = NOW - timedelta(days=10)
        self.fails_after: int | None = None
        """Ranges of the next execution before it fails."""
        self.cause: str | None = "{}"

    def add(
        self,
        name: str,
        status: str,
        run_input: Mapping[str, Any] | None = None,
        *,
        hours_ago: float = 0,
        done: int = 0,
    ) -> dict[str, Any]:
        run = {
            "executionArn": f"{MACHINE.replace('stateMachine', 'execution')}:{name}",
            "name": name,
            "status": status,
            "startDate": NOW - timedelta(hours=hours_ago),
            "input": json.dumps(run_input or {}),
            "done": done,
            "fails_after": self.fails_after,
        }
        self.runs.insert(0, run)
        if status not in ("RUNNING", "SUCCEEDED"):
            run |= {"error": "States.TaskFailed", "cause": self.cause}
        return run

    def run(self, arn: str) -> dict[str, Any]:
        [match] = [run for run in self.runs if run["executionArn"] == arn]
        return match

    def get_paginator(self, operation: str) -> "FakeMergeStates":
        assert operation == "list_executions"
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        assert request == {"stateMachineArn": MACHINE}
        for run in self.runs:
            names = ("executionArn", "name", "status", "startDate")
            yield {"executions": [{name: run[name] for name in names}]}

    def describe_state_machine(self, **request: Any) -> dict[str, Any]:
        assert request == {"stateMachineArn": MACHINE}
        return {"creationDate": self.created}

    def run_of(self, **request: Any) -> dict[str, Any]:
        """Describe an execution without progress."""
        return self.run(request["executionArn"])

    def describe_execution(self, **request: Any) -> dict[str, Any]:
        run = self.run(request["executionArn"])
        if run["status"] == "RUNNING":
            ranges = json.loads(run["input"]).get("ranges", [])
            if run["fails_after"] == run["done"]:
                run |= {"status": "FAILED", "error": "States.TaskFailed", "cause": self.cause}
            elif run["done"] == len(ranges):
                run["status"] = "SUCCEEDED"
            else:
                run["done"] += 1
        return run

    def start_execution(self, **request: Any) -> dict[str, Any]:
        assert set(request) == {"stateMachineArn", "name", "input"}
        assert request["stateMachineArn"] == MACHINE
        if request["name"] in [run["name"] for run in self.runs]:
            response: Any = {"Error": {"Code": "ExecutionAlreadyExists", "Message": "It does."}}
            raise ClientError(response, "StartExecution")
        run_input = json.loads(request["input"])
        self.started.append((request["name"], run_input))
        run = self.add(request["name"], "RUNNING", run_input)
        self.fails_after = None
        return {"executionArn": run["executionArn"]}

    def get_execution_history(self, **request: Any) -> dict[str, Any]:
        run = self.run(request.pop("executionArn"))
        assert request == {
            "reverseOrder": True,
            "maxResults": 1000,
            "includeExecutionData": False,
        }
        window = {"name": "Merge", "index": 0}
        events: list[dict[str, Any]] = [
            {"type": "MapIterationStarted", "mapIterationStartedEventDetails": window},
            {"type": "MapIterationSucceeded", "mapIterationSucceededEventDetails": window},
        ]
        for index in range(run["done"]):
            details = {"name": "Ranges", "index": index}
            events += [
                {"type": "MapIterationStarted", "mapIterationStartedEventDetails": details},
                {"type": "MapIterationSucceeded", "mapIterationSucceededEventDetails": details},
            ]
        if run["status"] == "FAILED" and json.loads(run["input"]).get("ranges"):
            details = {"name": "Ranges", "index": run["done"]}
            event = {"type": "MapIterationFailed", "mapIterationFailedEventDetails": details}
            events += [event, {"type": "ExecutionFailed"}]
        if run["status"] == "SUCCEEDED":
            events += [{"type": "MapStateExited", "stateExitedEventDetails": {"name": "Ranges"}}]
        return {"events": events[::-1]}


class MergeWorld:
    """A pipeline with a merge stage."""

    endpoint = None

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        deployed: Callable[..., DeployedPipeline] = deployed_pipeline,
        **outputs: Any,
    ) -> None:
        self.states, self.log = FakeMergeStates(), FakeLog()
        machine = {"merge_state_machine_arn": MACHINE, "merged_table": "orders_merged"}
        enabled = {"merge": {"enabled": True}, **(settings or {})}
        self.pipeline = deployed(enabled, **{**machine, **outputs})

    def __call__(self, service: str) -> Any:
        return {"stepfunctions": self.states, "s3": self.log}[service]

    @property
    def table(self) -> MergedLakeTable:
        [table] = merged_lake_tables(self.pipeline, self, stack="dev")
        return table
