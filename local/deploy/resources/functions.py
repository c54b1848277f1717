"""Lambda functions and their event source mappings."""

import base64
import hashlib
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case, zipped
from local.deploy.resources.resource_type import Properties, ResourceType, State, update_tags
from streaming_etl.stack.clients import Clients


class Function(ResourceType):
    token = "aws:lambda/function:Function"
    replace = ("name", "packageType")
    removable = (
        "environment",
        "ephemeralStorage",
        "kmsKeyArn",
        "layers",
        "reservedConcurrentExecutions",
        "sourceKmsKeyArn",
        "tags",
        "tracingConfig",
        "vpcConfig",
    )

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.take("tags", {})
        reserved = inputs.take("reservedConcurrentExecutions")
        code = {"ZipFile": zipped(inputs.take("code")), **source_key(inputs)}
        created = clients("lambda").create_function(
            FunctionName=name,
            Code=code,
            Environment=environment(inputs),
            Tags=tags,
            KMSKeyArn=inputs.take("kmsKeyArn", ""),
            **inputs.remaining(),
        )
        reserve(clients, name, reserved)
        return {"id": name, "name": name, "arn": created["FunctionArn"]}

    def read(self, clients: Clients, state: State) -> Properties:
        function = clients("lambda").get_function(FunctionName=state["name"])
        configuration = function["Configuration"]
        variables = configuration.get("Environment", {}).get("Variables")
        keys = (
            "Architectures",
            "Handler",
            "LoggingConfig",
            "MemorySize",
            "Role",
            "Runtime",
            "Timeout",
        )
        properties: Properties = camel_case({key: configuration.get(key) for key in keys})
        optional = {
            "ephemeralStorage": camel_case(configuration["EphemeralStorage"]),
            "layers": [layer["Arn"] for layer in configuration.get("Layers", [])],
            "tracingConfig": camel_case(configuration["TracingConfig"]),
            "vpcConfig": camel_case(
                {key: configuration["VpcConfig"].get(key, []) for key in NO_VPC}
            ),
        }
        defaults = camel_case(DEFAULTS)
        concurrency = function.get("Concurrency", {})
        return {
            **properties,
            **{key: None if it == defaults[key] else it for key, it in optional.items()},
            "reservedConcurrentExecutions": concurrency.get("ReservedConcurrentExecutions"),
            "environment": {"variables": variables} if variables else None,
            "kmsKeyArn": configuration.get("KMSKeyArn") or None,
            "sourceKmsKeyArn": function["Code"].get("SourceKMSKeyArn"),
            "tags": function.get("Tags") or None,
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        functions, name = clients("lambda"), state["name"]
        reserve(clients, name, inputs.take("reservedConcurrentExecutions"))
        code, architectures = zipped(inputs.take("code")), inputs.take("architectures")
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: functions.tag_resource(Resource=state["arn"], Tags=tags),
            lambda keys: functions.untag_resource(Resource=state["arn"], TagKeys=keys),
        )
        current = functions.get_function_configuration(FunctionName=name)
        updated = functions.get_waiter("function_updated_v2")
        key = source_key(inputs)
        if (
            current["CodeSha256"] != sha256(code)
            or current["Architectures"] != architectures
            or key.get("SourceKMSKeyArn") != state.get("sourceKmsKeyArn")
        ):
            functions.update_function_code(
                FunctionName=name, ZipFile=code, Architectures=architectures, **key
            )
            updated.wait(FunctionName=name, WaiterConfig=WAIT)
        functions.update_function_configuration(
            FunctionName=name,
            Environment=environment(inputs),
            KMSKeyArn=inputs.take("kmsKeyArn", ""),
            **{**DEFAULTS, **inputs.remaining()},
        )
        updated.wait(FunctionName=name, WaiterConfig=WAIT)

    def delete(self, clients: Clients, state: State) -> None:
        clients("lambda").delete_function(FunctionName=state["name"])


NO_VPC: dict[str, list[str]] = {"SubnetIds": [], "SecurityGroupIds": []}
DEFAULTS: dict[str, Any] = {
    "EphemeralStorage": {"Size": 512},
    "Layers": [],
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": NO_VPC,
}
"""What AWS reports for optional inputs that the program does not set."""

WAIT = {"Delay": 0.05, "MaxAttempts": 200}


def reserve(clients: Clients, name: str, executions: int | None) -> None:
    """Set or remove the concurrent executions that are reserved for a function."""
    functions = clients("lambda")
    if executions is None:
        functions.delete_function_concurrency(FunctionName=name)
    else:
        functions.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=executions
        )


def environment(inputs: Inputs) -> dict[str, dict[str, str]]:
    return {"Variables": (inputs.take("environment") or {}).get("variables", {})}


def source_key(inputs: Inputs) -> dict[str, str]:
    key = inputs.take("sourceKmsKeyArn")
    return {"SourceKMSKeyArn": key} if key else {}


def sha256(code: bytes) -> str:
    """Return the hash of a zip file as Lambda reports it."""
    return base64.b64encode(hashlib.sha256(code).digest()).decode()


class EventSourceMapping(ResourceType):
    token = "aws:lambda/eventSourceMapping:EventSourceMapping"
    replace = ("eventSourceArn", "startingPosition", "startingPositionTimestamp")
    auto_name = None
    computed = ("arn", "uuid")
    removable = ("filterCriteria", "kmsKeyArn", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        tags, rest = inputs.take("tags", {}), inputs.remaining(**RENAMED)
        created = clients("lambda").create_event_source_mapping(Tags=tags, **rest)
        uuid = created["UUID"]
        return {"id": uuid, "uuid": uuid, "arn": created["EventSourceMappingArn"]}

    def read(self, clients: Clients, state: State) -> Properties:
        functions = clients("lambda")
        mapping = functions.get_event_source_mapping(UUID=state["id"])
        # Without metricsConfig: ministack publishes no metrics of a mapping, and reports none.
        keys = (
            "BatchSize",
            "BisectBatchOnFunctionError",
            "DestinationConfig",
            "EventSourceArn",
            "FilterCriteria",
            "FunctionResponseTypes",
            "MaximumBatchingWindowInSeconds",
            "MaximumRecordAgeInSeconds",
            "MaximumRetryAttempts",
            "ParallelizationFactor",
            "StartingPosition",
        )
        properties: Properties = camel_case({key: mapping.get(key) for key in keys}, **RENAMED)
        return {
            **properties,
            "filterCriteria": properties["filterCriteria"] or None,
            "functionName": mapping["FunctionArn"],
            "tags": functions.list_tags(Resource=state["arn"])["Tags"] or None,
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        functions, arn = clients("lambda"), state["arn"]
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: functions.tag_resource(Resource=arn, Tags=tags),
            lambda keys: functions.untag_resource(Resource=arn, TagKeys=keys),
        )
        functions.update_event_source_mapping(
            UUID=state["id"], **{"FilterCriteria": {}, **inputs.remaining(**RENAMED)}
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("lambda").delete_event_source_mapping(UUID=state["id"])


RENAMED = {"destinationArn": "Destination", "kmsKeyArn": "KMSKeyArn"}

TYPES = (Function(), EventSourceMapping())
