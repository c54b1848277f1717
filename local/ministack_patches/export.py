"""DynamoDB's export to S3 and Step Functions' ResultWriter as on AWS: ministack writes no files."""

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import error_response_json, new_uuid
from ministack.services import dynamodb, s3, stepfunctions

from local.ministack_patches.compat import refuse_lacking

# On AWS there is one or more for each partition of the table, however few items it has.
FILES = 4

# ministack's private parts in use here.
BORROWED = {
    dynamodb: (
        *("_export_table_to_point_in_time", "_exports", "_tables", "_pitr_settings", "_lock"),
        "_table_name_from_arn",
    ),
    s3: ("_put_object",),
    stepfunctions: (
        *("_run_distributed_map", "_map_runs", "_executions", "_resolve_params_obj"),
        *("_apply_result_selector", "_apply_result_path", "_apply_output_path", "_next_or_end"),
    ),
}


def install() -> None:
    """Put both in the place of ministack's own; refuses a ministack they do not fit."""
    refuse_lacking(BORROWED, "local/export.py")
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
        # DynamoDB tells the moment when it was asked for none.
        answer = export({"ExportTime": time.time(), **request})
        for arn in set(dynamodb._exports) - known:
            write_export(dynamodb._exports[arn], dynamodb._tables[name])
        return answer

    def map_with_results(
        state: dict[str, Any], given: Any, effective: Any, processor: Any, execution: Any, ctx: Any
    ) -> Any:
        if "ResultWriter" not in state:
            return run_map(state, given, effective, processor, execution, ctx)
        shaping = ("ResultSelector", "ResultPath", "OutputPath")
        bare = {key: value for key, value in state.items() if key not in shaping}
        writer = stepfunctions._resolve_params_obj(
            state["ResultWriter"]["Parameters"], effective, ctx
        )
        try:
            run_map(bare, given, effective, processor, execution, ctx)
        finally:
            written = write_results(writer, execution["executionArn"])
        result = stepfunctions._apply_result_selector(state, written)
        output = stepfunctions._apply_result_path(state, given, result)
        output = stepfunctions._apply_output_path(state, output, ctx)
        return output, stepfunctions._next_or_end(state)

    dynamodb._export_table_to_point_in_time = export_with_files
    stepfunctions._run_distributed_map = map_with_results


def write_export(description: dict[str, Any], table: Mapping[str, Any]) -> None:
    """Write the export's files as the table is now; the export itself completes a little later.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
    """
    bucket, prefix = description["S3Bucket"], description.get("S3Prefix", "")
    export_id = description["ExportArn"].rpartition("/")[2]
    folder = f"{prefix}/AWSDynamoDB/{export_id}" if prefix else f"AWSDynamoDB/{export_id}"
    with dynamodb._lock:
        items = [json.dumps({"Item": item}) for item in items_of(table)]
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


def items_of(table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for items in table["items"].values():
        yield from items.values()


def write_results(writer: Mapping[str, str], execution_arn: str) -> dict[str, Any]:
    """Write what each child execution of the latest Map Run came to; the Map's output on AWS.

    https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html
    """
    runs = stepfunctions._map_runs.values()
    arns = [run["mapRunArn"] for run in runs if run["executionArn"] == execution_arn]
    if not arns:
        # The manifest could not be read.
        return {}
    arn = arns[-1]
    folder = f"{writer['Prefix']}/{arn.rpartition(':')[2]}"
    children = [each for each in stepfunctions._executions.values() if each.get("mapRunArn") == arn]
    files: dict[str, list[dict[str, Any]]] = {}
    for status in ("FAILED", "PENDING", "SUCCEEDED"):
        found = [told(child) for child in children if child["status"] == status]
        files[status] = []
        if found:
            content, key = json.dumps(found), f"{folder}/{status}_0.json"
            put(writer["Bucket"], key, content)
            files[status].append({"Key": key, "Size": len(content)})
    manifest = {"DestinationBucket": writer["Bucket"], "MapRunArn": arn, "ResultFiles": files}
    put(writer["Bucket"], f"{folder}/manifest.json", json.dumps(manifest))
    details = {"Bucket": writer["Bucket"], "Key": f"{folder}/manifest.json"}
    return {"MapRunArn": arn, "ResultWriterDetails": details}


def told(child: Mapping[str, Any]) -> dict[str, Any]:
    names = ("executionArn", "input", "name", "output", "status", "error", "cause")
    return {f"{name[0].upper()}{name[1:]}": child[name] for name in names if child.get(name)}


def put(bucket: str, key: str, content: str | bytes) -> None:
    body = content.encode() if isinstance(content, str) else content
    status, *_ = s3._put_object(bucket, key, body, {})
    if status >= 300:
        raise RuntimeError(f"S3 says {status} to {key}")
