"""Files of DynamoDB exports and of Step Functions map results."""

import gzip
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import error_response_json, new_uuid
from ministack.services import dynamodb, s3, stepfunctions

from local.ministack_patches.compat import require_private_api

# On AWS an export has at least one file per partition of the table.
FILES = 4
EXECUTION_FIELDS = ("executionArn", "input", "name", "output", "status", "error", "cause")

# Private names of ministack that this module uses.
PRIVATE_API = {
    dynamodb: (
        "_export_table_to_point_in_time _exports _lock _pitr_settings _table_name_from_arn _tables"
    ),
    s3: "_put_object",
    stepfunctions: (
        "_apply_output_path _apply_result_path _apply_result_selector _executions "
        "_map_runs _next_or_end _resolve_params_obj _run_distributed_map"
    ),
}


def install() -> None:
    """Replace ministack's exports and its distributed maps."""
    require_private_api(PRIVATE_API)
    export, run_map = dynamodb._export_table_to_point_in_time, stepfunctions._run_distributed_map

    def export_with_files(request: dict[str, Any]) -> Any:
        name = dynamodb._table_name_from_arn(request.get("TableArn") or "")
        if name in dynamodb._tables and not dynamodb._pitr_settings.get(name):
            return error_response_json(
                "PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{name}'",
                400,
            )
        known = set(dynamodb._exports)
        # As on AWS, the response has the time of an export requested without one.
        response = export({"ExportTime": time.time(), **request})
        for arn in set(dynamodb._exports) - known:
            write_export(dynamodb._exports[arn], dynamodb._tables[name])
        return response

    def map_with_results(
        state: dict[str, Any],
        raw_input: Any,
        effective_input: Any,
        processor: Any,
        execution: Any,
        context: Any,
    ) -> Any:
        if "ResultWriter" not in state:
            return run_map(state, raw_input, effective_input, processor, execution, context)
        output_fields = ("ResultSelector", "ResultPath", "OutputPath")
        bare = {key: value for key, value in state.items() if key not in output_fields}
        writer = stepfunctions._resolve_params_obj(
            state["ResultWriter"]["Parameters"], effective_input, context
        )
        try:
            run_map(bare, raw_input, effective_input, processor, execution, context)
        finally:
            written = write_results(writer, execution["executionArn"])
        result = stepfunctions._apply_result_selector(state, written)
        output = stepfunctions._apply_result_path(state, raw_input, result)
        output = stepfunctions._apply_output_path(state, output, context)
        return output, stepfunctions._next_or_end(state)

    dynamodb._export_table_to_point_in_time = export_with_files
    stepfunctions._run_distributed_map = map_with_results


def write_export(description: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    """Write the files of an export with the table's current items.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    bucket, prefix = description["S3Bucket"], description.get("S3Prefix", "")
    export_id = description["ExportArn"].rpartition("/")[2]
    folder = f"{prefix}/AWSDynamoDB/{export_id}" if prefix else f"AWSDynamoDB/{export_id}"
    with dynamodb._lock:
        items = [
            json.dumps({"Item": item})
            for partition in table["items"].values()
            for item in partition.values()
        ]
    files = []
    for number in range(FILES):
        lines = items[number::FILES]
        key = f"{folder}/data/{new_uuid().replace('-', '')[:26]}.json.gz"
        put(bucket, key, gzip.compress("".join(f"{line}\n" for line in lines).encode()))
        files.append({"itemCount": len(lines), "dataFileS3Key": key})
    put(bucket, f"{folder}/manifest-files.json", "".join(f"{json.dumps(f)}\n" for f in files))
    summary = {
        "version": "2023-08-01",
        "exportArn": description["ExportArn"],
        "tableArn": description["TableArn"],
        "exportTime": datetime.fromtimestamp(description["ExportTime"], UTC).isoformat(),
        "s3Bucket": bucket,
        "s3Prefix": prefix or None,
        "manifestFilesS3Key": f"{folder}/manifest-files.json",
        "itemCount": len(items),
        "outputFormat": description["ExportFormat"],
    }
    put(bucket, f"{folder}/manifest-summary.json", json.dumps(summary))


def write_results(writer: Mapping[str, str], execution_arn: str) -> dict[str, Any]:
    """Write the results of the latest Map Run; return its output.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    runs = stepfunctions._map_runs.values()
    arns = [run["mapRunArn"] for run in runs if run["executionArn"] == execution_arn]
    if not arns:
        # The Map failed before its run, for example on an unreadable manifest.
        return {}
    arn = arns[-1]
    folder = f"{writer['Prefix']}/{arn.rpartition(':')[2]}"
    children = [one for one in stepfunctions._executions.values() if one.get("mapRunArn") == arn]
    files: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, listed in files.items():
        results = [execution_result(child) for child in children if child["status"] == status]
        if results:
            content, key = json.dumps(results), f"{folder}/{status}_0.json"
            put(writer["Bucket"], key, content)
            listed.append({"Key": key, "Size": len(content)})
    manifest = {"DestinationBucket": writer["Bucket"], "MapRunArn": arn, "ResultFiles": files}
    put(writer["Bucket"], f"{folder}/manifest.json", json.dumps(manifest))
    details = {"Bucket": writer["Bucket"], "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": arn, "ResultWriterDetails": details}


def execution_result(child: Mapping[str, Any]) -> dict[str, Any]:
    """Describe one child execution as a result file does."""
    fields = {name: child[name] for name in EXECUTION_FIELDS if child.get(name)}
    return {f"{name[0].upper()}{name[1:]}": value for name, value in fields.items()}


def put(bucket: str, key: str, content: str | bytes) -> None:
    """Write one object."""
    body = content.encode() if isinstance(content, str) else content
    status, *_ = s3._put_object(bucket, key, body, {})
    if status >= 300:
        raise RuntimeError(f"S3 returned {status} for {key}")
