"""What settings and transform module make of the lake table: names, columns, folders; no cloud."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Optional

import pulumi

from streaming_etl.components.packaging.wheels import Packages, carried_packages
from streaming_etl.components.settings.partitions import (
    JAVA_PATTERNS,
    folder_expression,
    projection,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs, check_pipeline_name
from streaming_etl.components.settings.validation import SettingsError, refuse
from streaming_etl.components.table.column_types import METADATA, Column, is_nested
from streaming_etl.components.table.transform_module import TransformModule, read_transform_module

# What lies where in a lake's bucket.
DATA_PREFIX = "data/"
# Outside the data: Athena reads everything below a table's location.
ERRORS_PREFIX = "errors/"
QUERY_RESULTS_PREFIX = "athena-results/"
# Lambda writes given-up batches below this key and no other.
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
FAILED_BATCHES_PREFIX = "aws/lambda/"
# Failures whose changes are put back, by the key they had; outside the prefixes that alarms watch.
REPLAYED_PREFIX = "replayed/"

# Exports of the table, what became of their files, and lists of those to take up again.
BACKFILL_PREFIX = "backfill/"

# Glue takes 255; the view's name is the table's with `_current` behind it.
MAX_TABLE_NAME = 240

# Evaluated. https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
MAX_PREFIX = 512

# https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html
MAX_WORKGROUP_NAME = 128

EXTENSIONS = {
    ("csv", "GZIP"): ".csv.gz",
    ("csv", "UNCOMPRESSED"): ".csv",
    ("json", "GZIP"): ".json.gz",
    ("json", "UNCOMPRESSED"): ".json",
}


def glue_name(name: str) -> str:
    """`name` in Glue's letters (a-z 0-9 _), at most 240, told apart by a hash when cut."""
    legal = re.sub(r"[^a-z0-9_]", "_", name.lower())
    if len(legal) <= MAX_TABLE_NAME:
        return legal
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{legal[: MAX_TABLE_NAME - 9]}_{digest}"


@dataclass(frozen=True)
class LakeTable:
    """The lake table of one pipeline, told in plain data."""

    name: str
    format: str
    compression: str
    columns: Optional[tuple[Column, ...]]
    partition_keys: tuple[str, ...]
    folders: str
    injected_keys: tuple[str, ...]
    """Row keys without a list of values: projection asks for them in every query."""
    transform_config: dict[str, Any]
    """What stands in the transform's transform.json."""
    transform_time_zone: Optional[str]
    """The zone that the transform itself must know, if any."""

    @property
    def view_name(self) -> Optional[str]:
        """The current-state view; None when no view can exist: no schema, or keys to ask for."""
        if self.columns is None or self.injected_keys:
            return None
        return f"{self.name}_current"

    @property
    def file_extension(self) -> Optional[str]:
        """Ending of the objects; None leaves it to Firehose, which calls Parquet .parquet."""
        return EXTENSIONS.get((self.format, self.compression))

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The user's columns and the metadata, typed as the objects hold them."""
        if self.columns is None:
            raise ValueError("a lake table without COLUMNS has no columns to tell")
        if self.format == "csv":
            # By place, and so in the order in which the transform writes them.
            columns = (*METADATA, *self.columns)
            # OpenCSVSerDe reads text only (a date as a day number, no empty numbers); the view
            # gives the columns their types. https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
            return tuple(Column(column.name, "string") for column in columns)
        return (*self.columns, *METADATA)


def prepare(
    name: str, args: StreamingEtlPipelineArgs
) -> tuple[TransformModule, LakeTable, Packages]:
    """All that can be refused of the pipeline `name` without asking AWS, checked.

    The packages that both functions carry are fetched, unless they are there from before.
    """
    check_pipeline_name(name)
    default_workgroup_name(name)
    module = read_transform_module(args.transform_module)
    table = plan_lake_table(args, module)
    check_prefix_length(args.database_name or default_database_name(name), args, table)
    # Last: what costs nothing is refused before a package index is asked.
    packages = carried_packages(args.runtime, args.architecture, args.transform.requirements)
    return module, table, packages


def default_database_name(pipeline: str) -> str:
    """A database per pipeline and stack, so that stacks of one account stay apart."""
    return glue_name(f"{pipeline}_{pulumi.get_stack()}")


def default_workgroup_name(pipeline: str) -> str:
    """A workgroup per pipeline and stack.

    Raises SettingsError when Athena would refuse the name.
    """
    name = f"{pipeline}-{pulumi.get_stack()}"
    if len(name) > MAX_WORKGROUP_NAME:
        raise SettingsError(
            f"the workgroup {name!r} has {len(name)} characters: Athena takes"
            f" {MAX_WORKGROUP_NAME}; shorten the name of the pipeline or of the stack."
        )
    return name


def plan_lake_table(args: StreamingEtlPipelineArgs, module: TransformModule) -> LakeTable:
    """Join settings and module; refuse what does not go together."""
    require_columns(args, module)
    check_columns(args, module)
    partitions = args.partitions
    times = partitions.time_keys
    from_rows = partitions.partition_time == "event"
    parquet = args.format == "parquet"
    # Firehose converts JSON to Parquet and compresses inside the file.
    compression = "UNCOMPRESSED" if parquet else args.delivery.compression or "GZIP"
    own_zone = from_rows and partitions.time_zone != "UTC"
    any_value = tuple(
        key for key, values in partitions.dynamic_partition_keys.items() if not values
    )
    return LakeTable(
        name=args.glue_table_name or glue_name(args.table_name),
        format=args.format,
        compression=compression,
        columns=module.columns,
        partition_keys=partitions.keys,
        folders=folder_expression(tuple(partitions.dynamic_partition_keys), times, from_rows),
        injected_keys=any_value if args.catalog == "projection" else (),
        transform_config=transform_config(args, module, times if from_rows else ()),
        transform_time_zone=partitions.time_zone if own_zone else None,
    )


def check_prefix_length(
    database_name: pulumi.Input[str], args: StreamingEtlPipelineArgs, table: LakeTable
) -> None:
    """Refuse folders whose path is longer than Firehose writes, as far as it is known now."""
    database = database_name if isinstance(database_name, str) else ""
    folders = [
        f"{key}={max(args.partitions.dynamic_partition_keys.get(key, ()), key=len, default='')}"
        f"{JAVA_PATTERNS.get(key, '')}/"
        for key in table.partition_keys
    ]
    length = len(f"{DATA_PREFIX}{database}/{table.name}/{''.join(folders)}")
    if length > MAX_PREFIX:
        raise SettingsError(
            f"the lake's folders of {args.table_name!r} have {length} characters: Firehose writes"
            f" to at most {MAX_PREFIX}; shorten glue_table_name, database_name or dynamic_partition_keys."
        )


def transform_config(
    args: StreamingEtlPipelineArgs, module: TransformModule, times: Sequence[str]
) -> dict[str, Any]:
    """What the transform reads from transform.json."""
    columns = module.columns
    return {
        "format": "json" if args.format == "parquet" else args.format,
        "columns": None
        if columns is None
        else [{"name": column.name, "type": column.type} for column in columns],
        "dynamic_partition_keys": {
            key: list(values) or None
            for key, values in args.partitions.dynamic_partition_keys.items()
        },
        "time_keys": list(times),
        "time_zone": args.partitions.time_zone,
        "lazy_items": module.pure,
    }


def projection_parameters(args: StreamingEtlPipelineArgs) -> dict[str, str]:
    """Partition projection of the lake table, without its location."""
    partitions = args.partitions
    return projection(
        partitions.dynamic_partition_keys, partitions.time_keys, partitions.projection_start_year
    )


def require_columns(args: StreamingEtlPipelineArgs, module: TransformModule) -> None:
    """Refuse formats and catalogs that need COLUMNS when there are none."""
    if module.columns is not None:
        return
    reasons = {
        "parquet": "Firehose writes Parquet by the Glue table's columns",
        "csv": "a CSV file has no column names, so rows must all have the same columns",
    }
    if args.format in reasons:
        raise refuse(
            "format",
            args.format,
            f"needs COLUMNS: {reasons[args.format]}; add COLUMNS to {args.transform_module},"
            " or use json with catalog='crawler'.",
        )
    if args.catalog == "projection":
        raise refuse(
            "catalog",
            args.catalog,
            "needs COLUMNS: the Glue table is made before any data;"
            f" add COLUMNS to {args.transform_module}, or use catalog='crawler'.",
        )


def check_columns(args: StreamingEtlPipelineArgs, module: TransformModule) -> None:
    """Refuse columns that clash with partition keys or do not fit the format."""
    for column in module.columns or ():
        if column.name in args.partitions.keys:
            raise SettingsError(
                f"partition key {column.name!r} is also a column in {args.transform_module}:"
                " Athena takes a name once; drop it from COLUMNS (a row key stays in the row that"
                " the transform returns) or rename it."
            )
        if args.format == "csv" and is_nested(column.type):
            raise SettingsError(
                f"column {column.name!r} in {args.transform_module} is nested, which csv cannot"
                ' hold: use "string" (written as JSON text), or format json or parquet.'
            )
