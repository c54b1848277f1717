"""Existing source tables, which the embedded AWS creates on the first look-up."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import TABLES, StackConfig
from streaming_etl.stack.errors import CommandError


@dataclass(frozen=True)
class TableDefinition:
    """Name, keys and stream of a table, as DescribeTable returns them."""

    name: str
    keys: Mapping[str, str]
    """Types of the key attributes, the hash key first."""
    stream_view: str | None
    """None without a stream."""


# The CLI's configuration may have another format.
DESCRIBE = "aws dynamodb describe-table --output json --table-name"

Definitions = Mapping[str, TableDefinition]
"""By table name."""


def read_definitions(files: Iterable[Path]) -> dict[str, TableDefinition]:
    """Read files with the output of `aws dynamodb describe-table`.

    Raises CommandError with the problems of all files.
    """
    definitions: dict[str, TableDefinition] = {}
    problems: dict[str, str] = {}
    texts: list[str] = []
    for file in files:
        try:
            definition = definition_of(json.loads(file.read_text(encoding="utf-8-sig")))
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            code, text = problem_of(error)
            problems[str(file)] = code
            texts.append(f"{file}: the file must {text}")
        else:
            definitions[definition.name] = definition
    if problems:
        raise CommandError("\n".join(texts), code="invalid-table-definition", problems=problems)
    return definitions


def problem_of(error: Exception) -> tuple[str, str]:
    """Return the code of a problem, and the end of its sentence."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return (
                "missing-file",
                f"exist. Correct the path, or write the file: `{DESCRIBE} TABLE`.",
            )
        case IsADirectoryError():
            return "directory", "not be a directory. Pass the file of each table in it."
        case OSError():
            reason = error.strerror or type(error).__name__
            return "unreadable-file", f"be readable (got: {reason}). Change its permissions."
        case UnicodeDecodeError():
            return (
                "not-utf-8",
                f"be text in UTF-8. Convert it, or write it again: `{DESCRIBE} TABLE`.",
            )
        case json.JSONDecodeError():
            where = f"line {error.lineno}, column {error.colno}: {error.msg}"
            return "invalid-json", f"be JSON (got: {where}). Write it again: `{DESCRIBE} TABLE`."
    return (
        "not-a-description",
        "have TableName, KeySchema and AttributeDefinitions, also below Table. "
        f"Write it again: `{DESCRIBE} TABLE`.",
    )


def definition_of(document: Any) -> TableDefinition:
    """Read DescribeTable's response; raises KeyError or TypeError."""
    table = document.get("Table", document)
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    keys = {one["KeyType"]: one["AttributeName"] for one in table["KeySchema"]}
    stream = table.get("StreamSpecification") or {}
    names = [keys["HASH"], *([keys["RANGE"]] if "RANGE" in keys else [])]
    return TableDefinition(
        str(table["TableName"]),
        {name: types[name] for name in names},
        stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
    )


def require_definitions(config: StackConfig, definitions: Definitions) -> None:
    """Raise CommandError for all existing tables of the config without a definition."""
    try:
        pipelines = config.pipelines.values()
    except CommandError:
        # The program reports its invalid settings itself.
        return
    # A name that only the program knows is looked up later.
    names = [
        args.table_name
        for args in pipelines
        if args.source.use_existing
        and args.source.stream_arn is None
        and isinstance(args.table_name, str)
    ]
    missing = [name for name in names if name not in definitions]
    if missing:
        raise missing_definition(missing, config.stack)


def with_local_streams(config: StackConfig, clients: Clients) -> StackConfig:
    """Replace each `source.stream_arn` of the config by a local one.

    A table that does not exist is created with the keys and the view type of the config.
    """
    try:
        pipelines = config.pipelines
    except CommandError:
        # The program reports its invalid settings itself.
        return config
    tables = config.section(TABLES)
    for name, args in pipelines.items():
        source, table = args.source, args.table_name
        if isinstance(source.stream_arn, str) and isinstance(table, str):
            keys = {source.hash_key: source.hash_key_type}
            if source.range_key is not None:
                keys[source.range_key] = source.range_key_type
            definition = TableDefinition(table, keys, source.stream_view_type)
            stream = described(clients, table, {table: definition}, config.stack)["LatestStreamArn"]
            settings = tables[name]
            local = {**settings["source"], "stream_arn": stream}
            tables = {**tables, name: {**settings, "source": local}}
    values = {**config.values, f"{config.project}:{TABLES}": json.dumps(tables)}
    return dataclasses.replace(config, values=values) if tables else config


def described(clients: Clients, name: str, definitions: Definitions, stack: str) -> dict[str, Any]:
    """Describe a table; create one that does not exist by its definition.

    Raises CommandError for a table that does not exist, without a definition. stack: its name, for
    the command in the message.
    """
    dynamodb = clients("dynamodb")
    try:
        response = dynamodb.describe_table(TableName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        create_existing(clients, name, definitions, stack)
        response = dynamodb.describe_table(TableName=name)
    return dict(response["Table"])


def missing_definition(names: list[str], stack: str) -> CommandError:
    """Return the error for existing tables without a definition."""
    commands = "\n".join(f"  {DESCRIBE} {name} > {name}.table.json" for name in names)
    files = " ".join(f"{name}.table.json" for name in names)
    selected = "" if stack == "dev" else f"STACK={stack} "
    return CommandError(
        f"The embedded AWS has no table {', '.join(names)}, which the stack reads with "
        f"`source.use_existing`. Describe it, and pass the file:\n{commands}\n"
        f'  make local {selected}LIKE="{files}"',
        code="missing-table-definition",
        tables=names,
        stack=stack,
    )


def create_existing(clients: Clients, name: str, definitions: Definitions, stack: str) -> None:
    """Create a table by its definition; raises CommandError without one."""
    if name not in definitions:
        raise missing_definition([name], stack)
    keys, view = definitions[name].keys, definitions[name].stream_view
    stream = {"StreamEnabled": True, "StreamViewType": view}
    clients("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": type_} for key, type_ in keys.items()
        ],
        KeySchema=[
            {"AttributeName": key, "KeyType": kind}
            for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ],
        # ministack creates a stream for any specification.
        **({"StreamSpecification": stream} if view else {}),
    )
    # DescribeTable does not show whether the table has backups, which exports need.
    recovery = {"PointInTimeRecoveryEnabled": True}
    clients("dynamodb").update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification=recovery
    )
