"""Step Functions: Athena's queries, and the iterations of Map states."""

import json
import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import athena, stepfunctions

from local.ministack_patches.compat import require_private_api

RESOURCE = "arn:aws:states:::athena:startQueryExecution"
POLL_SECONDS = 0.05
# https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
TOKEN_LENGTHS = range(32, 129)
# A private key of an execution, which no response has.
REQUEST = "_request"

# Private names of ministack that this module uses.
PRIVATE_API = {
    athena: "_executions _start_query_execution",
    stepfunctions: (
        "_AWS_SDK_SERVICE_MAP _ExecutionError _SERVICE_DISPATCH _add_event"
        " _dispatch_aws_sdk_json _run_map_items _run_sub_machine"
    ),
}


@dataclass(frozen=True)
class MapState:
    """A Map state while its iterations run."""

    name: str
    states: dict[str, Any]
    """Of one iteration."""
    failed: threading.Event = field(default_factory=threading.Event)


CURRENT_MAP: ContextVar[MapState | None] = ContextVar("CURRENT_MAP", default=None)


def install() -> None:
    """Add the integration, and replace functions of queries and Map states."""
    require_private_api(PRIVATE_API)
    install_map_events()
    start = athena._start_query_execution

    def start_once(request: dict[str, Any]) -> Any:
        token = request.get("ClientRequestToken")
        if token is None:
            return start(request)
        if len(token) not in TOKEN_LENGTHS:
            return error_response_json(
                "InvalidRequestException", "clientRequestToken must have 32 to 128 characters", 400
            )
        for execution in list(athena._executions.values()):
            known = execution.get(REQUEST) or {}
            if known.get("ClientRequestToken") == token:
                if known != request:
                    return error_response_json(
                        "InvalidRequestException", "Idempotent parameters do not match", 400
                    )
                return json_response({"QueryExecutionId": execution["QueryExecutionId"]})
        response = start(request)
        if response[0] < 300:
            athena._executions[json.loads(response[2])["QueryExecutionId"]][REQUEST] = request
        return response

    athena._start_query_execution = start_once
    stepfunctions._SERVICE_DISPATCH[RESOURCE] = run_query


def install_map_events() -> None:
    """Add the events of iterations, and start none after a failed one.

    https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
    """
    run_map, run_states = stepfunctions._run_map_items, stepfunctions._run_sub_machine

    def run_items(state: dict[str, Any], value: Any, execution: Any, context: Any) -> Any:
        processor = state.get("Iterator") or state.get("ItemProcessor", {})
        current = MapState(context["State"]["Name"], processor.get("States", {}))
        # The threads of the iterations have a copy of the context.
        token = CURRENT_MAP.set(current)
        try:
            return run_map(state, value, execution, context)
        finally:
            CURRENT_MAP.reset(token)

    def run_iteration(
        states: dict[str, Any], start: str, value: Any, execution: Any, context: Any
    ) -> Any:
        current = CURRENT_MAP.get()
        if current is None or states is not current.states:
            return run_states(states, start, value, execution, context)
        details = {"name": current.name, "index": context["Map"]["Item"]["Index"]}

        def add(outcome: str) -> None:
            name = f"MapIteration{outcome}"
            key = f"mapIteration{outcome}EventDetails"
            stepfunctions._add_event(execution, name, {key: details})

        if current.failed.is_set():
            raise stepfunctions._ExecutionError("States.TaskFailed", "another iteration failed")
        add("Started")
        try:
            result = run_states(states, start, value, execution, context)
        except Exception:
            current.failed.set()
            add("Failed")
            raise
        add("Succeeded")
        return result

    stepfunctions._run_map_items = run_items
    stepfunctions._run_sub_machine = run_iteration


def run_query(resource: str, request: dict[str, Any]) -> Any:
    """Start a query; with `.sync` also wait for its end.

    https://docs.aws.amazon.com/step-functions/latest/dg/connect-athena.html
    """
    started = call("startQueryExecution", request)
    if not resource.endswith(".sync"):
        return started
    while True:
        result = call("getQueryExecution", started)
        state = result["QueryExecution"]["Status"]["State"]
        if state == "SUCCEEDED":
            return result
        if state in ("FAILED", "CANCELLED"):
            raise stepfunctions._ExecutionError(
                "States.TaskFailed", json.dumps(result["QueryExecution"])
            )
        time.sleep(POLL_SECONDS)


def call(action: str, request: dict[str, Any]) -> Any:
    """Call Athena; an error of the service fails the state."""
    service = stepfunctions._AWS_SDK_SERVICE_MAP["athena"]
    return stepfunctions._dispatch_aws_sdk_json(service, "athena", action, request)
