"""`put`, `delete` and `query`: items and queries on the running embedded AWS."""

import json
import sys
from decimal import Decimal
from pathlib import Path

from botocore.exceptions import ClientError

from local import console
from local.emulator.athena import query, saved_query
from local.emulator.state import load_running
from local.sample.writes import to_dynamodb
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import Pipeline


def python_path() -> str:
    """Return this Python's path, relative to the current directory if possible."""
    path, directory = Path(sys.executable), Path.cwd()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def put_item(name: str, text: str) -> None:
    """Write an item of plain JSON to the source table of a pipeline."""
    try:
        item = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise CommandError(
            f"ITEM must be JSON ({error}). Put it in single quotes.", code="invalid-json"
        ) from None
    if not isinstance(item, dict):
        raise CommandError(
            'ITEM must be a JSON object such as {"id": "1"}.', code="item-not-an-object"
        )
    clients, pipelines = load_running()
    table = find_pipeline(pipelines, name).source_table
    try:
        clients("dynamodb").put_item(TableName=table, Item=to_dynamodb(item))
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise CommandError(
            f"DynamoDB rejects the item: {reason}.", code="item-rejected", reason=reason
        ) from None
    console.print_line(
        f"Written. Within a few seconds it is in the lake: {python_path()} -m local query {name}"
    )


def delete_item(name: str, id_: str) -> None:
    """Delete the item with this id."""
    clients, pipelines = load_running()
    table = find_pipeline(pipelines, name).source_table
    clients("dynamodb").delete_item(TableName=table, Key=to_dynamodb({"id": id_}))
    console.print_line(
        "Deleted. The lake keeps the delete as a row; the current state has no such item."
    )


def run_query(text: str) -> None:
    """Run SQL, or the current-state query of the pipeline with this name."""
    clients, pipelines = load_running()
    if not pipelines:
        raise CommandError("The stack has no pipeline to query.", code="no-pipeline")
    pipeline, sql = pipelines[0], text
    if text in [one.name for one in pipelines]:
        pipeline = find_pipeline(pipelines, text)
        sql = saved_query(clients, pipeline.current_state_query_id)
    console.print_query_result(query(clients, sql, pipeline.workgroup, pipeline.database))


def find_pipeline(pipelines: list[Pipeline], name: str) -> Pipeline:
    """Return the pipeline with this name; raises CommandError without one."""
    for pipeline in pipelines:
        if pipeline.name == name:
            return pipeline
    known = [pipeline.name for pipeline in pipelines]
    raise CommandError(
        f"The stack has no pipeline {name}; its pipelines are {', '.join(known)}.",
        code="unknown-pipeline",
        pipeline=name,
        known=known,
    )
