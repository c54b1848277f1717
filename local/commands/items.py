"""Writes to the running embedded AWS and queries it, one command at a time."""

import json
import sys
from decimal import Decimal
from pathlib import Path

from botocore.exceptions import ClientError
from rich.console import Console

from local import LocalError
from local import console as screen
from local.emulator.athena import query, saved_query
from local.emulator.state import running
from local.sample.writes import to_dynamodb
from streaming_etl.stack.outputs import Pipeline


def python() -> str:
    """This Python, as short as it can be typed here."""
    path = Path(sys.executable)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def put(console: Console, name: str, text: str) -> None:
    """Write an item given as plain JSON."""
    try:
        item = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise LocalError(f"This is no JSON ({error}). Put it in single quotes.") from None
    if not isinstance(item, dict):
        raise LocalError('An item is a JSON object, such as {"id": "1"}.')
    clients, pipelines = running()
    table = named(pipelines, name).source_table
    try:
        clients("dynamodb").put_item(TableName=table, Item=to_dynamodb(item))
    except ClientError as error:
        raise LocalError(
            f"DynamoDB refuses the item: {error.response['Error']['Message']}."
        ) from None
    console.print(
        f"Written. It is in the lake in a second or two: {python()} -m local query {name}",
        soft_wrap=True,
    )


def delete(console: Console, name: str, id_: str) -> None:
    """Delete the item with this id."""
    clients, pipelines = running()
    table = named(pipelines, name).source_table
    clients("dynamodb").delete_item(TableName=table, Key=to_dynamodb({"id": id_}))
    console.print("Deleted. The lake keeps the change as a row, and the current state forgets it.")


def ask(console: Console, question: str) -> None:
    """Answer a statement of SQL, or with the current state when it is a pipeline's name."""
    clients, pipelines = running()
    if question in [pipeline.name for pipeline in pipelines]:
        pipeline = named(pipelines, question)
        question = saved_query(clients, pipeline.current_state_query_id)
    elif pipelines:
        pipeline = pipelines[0]
    else:
        raise LocalError("The stack has no pipeline, so there is no Athena workgroup to ask in.")
    answer = query(clients, question, pipeline.workgroup, pipeline.database)
    screen.print_answer(console, answer)


def named(pipelines: list[Pipeline], name: str) -> Pipeline:
    for pipeline in pipelines:
        if pipeline.name == name:
            return pipeline
    known = ", ".join(pipeline.name for pipeline in pipelines)
    raise LocalError(f"The stack has no pipeline {name}; it has {known}.")
