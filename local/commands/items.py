"""`put`, `delete`, `import` and `query` of the running stack."""

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from botocore.exceptions import ClientError

from local import console
from local.commands.keys import key_types, key_value, parse_key
from local.emulator.athena import query
from local.emulator.state import load_running
from local.sample.delivery import Delivery
from local.sample.item_json import Write, for_boto3, parse_item, writes_of
from local.sample.lake import lakes_of
from streaming_etl.ops.transform_test.sample_records import InvalidChangeError, check_key
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.console import counted, progress
from streaming_etl.stack.errors import EXIT_FAILURE, EXIT_PARTIAL, CommandError
from streaming_etl.stack.outputs import DeployedPipeline, DeployedStack

MISSING_TABLE = re.compile("TABLE_NOT_FOUND: Table (.+) does not exist")


def local_command() -> str:
    """Return the start of the local commands."""
    return shlex.join([relative(Path(sys.executable)), "-m", "local"])


def replay_command(stack: DeployedStack, pipeline: DeployedPipeline) -> str:
    """Return the command that replays the failed changes of a pipeline."""
    return operator_command(stack, "replay", pipeline.name)


def operator_command(stack: DeployedStack, *arguments: str) -> str:
    """Return an operator's command for the running stack."""
    program = relative(Path(sys.executable).with_name("streaming-etl"))
    options = ["--stack", stack.name, "--endpoint-url", str(stack.endpoint)]
    return shlex.join([program, *arguments, *options])


def relative(path: Path) -> str:
    """Return a path, relative to the current directory if possible."""
    directory = Path.cwd()
    return str(path.relative_to(directory) if path.is_relative_to(directory) else path)


def put_item(name: str, text: str) -> int:
    """Write an item, and report what became of the change.

    text: plain JSON or DynamoDB JSON. Returns the exit code.
    """
    item = parse_item(text)
    stack = load_running()
    pipeline = stack.pipeline(name)
    clients = stack.clients(pipeline)
    types = key_types(clients("dynamodb"), pipeline.source_table)
    try:
        check_key({key: item[key] for key in types if key in item})
    except InvalidChangeError as error:
        raise CommandError(f"ITEM is invalid: {error}", code=error.code, **error.details) from None
    # Plain JSON has no binary values.
    binary = {
        key: key_value(key, type_, item[key]["S"])
        for key, type_ in types.items()
        if type_ == "B" and "S" in item.get(key, {})
    }
    with reported_changes(stack, pipeline) as delivery, rejections("the item"):
        clients("dynamodb").put_item(
            TableName=pipeline.source_table, Item={**for_boto3(item), **binary}
        )
    return exit_code(delivery)


def delete_item(name: str, text: str) -> int:
    """Delete an item by its key, and report the change.

    Returns the exit code.
    """
    stack = load_running()
    pipeline = stack.pipeline(name)
    dynamodb = stack.clients(pipeline)("dynamodb")
    key = parse_key(text, key_types(dynamodb, pipeline.source_table))
    with reported_changes(stack, pipeline) as delivery, rejections("the key"):
        dynamodb.delete_item(TableName=pipeline.source_table, Key=key)
    return exit_code(delivery)


def import_files(name: str, files: Sequence[Path]) -> int:
    """Write the items in files, and report the changes.

    files: output of the AWS CLI, objects of an export, or sample changes. Returns the exit code.
    """
    stack = load_running()
    pipeline = stack.pipeline(name)
    clients = stack.clients(pipeline)
    key_names = [*key_types(clients("dynamodb"), pipeline.source_table)]
    writes = [
        write for file in files for write in writes_of(file.read_bytes(), str(file), key_names)
    ]
    with reported_changes(stack, pipeline) as delivery:
        write_all(clients, pipeline, writes)
    return exit_code(delivery)


def write_all(clients: Clients, pipeline: DeployedPipeline, writes: Sequence[Write]) -> None:
    """Write to the source table in order.

    Raises CommandError if DynamoDB rejects a write.
    """
    dynamodb, table = clients("dynamodb"), pipeline.source_table
    with progress("Writing", len(writes), unit="writes") as advance:
        for number, write in enumerate(writes, start=1):
            with rejections(f"write {number} of {len(writes)}"):
                if write.item is None:
                    dynamodb.delete_item(TableName=table, Key=for_boto3(write.key))
                else:
                    dynamodb.put_item(TableName=table, Item=for_boto3(write.item))
            advance(1)


@contextlib.contextmanager
def rejections(what: str) -> Iterator[None]:
    """Raise CommandError with DynamoDB's reason if it rejects a write."""
    try:
        yield
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        raise CommandError(
            f"DynamoDB rejects {what}: {reason}.", code="write-rejected", reason=reason
        ) from None


@contextlib.contextmanager
def reported_changes(stack: DeployedStack, pipeline: DeployedPipeline) -> Iterator[Delivery]:
    """Print what becomes of the changes of the block's writes."""
    delivery = Delivery(stack.clients(pipeline), pipeline)
    with console.step("Writing to DynamoDB", "Wrote", spinner=False) as step:
        yield delivery
        delivery.read()
        step.result = f"{counted(delivery.changes, 'change')} of {pipeline.source_table}"
    if not delivery.changes:
        console.print_line("The items are as they were: a stream has no such change.")
        return
    with (
        console.step("Delivering", "Delivered", spinner=delivery.left == 1) as step,
        progress("Delivering", delivery.left, unit="changes") as advance,
    ):
        delivery.wait(advance)
        rows = sum(table.rows for table in delivery.tables)
        step.result = f"{counted(rows, 'row')} through Lambda and Firehose to S3"
    console.print_delivery(delivery)
    replay = replay_command(stack, pipeline)
    console.print_next_commands(delivery, local_command(), replay)


def exit_code(delivery: Delivery) -> int:
    """Return the exit code of a command that writes."""
    if delivery.left:
        return EXIT_FAILURE
    failed = delivery.unmatched_batches or any(table.failures for table in delivery.tables)
    return EXIT_PARTIAL if failed else 0


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
    try:
        result = query(clients, sql, pipeline.workgroup, pipeline.database)
    except CommandError as error:
        if missing := MISSING_TABLE.match(str(error.details.get("reason"))):
            raise unknown_table(stack, missing[1]) from None
        raise
    console.print_query_result(result)


def unknown_table(stack: DeployedStack, name: str) -> CommandError:
    """Return the error for a missing table, with those that exist."""
    known = existing_tables(stack)
    return CommandError(
        f"QUERY must read tables and views that exist (got {name}). "
        f"Those of the stack are {', '.join(known) or 'not created yet'}.",
        code="unknown-table",
        table=name,
        known=known,
    )


def existing_tables(stack: DeployedStack) -> list[str]:
    """Return the SQL names of existing lake tables, merged tables and views.

    A crawler creates a lake table without COLUMNS after its first rows.
    """
    known: set[str] = set()
    for pipeline in stack.pipelines:
        pages = stack.clients(pipeline)("glue").get_paginator("get_tables")
        existing = {
            table["Name"]
            for page in pages.paginate(DatabaseName=pipeline.database)
            for table in page["TableList"]
        }
        for lake in pipeline.tables.values():
            names = {lake.table, lake.view, lake.merged_table}
            known |= {f'"{pipeline.database}"."{name}"' for name in names & existing}
    return sorted(known)
