"""What each setting of the backfill changes: all of it together with `enabled`."""

import copy
from typing import Any

from streaming_etl import BackfillArgs
from tests.components.alarm_cases import TAGS, added
from tests.components.backfill_machine import BUCKET, DEFINITION, FUNCTION_ARN, PATH, TABLE_ARN
from tests.components.setting_cases import Case
from tests.components.stage_cases import RESULTS, rules
from tests.components.test_minimal_policies import DELIVERY, allow, document, write_logs
from tests.support.wheelhouse import CARRIED

OBJECTS = f"arn:aws:s3:::{BUCKET}"
STATES = "arn:aws:states:ap-northeast-1:123456789012"
MACHINE = "shop-backfill-state-machine-0000000"
WRITE = ["s3:AbortMultipartUpload", "s3:PutObject"]


def role(service: str) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    }
    return {"assumeRolePolicy": document(trust), "tags": TAGS}


def policy(role_name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {"role": f"shop-backfill-{role_name}-0000000", "policy": document(*statements)}


MADE: dict[str, dict[str, Any]] = {
    "role": role("lambda.amazonaws.com"),
    "logs": {"retentionInDays": 30, "tags": TAGS},
    "log-policy": policy("role", write_logs("shop-backfill-logs")),
    "function": {
        "code": {
            "wheels": dict.fromkeys(CARRIED, "cp313 aarch64"),
        },
        "handler": "streaming_etl.handlers.backfill.lambda_handler",
        "runtime": "python3.13",
        "architectures": ["arm64"],
        "role": "arn:aws:iam::123456789012:role/shop-backfill-role-0000000",
        "timeout": 900,
        "memorySize": 512,
        "environment": {
            "variables": {
                "DELIVERY_STREAM": "shop-delivery-stream-0000000",
                "MAX_CHANGES_PER_RECORD": "500",
                "MAX_RECORD_KIB": "256",
                "KEY_NAMES": '["id"]',
                # A quarter of 512 for each of four files.
                "KIB_PER_SECOND": "128",
                "ERRORS_PATH": "errors/shop_test/orders/backfill-failed/",
            }
        },
        "loggingConfig": {"logFormat": "Text", "logGroup": "shop-backfill-logs-0000000"},
        "tags": TAGS,
    },
    "policy": policy(
        "role",
        allow(["firehose:PutRecordBatch"], DELIVERY),
        allow(["s3:GetObject"], f"{OBJECTS}/{PATH}/exports/*"),
        allow(["s3:PutObject"], f"{OBJECTS}/errors/shop_test/orders/backfill-failed/*"),
    ),
    "states-role": role("states.amazonaws.com"),
    "states-policy": policy(
        "states-role",
        allow(["dynamodb:ExportTableToPointInTime"], TABLE_ARN),
        allow(["dynamodb:DescribeExport"], f"{TABLE_ARN}/export/*"),
        allow([*WRITE, "s3:PutObjectAcl"], f"{OBJECTS}/{PATH}/exports/*"),
        allow(["s3:GetObject"], f"{OBJECTS}/{PATH}/exports/*", f"{OBJECTS}/{PATH}/lists/*"),
        allow(
            [*WRITE, "s3:GetObject", "s3:ListMultipartUploadParts"], f"{OBJECTS}/{PATH}/results/*"
        ),
        allow(["lambda:InvokeFunction"], FUNCTION_ARN),
    ),
    "state-machine": {
        "definition": DEFINITION,
        "roleArn": "arn:aws:iam::123456789012:role/shop-backfill-states-role-0000000",
        "type": "STANDARD",
        "tags": TAGS,
    },
    "children-policy": policy(
        "states-role",
        allow(["states:StartExecution"], f"{STATES}:stateMachine:{MACHINE}"),
        allow(
            ["states:DescribeExecution", "states:StopExecution"],
            f"{STATES}:execution:{MACHINE}:*",
            f"{STATES}:execution:{MACHINE}/files:*",
        ),
        allow(["states:DescribeMapRun"], f"{STATES}:mapRun:{MACHINE}/*"),
    ),
}
FILES = "state-machine.definition.States.Files"
ATTEMPTS = "Retry.0.MaxAttempts"


def changed(days: int, changes: dict[str, Any]) -> dict[str, Any]:
    """All that backfill adds, with other values at these paths."""
    made = copy.deepcopy(MADE)
    for path, value in changes.items():
        *above, last = path.split(".")
        place: Any = made
        for name in above:
            place = place[int(name) if isinstance(place, list) else name]
        assert last in place, f"nothing stands at {path}"
        place[last] = value
    return {
        **{f"+shop-backfill-{name}": inputs for name, inputs in made.items()},
        **rules(RESULTS, ("backfill", "backfill/", days)),
        **added("backfill-failed"),
    }


def of(changes: dict[str, Any], *, days: int = 30, **given: Any) -> Case:
    """A case of the first setting in `given`, or of `enabled` alone."""
    return Case(
        setting=f"backfill.{next(iter(given), 'enabled')}",
        given={"backfill": BackfillArgs(enabled=True, **given)},
        changes=changed(days, changes),
    )


SHARE = "function.environment.variables.KIB_PER_SECOND"

CASES = [
    of({}),
    of({f"{FILES}.MaxConcurrency": 3, SHARE: "170.667"}, concurrency=3),
    of({SHARE: "256"}, kib_per_second=1024),
    of(
        {
            f"{FILES}.ItemProcessor.States.File.{ATTEMPTS}": 0,
            f"state-machine.definition.States.Count.{ATTEMPTS}": 0,
        },
        maximum_retry_attempts=0,
    ),
    of({f"{FILES}.ToleratedFailurePercentage": 100}, tolerated_failure_percentage=100),
    of({"function.timeout": 60}, timeout_seconds=60),
    of({"function.memorySize": 10_240}, memory_mib=10_240),
    of({}, days=3, retention_days=3),
]
