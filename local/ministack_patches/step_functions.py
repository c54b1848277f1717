"""Athena's queries in Step Functions, and their client request tokens."""

import json
import time
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
        "_AWS_SDK_SERVICE_MAP _ExecutionError _SERVICE_DISPATCH _dispatch_aws_sdk_json"
    ),
}


def install() -> None:
    """Add the integration, and replace the function that starts a query."""
    require_private_api(PRIVATE_API)
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
