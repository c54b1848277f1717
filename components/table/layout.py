"""Derived names, S3 prefixes and partition projection of a lake."""

import hashlib
import re
from collections.abc import Iterator
from typing import Optional

import pulumi

from streaming_etl.components.settings.iam import MAX_ROLE_NAME
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.names import MAX_PIPELINE_NAME, PULUMI_SUFFIX
from streaming_etl.components.settings.partitions import PartitionArgs
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import Problem, invalid

PARTITION_KEY_TYPE = "string"
DATA_PREFIX = "data/"
# Outside the data, which expires with the retention of the change log.
MERGED_PREFIX = "merged/"
# Outside the data, because Athena reads all objects below a table's location.
ERRORS_PREFIX = "errors/"
QUERY_RESULTS_PREFIX = "athena-results/"
# Lambda writes failed batches below this key and no other.
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
FAILED_BATCHES_PREFIX = "aws/lambda/"
# Items of an export that no lake table has, in the folder of the pipeline.
BACKFILL_ERRORS_FOLDER = "backfill-failed/"
# Replayed failures by their former key, outside the prefixes that alarms observe.
REPLAYED_PREFIX = "replayed/"
# Exports of the table, the results of their files, and lists of files to process again.
BACKFILL_PREFIX = "backfill/"

# Glue accepts 255; `_current`, `_objects` and `_merged` are added to the lake table's name.
MAX_TABLE_NAME = 240
# Evaluated. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
MAX_PREFIX = 512
# https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html
MAX_WORKGROUP_NAME = 128

# The default quota. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
MAX_EVENT_PATTERN = 2048
# Of the pattern for dead-lettered objects without error records; the bucket's name has 63.
MAX_REST_OF_EVENT_PATTERN = 256

# Java patterns, which Firehose evaluates in a prefix.
# https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
JAVA_PATTERNS = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH", "dt": "yyyy-MM-dd"}
INGESTION_DAY = "arrived-!{timestamp:yyyy-MM-dd}-"


def glue_name(name: str) -> str:
    """`name` in Glue's characters, at most 240, with a hash when cut."""
    legal = re.sub(r"[^a-z0-9_]", "_", name.lower())
    if len(legal) <= MAX_TABLE_NAME:
        return legal
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{legal[: MAX_TABLE_NAME - 9]}_{digest}"


def lake_table_name(args: StreamingEtlPipelineArgs, key: str) -> str:
    """Name of the Glue table of the lake table `key`."""
    default = args.table_name if key == ONLY_LAKE_TABLE else key
    # An output is a rejected setting without `glue_table_name`.
    return args.tables[key].glue_table_name or glue_name(
        default if isinstance(default, str) else ""
    )


def resource_prefix(pipeline: str, key: str) -> str:
    """Begin of the names of a lake table's resources."""
    return pipeline if key == ONLY_LAKE_TABLE else f"{pipeline}-{key}"


def current_view_name(lake_table: str) -> str:
    """Name of the current-state view of a Glue table."""
    return f"{lake_table}_current"


def objects_table_name(lake_table: str) -> str:
    """Name of the Glue table over the same objects without partition keys."""
    return f"{lake_table}_objects"


def merged_table_name(lake_table: str) -> str:
    """Name of the Iceberg table with a Glue table's merged rows."""
    return f"{lake_table}_merged"


def default_database_name(pipeline: str) -> str:
    """Name of the database of a pipeline in one stack."""
    return glue_name(f"{pipeline}_{pulumi.get_stack()}")


def database_name(pipeline: str, args: StreamingEtlPipelineArgs) -> pulumi.Input[str]:
    """Name of the pipeline's Glue database, which exists or is created."""
    return args.database_name or default_database_name(args.physical_name(pipeline))


def pipeline_folder(pipeline: str, args: StreamingEtlPipelineArgs) -> str:
    """Folder of a pipeline's backfills in a database's folder.

    The Glue table's name, or for several lake tables a name that no Glue table can have.
    """
    if args.lake_tables:
        return default_workgroup_name(args.physical_name(pipeline))
    return lake_table_name(args, ONLY_LAKE_TABLE)


def error_folders(pipeline: str, args: StreamingEtlPipelineArgs) -> list[str]:
    """Folders with error records of a pipeline, below the database's.

    For several lake tables in a database that the pipeline creates it is the database's folder
    itself, because EventBridge limits the length of all of them.
    """
    if args.lake_tables and args.database_name is None:
        return [""]
    folders = [f"{lake_table_name(args, key)}/" for key in args.tables]
    if args.lake_tables and args.backfill.enabled:
        folders.append(f"{pipeline_folder(pipeline, args)}/{BACKFILL_ERRORS_FOLDER}")
    return folders


def default_workgroup_name(pipeline: str) -> str:
    """Name of the workgroup of a pipeline in one stack."""
    return f"{pipeline}-{pulumi.get_stack()}"


def merge_workgroup_name(pipeline: str) -> str:
    """Name of the workgroup of a pipeline's merges."""
    return f"{default_workgroup_name(pipeline)}-merge"


def name_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problems of derived names and prefixes that are too long for AWS."""
    yield from workgroup_problems(pipeline, args)
    yield from resource_name_problems(pipeline, args)
    yield from role_name_problems(pipeline, args)
    yield from access_log_problems(pipeline, args)
    yield from event_pattern_problems(pipeline, args)
    for key in args.tables:
        yield from prefix_problems(pipeline, args, key)


def access_log_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problem of a bucket that would log its own log.

    Pulumi generated its name from the pipeline's name, or from a former one.
    """
    target = args.lake.access_log_bucket
    for name in (pipeline, *args.former_names):
        if isinstance(target, str) and re.fullmatch(rf"{name}-lake-bucket-[0-9a-f]{{7}}", target):
            kind = "another bucket than the one that it logs"
            yield invalid("access_log_bucket", target, "pattern", path="lake", kind=kind)


def resource_name_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problems of lake tables with names that are too long for AWS."""
    for key in args.lake_tables:
        if len(resource_prefix(pipeline, key)) > MAX_PIPELINE_NAME:
            most = MAX_PIPELINE_NAME - len(pipeline) - 1
            yield invalid(
                "lake_tables",
                key,
                "lake-table-name-length",
                length=len(key),
                most=max(most, 0),
                pipeline=pipeline,
            )


def role_name(resource: str, args: StreamingEtlPipelineArgs, *scope: str) -> Optional[str]:
    """Physical name of a role; None if Pulumi generates it.

    scope: project and stack. The hash, as long as Pulumi's random characters, lets two stacks have
    roles, and a role with another path exist before the former one is deleted.
    """
    prefix = args.iam.role_name_prefix
    if prefix is None:
        return None
    text = "\n".join([*scope, args.iam.role_path, resource])
    digest = hashlib.sha256(text.encode()).hexdigest()[: PULUMI_SUFFIX - 1]
    return f"{prefix}{resource}-{digest}"


def role_name_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problem of role names that are too long for IAM."""
    created = [name for name in args.role_names if name not in args.iam.role_arns]
    names = [role_name(f"{pipeline}-{name}-role", args) or "" for name in created]
    longest = max(names, key=len, default="")
    if len(longest) > MAX_ROLE_NAME:
        yield invalid(
            "role_name_prefix",
            args.iam.role_name_prefix,
            "role-name-length",
            path="iam",
            role=longest,
            length=len(longest),
            most=MAX_ROLE_NAME,
        )


def event_pattern_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problem of error prefixes that are too long for an EventBridge rule."""
    name = database_name(pipeline, args)
    database = name if isinstance(name, str) else ""
    prefixes = [f"{ERRORS_PREFIX}{database}/{folder}" for folder in error_folders(pipeline, args)]
    # Each is {"prefix":"..."}, with a comma.
    length = MAX_REST_OF_EVENT_PATTERN + sum(len(prefix) + 14 for prefix in prefixes)
    if length > MAX_EVENT_PATTERN:
        yield invalid(
            "lake_tables",
            list(args.lake_tables),
            "event-pattern-length",
            length=length,
            most=MAX_EVENT_PATTERN,
        )


def workgroup_problems(pipeline: str, args: StreamingEtlPipelineArgs) -> Iterator[Problem]:
    """Problem of a workgroup name that is too long for Athena."""
    physical = args.physical_name(pipeline)
    merge = any(each.merge.enabled for each in args.tables.values())
    workgroup = merge_workgroup_name(physical) if merge else default_workgroup_name(physical)
    if len(workgroup) > MAX_WORKGROUP_NAME:
        most = MAX_WORKGROUP_NAME
        yield invalid("name", pipeline, "workgroup-name-length", workgroup=workgroup, most=most)


def prefix_problems(pipeline: str, args: StreamingEtlPipelineArgs, key: str) -> Iterator[Problem]:
    """Problem of S3 prefixes that are too long for Firehose."""
    length = prefix_length(pipeline, args, key)
    if length > MAX_PREFIX:
        several = bool(args.lake_tables)
        name, value = ("lake_tables", key) if several else ("table_name", args.table_name)
        if isinstance(args.table_name, pulumi.Output) and not several:
            name, value = "glue_table_name", lake_table_name(args, key)
        yield invalid(name, value, "prefix-length", length=length, most=MAX_PREFIX)


def prefix_length(pipeline: str, args: StreamingEtlPipelineArgs, key: str) -> int:
    """Length of the longest prefix, without parts that only an update knows."""
    partitions = args.tables[key].partitions
    name = database_name(pipeline, args)
    database = name if isinstance(name, str) else ""
    values = partitions.dynamic_partition_keys
    parts = [
        f"{name}={max(values.get(name, ()), key=len, default='')}{JAVA_PATTERNS.get(name, '')}/"
        for name in partitions.keys
    ]
    return len(f"{DATA_PREFIX}{database}/{lake_table_name(args, key)}/{''.join(parts)}")


def firehose_prefix(partitions: PartitionArgs) -> str:
    """Firehose's prefix expression below the table's location."""
    by_event = partitions.partition_time == "event"
    parts = [
        f"{key}=!{{partitionKeyFromLambda:{key}}}/" for key in partitions.dynamic_partition_keys
    ]
    for key in partitions.time_keys:
        value = f"partitionKeyFromLambda:{key}" if by_event else f"timestamp:{JAVA_PATTERNS[key]}"
        parts.append(f"{key}=!{{{value}}}/")
    if by_event:
        # Firehose appends ingestion-time folders to a prefix without a timestamp, so the objects'
        # names have one. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
        parts.append(INGESTION_DAY)
    return "".join(parts)


def projection_parameters(partitions: PartitionArgs) -> dict[str, str]:
    """Glue table parameters of partition projection, without the location.

    https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
    """
    parameters = {"projection.enabled": "true"}
    for name, values in partitions.dynamic_partition_keys.items():
        parameters[f"projection.{name}.type"] = "enum" if values else "injected"
        if values:
            parameters[f"projection.{name}.values"] = ",".join(values)
    for name in partitions.time_keys:
        for option, value in time_projection(name, partitions.projection_start_year).items():
            parameters[f"projection.{name}.{option}"] = value
    return parameters


def time_projection(name: str, start_year: int) -> dict[str, str]:
    """Projection of one time key."""
    if name in ("year", "dt"):
        first = f"{start_year}-01-01" if name == "dt" else str(start_year)
        return {
            "type": "date",
            "format": JAVA_PATTERNS[name],
            # NOW is UTC: a time zone ahead of it is already in the next day.
            "range": f"{first},NOW+1DAY",
            "interval": "1",
            "interval.unit": "DAYS" if name == "dt" else "YEARS",
        }
    ranges = {"month": "1,12", "day": "1,31", "hour": "0,23"}
    return {"type": "integer", "range": ranges[name], "digits": "2"}
