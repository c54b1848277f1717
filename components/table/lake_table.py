"""LakeTable: what settings and transform module imply, as plain data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from streaming_etl.components.settings.lake_table import LakeTableArgs
from streaming_etl.components.settings.names import own_name_problems, pipeline_name_problems
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.validation import (
    Problem,
    SettingsError,
    invalid,
    raise_if_any,
)
from streaming_etl.components.table.column_types import (
    METADATA,
    Column,
    ColumnType,
    glue_type,
    is_nested,
)
from streaming_etl.components.table.declared_columns import PathStep
from streaming_etl.components.table.declared_field_ids import FieldIds
from streaming_etl.components.table.layout import (
    current_view_name,
    firehose_prefix,
    lake_table_name,
    merged_table_name,
    name_problems,
    objects_table_name,
)
from streaming_etl.components.table.transform_module import TransformModule, read_transform_module

DERIVED_TABLES = {
    "view": current_view_name,
    "objects table": objects_table_name,
    "merged table": merged_table_name,
}

EXTENSIONS = {
    ("csv", "GZIP"): ".csv.gz",
    ("csv", "UNCOMPRESSED"): ".csv",
    ("json", "GZIP"): ".json.gz",
    ("json", "UNCOMPRESSED"): ".json",
}


@dataclass(frozen=True)
class LakeTable:
    """One lake table, as plain data."""

    name: str
    format: str
    compression: str
    columns: Optional[tuple[Column, ...]]
    partition_keys: tuple[str, ...]
    prefix_expression: str
    """Firehose's prefix expression below the table's location."""
    injected_keys: tuple[str, ...]
    """Partition keys with any value: with projection every query must contain them."""
    current_state_source: str
    """What the current state reads: a value of CURRENT_STATE_SOURCES."""
    transform_config: dict[str, Any]
    """Content of the transform's transform.json."""
    current_state: bool
    """Whether the table has a current-state view or saved query."""
    transform_time_zone: Optional[str]
    """Time zone that the transform itself needs, if any."""
    pinned_field_ids: FieldIds
    """FIELD_IDS of the transform module, for the merged table."""
    merge: bool
    """Whether there is a merged table."""

    @property
    def merged_name(self) -> Optional[str]:
        """Name of the merged table, if there is one."""
        return merged_table_name(self.name) if self.merge else None

    @property
    def view_name(self) -> Optional[str]:
        """Name of the current-state view.

        None without current state or columns. Also None if the view reads the partitioned table
        and every query needs a key's value.
        """
        by_partition = self.current_state_source == "partitions"
        injected = by_partition and bool(self.injected_keys)
        if not self.current_state or self.columns is None or injected:
            return None
        return current_view_name(self.name)

    @property
    def objects_name(self) -> Optional[str]:
        """Name of the Glue table without partition keys, for the view."""
        if self.view_name is None or self.current_state_source != "objects":
            return None
        return objects_table_name(self.name)

    @property
    def names(self) -> list[Optional[str]]:
        """Names of its Glue tables and view, None for missing ones."""
        return [self.name, self.view_name, self.objects_name, self.merged_name]

    @property
    def file_extension(self) -> Optional[str]:
        """Extension of the objects; None for Parquet, where Firehose appends .parquet."""
        return EXTENSIONS.get((self.format, self.compression))

    @property
    def declared(self) -> tuple[Column, ...]:
        """COLUMNS and metadata in a row's order; empty without COLUMNS."""
        if self.columns is None:
            return ()
        # Athena reads CSV by position: this is the order in which the transform writes.
        by_position = self.format == "csv"
        return (*METADATA, *self.columns) if by_position else (*self.columns, *METADATA)

    @property
    def all_columns(self) -> tuple[Column, ...]:
        """The declared columns with the types of the objects."""
        if self.columns is None:
            raise ValueError("a lake table without COLUMNS has no known columns")
        if self.format == "csv":
            # OpenCSVSerDe reads text only (a date as a day number, no empty numbers); the view
            # casts the columns. https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html
            return tuple(Column(column.name, "string") for column in self.declared)
        return self.declared


@dataclass(frozen=True)
class ResolvedLakeTable:
    """A lake table with its settings and its transform module."""

    key: str
    """Name in `lake_tables`, or ONLY_LAKE_TABLE."""
    args: LakeTableArgs
    module: TransformModule
    table: LakeTable


def resolve(name: str, args: StreamingEtlPipelineArgs) -> list[ResolvedLakeTable]:
    """Lake tables of the pipeline `name`, with their transform modules.

    Raises SettingsError with all problems.
    """
    problems = list(pipeline_name_problems(name))
    if not problems:
        problems += own_name_problems(name, args.former_names)
        problems += name_problems(name, args)
    resolved = []
    for key, table_args in args.tables.items():
        try:
            module = read_transform_module(table_args.transform_module)
            table = plan_lake_table(lake_table_name(args, key), table_args, module)
            resolved.append(ResolvedLakeTable(key, table_args, module, table))
        except SettingsError as error:
            path = args.lake_table_path(key)
            problems += [problem.below(path) for problem in error.problems]
    problems += shared_name_problems(args, resolved)
    raise_if_any(problems)
    return resolved


def shared_name_problems(
    args: StreamingEtlPipelineArgs, resolved: Sequence[ResolvedLakeTable]
) -> Iterator[Problem]:
    """Problems of lake tables with the Glue table of another one."""
    owners: dict[Optional[str], str] = {}
    for each in resolved:
        owners.setdefault(each.table.name, each.key)
    for each in resolved:
        owners.setdefault(each.table.view_name, each.key)
        owners.setdefault(each.table.objects_name, each.key)
        owners.setdefault(each.table.merged_name, each.key)
    for each in resolved:
        for name in each.table.names:
            owner = owners[name]
            if name is not None and owner != each.key:
                yield invalid(
                    "glue_table_name",
                    name,
                    "lake-table-shared",
                    path=args.lake_table_path(each.key),
                    other=args.lake_table_path(owner),
                )


def plan_lake_table(name: str, args: LakeTableArgs, module: TransformModule) -> LakeTable:
    """Lake table of the settings and the module.

    name: of the Glue table. Raises SettingsError with all problems of the combination.
    """
    raise_if_any(column_problems(args, module))
    partitions = args.partitions
    by_event = partitions.partition_time == "event"
    # Firehose converts JSON to Parquet, and compresses inside the file.
    compression = "UNCOMPRESSED" if args.format == "parquet" else args.delivery.compression
    any_value = tuple(
        key for key, values in partitions.dynamic_partition_keys.items() if not values
    )
    needs_zone = by_event and partitions.time_zone != "UTC"
    return LakeTable(
        name=name,
        format=args.format,
        compression=compression or "GZIP",
        columns=table_columns(args, module),
        partition_keys=partitions.keys,
        prefix_expression=firehose_prefix(partitions),
        injected_keys=any_value if args.catalog == "projection" else (),
        current_state_source=args.current_state_source,
        transform_config=transform_config(args, module),
        current_state=args.query.current_state,
        transform_time_zone=partitions.time_zone if needs_zone else None,
        pinned_field_ids=module.field_ids,
        merge=args.merge.enabled,
    )


def table_columns(args: LakeTableArgs, module: TransformModule) -> Optional[tuple[Column, ...]]:
    """Columns of the lake table: COLUMNS, which may also hold partition keys."""
    if module.columns is None:
        return None
    keys = args.partitions.dynamic_partition_keys
    return tuple(column for column in module.columns if column.name not in keys)


def transform_config(args: LakeTableArgs, module: TransformModule) -> dict[str, Any]:
    """Content of transform.json, from which the transform function reads its table."""
    columns, partitions = table_columns(args, module), args.partitions
    return {
        "format": "json" if args.format == "parquet" else args.format,
        "columns": None
        if columns is None
        else [{"name": column.name, "type": encoded_type(column, module)} for column in columns],
        "module": None if module.code is None else module.code.config,
        "sources": attribute_paths(args, module),
        "dynamic_partition_keys": {
            key: list(values) or None for key, values in partitions.dynamic_partition_keys.items()
        },
        "partition_keys": list(partitions.keys),
        "time_keys": list(partitions.time_keys) if partitions.partition_time == "event" else [],
        "time_zone": partitions.time_zone,
        "lazy_items": module.pure or module.sources is not None,
    }


def encoded_type(column: Column, module: TransformModule) -> ColumnType:
    """A column's type, with the unit of its numbers, if any."""
    unit = module.sources[column.name].unit if module.sources else None
    return column.type if unit is None else {str(column.type): unit}


def attribute_paths(
    args: LakeTableArgs, module: TransformModule
) -> Optional[dict[str, list[PathStep]]]:
    """The attribute of each column and dynamic partition key, without `transform`.

    A partition key that is not in COLUMNS is the attribute of that name.
    """
    if module.sources is None:
        return None
    paths: dict[str, list[PathStep]] = {
        name: [name] for name in args.partitions.dynamic_partition_keys
    }
    return paths | {name: [*source.path] for name, source in module.sources.items()}


def column_problems(args: LakeTableArgs, module: TransformModule) -> Iterator[Problem]:
    """Problems of columns with the format, the catalog and the partition keys."""
    path = args.transform_module
    if module.columns is None:
        # Firehose writes Parquet by the Glue table's columns, and a CSV file has no column names.
        if args.format != "json":
            yield invalid("format", args.format, "needs-columns", module=path)
        elif args.catalog == "projection":
            yield invalid("catalog", args.catalog, "catalog-needs-columns", module=path)
        if args.merge.enabled:
            yield invalid("enabled", True, "merge-needs-columns", path="merge", module=path)
    requirements = args.transform.requirements
    if requirements is not None and module.sources is not None:
        rule = "requirements-without-transform"
        yield invalid("requirements", requirements, rule, path="transform", module=path)
    if args.transform.secrets and module.sources is not None:
        rule = "secrets-without-transform"
        yield invalid("secrets", None, rule, path="transform", module=path)
    for column in module.columns or ():
        name = column.name
        if module.sources is not None and name in args.partitions.dynamic_partition_keys:
            if column.type != "string":
                details = {"column": name, "type": repr(glue_type(column.type))}
                yield invalid("transform_module", path, "partition-key-type", **details)
            continue
        # Athena accepts a name once.
        if name in args.partitions.keys:
            yield invalid("transform_module", path, "column-is-partition-key", column=name)
        if args.format == "csv" and is_nested(column.type):
            yield invalid("transform_module", path, "nested-column", column=name)
