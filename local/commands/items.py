"""`put`, `delete` and `query`: items and queries on the running embedded AWS."""

import json
import sys
from decimal import Decimal
from pathlib import Path

from botocore.exceptions import ClientError

from local import console
from local.commands.keys import key_types, key_value, parse_key
from local.emulator.athena import query
from local.emulator.state import load_running
from local.sample.lake import lakes_of
from local.sample.writes import to_dynamodb
from streaming_etl.stack.errors import CommandError


def python_path() -> str:
    """Return this Python's path, relative to the current directory if possible."""
    path, directory = Path(sys.executable), Path.cwd()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def put_item(name: str, text: str) -> None:
    """Write an item of plain JSON to a pipeline's source table."""
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
    stack = load_running()
    pipeline = stack.pipeline(name)
    clients = stack.clients(pipeline)
    dynamodb = clients("dynamodb")
    types = key_types(dynamodb, pipeline.source_table)
    # JSON has no binary values.
    binary = {
        key: key_value(key, type_, item[key])
        for key, type_ in types.items()
        if type_ == "B" and key in item
    }
    written = {**to_dynamodb(item), **binary}
    try:
        dynamodb.put_item(TableName=pipeline.source_table, Item=written)
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise CommandError(
            f"DynamoDB rejects the item: {reason}.", code="item-rejected", reason=reason
        ) from None
    names = [lake.name for lake in lakes_of(clients, pipeline) if lake.where.matches(written)]
    if not names:
        console.print_line("Written. No lake table has this item: it matches no `where`.")
        return
    queries = " and ".join(f"{python_path()} -m local query {each}" for each in names)
    console.print_line(f"Written. Within a few seconds it is in the lake: {queries}")


def delete_item(name: str, text: str) -> None:
    """Delete the item with this key."""
    stack = load_running()
    pipeline = stack.pipeline(name)
    dynamodb = stack.clients(pipeline)("dynamodb")
    key = parse_key(text, key_types(dynamodb, pipeline.source_table))
    try:
        dynamodb.delete_item(TableName=pipeline.source_table, Key=key)
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise CommandError(
            f"DynamoDB rejects the key: {reason}.", code="key-rejected", reason=reason
        ) from None
    console.print_line(
        "Deleted. The lake keeps the delete as a row; the current state has no such item."
    )


def run_query(text: str) -> None:
    """Run SQL, or the current-state query of a lake table."""
    stack = load_running()
    # No SQL query is a single word.
    if len(text.split()) != 1:
        pipeline = next(iter(stack.pipelines), None)
        if pipeline is None:
            raise CommandError("The stack has no pipeline to query.", code="no-pipeline")
        clients, sql = stack.clients(pipeline), text
    else:
        pipeline = stack.pipeline(text.partition(".")[0])
        clients = stack.clients(pipeline)
        lakes = {lake.name: lake for lake in lakes_of(clients, pipeline)}
        if text not in lakes:
            raise CommandError(
                f"QUERY must be SQL or one of {', '.join(lakes)} (got {text}).",
                code="unknown-lake-table",
                lake_table=text,
                known=list(lakes),
            )
        sql = lakes[text].current_state_sql()
    console.print_query_result(query(clients, sql, pipeline.workgroup, pipeline.database))
