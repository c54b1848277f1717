"""Choices of a seed for each lake table of a stream."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from streaming_etl import DeliveryArgs, PartitionArgs, QueryArgs, TransformArgs
from streaming_etl.components.table.column_types import Column, parse_type
from streaming_etl.components.table.transform_module import TransformModule, read_transform_module
from tests.simulation.deploy import EXTRA
from tests.simulation.user_module import SECRET, STORES
from tests.simulation.world import START, STREAM_FAULTS, Spell
from tests.support.pipeline_settings import plan

if TYPE_CHECKING:
    from tests.simulation.scenario import Scenario

LABELS = Column("labels", parse_type("map<string,string>"))
USER_MODULE = str(Path(__file__).with_name("user_module.py"))

NAMES = ("orders", "customers", "events")

Where = Mapping[str, Any]

# Conditions on the key, which never changes.
KEY_CONDITIONS: tuple[Where, ...] = (
    {"line": [0, 1]},
    {"line": [1.0, 2]},
    {"id": {"prefix": f"{SECRET}-1"}},
    {"id": {"prefix": SECRET}, "line": [0, "1"]},
)
# Conditions that an item may begin or cease to match; most overlap.
CONDITIONS: tuple[Where, ...] = (
    {"kind": ["order", "customer"]},
    {"kind": {"prefix": "order"}},
    {"kind": {"prefix": ""}},
    {"kind": ["order", 1, True]},
    {"kind": ["1", "order", False], "rank": [1, 2.5]},
    {"kind": {"prefix": "c"}, "line": [0, 2]},
    {"rank": [1, "1"]},
)
# Values of the attributes in conditions; None for an item without the attribute.
KINDS = ("order", "order", "order line", "customer", "customer", "1", 1, True, False, ["order"])
RANKS = (1, 2, Decimal("2.50"), "1", True, None)


def with_lake_tables(scenario: "Scenario", chance: Random) -> "Scenario":
    """Add conditions, lake tables and a stream that fails, for some seeds."""
    if chance.random() > 0.4:
        return scenario
    is_dense = scenario.large or scenario.changes > 500
    count = chance.choice((1, 2)) if is_dense else chance.choice((1, 2, 2, 3, 3))
    has_old_images = chance.random() < 0.8
    # The settings reject other conditions for a stream without old images.
    pool = (*KEY_CONDITIONS, *CONDITIONS, *CONDITIONS) if has_old_images else KEY_CONDITIONS
    conditions = chance.sample(pool, count)
    names = NAMES[1:count]
    several = replace(
        scenario,
        where=conditions[0],
        has_old_images=has_old_images,
        unmatched=chance.choice(("count", "count", "fail")),
        failing_stream=chance.choice(NAMES[:count]) if chance.random() < 0.4 else None,
    )
    where: list[Where | None] = [*conditions[1:]]
    if where and chance.random() < 0.15:
        where[-1] = None
    others = [another(several, name, each, chance) for name, each in zip(names, where, strict=True)]
    if several.failing_stream is not None:
        # In some runs the stream's is the only fault.
        spells = several.spells if chance.random() < 0.7 else {}
        several = replace(several, spells={**spells, **stream_spells(several, chance)})
    return replace(several, others=tuple(others))


def another(scenario: "Scenario", name: str, where: Where | None, chance: Random) -> "Scenario":
    """Return the scenario as the lake table `name` has it."""
    args, has_columns = scenario.args, scenario.table.columns is not None
    is_dense = scenario.large or scenario.changes > 500
    file_format = chance.choice(("csv", "json", "parquet")) if has_columns else "json"
    partitions = partitions_of(chance)
    forwarder = args.forwarder
    if forwarder.max_changes_per_record > 1:
        forwarder = replace(forwarder, max_changes_per_record=chance.choice((3, 500)))
    args = replace(
        args,
        glue_table_name=name,
        format=file_format,
        partitions=partitions,
        forwarder=replace(
            forwarder, old_image=chance.choice((forwarder.old_image, "always", "never"))
        ),
        transform=transform_of(chance, dense=bool(is_dense)),
        delivery=delivery_of(chance, partitions, file_format),
        query=QueryArgs(current_state=args.query.current_state),
    )
    module = user_module(file_format, has_columns)
    table, deploy = plan(args, module), scenario.deploy
    if deploy is not None:
        deploy = replace(deploy, table=table)
        if module.columns is not None:
            module = replace(module, columns=(*module.columns, EXTRA))
            table = plan(args, module)
    return replace(
        scenario,
        name=name,
        where=where,
        args=args,
        table=table,
        deploy=deploy,
        deaggregates=partitions.dynamic and chance.random() < 0.6,
    )


def stream_spells(scenario: "Scenario", chance: Random) -> dict[str, Spell]:
    """Return a fault of one stream, perhaps until the replay."""
    fault = chance.choice(STREAM_FAULTS)
    start, calm_at = START + chance.random() * scenario.seconds, scenario.calm_at
    is_slow = fault == "one stream is slow"
    # The command of a backfill continues until it succeeds.
    for_good = scenario.backfill is None and not is_slow and chance.random() < 0.5
    end = float("inf") if for_good else min(calm_at, start + chance.choice((60, 600)))
    return {fault: Spell(chance.choice((0.5, 1.0)), start, end, 300 if is_slow else 10**6)}


@cache
def user_module(file_format: str, has_columns: bool) -> TransformModule:
    """Return the module with columns for the format."""
    module = read_transform_module(USER_MODULE)
    columns = module.columns if has_columns else None
    if columns is not None and file_format != "csv":
        columns = (*columns, LABELS)
    return replace(module, columns=columns)


def partitions_of(chance: Random) -> PartitionArgs:
    enumerated: dict[str, Sequence[str]] = {"store": STORES}
    dynamic_partition_keys = chance.choice(({}, {}, {}, enumerated, {"store": ()}))
    granularity = chance.choice(("year", "day", "hour"))
    return PartitionArgs(
        granularity=granularity,
        layout="year_month_day"
        if granularity == "year"
        else chance.choice(("year_month_day", "date")),
        time_zone=chance.choice(("UTC", "Asia/Tokyo", "America/New_York")),
        partition_time=chance.choice(("ingestion", "ingestion", "ingestion", "event")),
        dynamic_partition_keys=dynamic_partition_keys,
    )


def transform_of(chance: Random, *, dense: bool = False) -> TransformArgs:
    return TransformArgs(
        timeout_seconds=chance.choice((60, 120)),
        buffer_mib=chance.choice((0.2, 1.0, 3.0)),
        buffer_seconds=chance.choice((5, 60) if dense else (0, 5, 60)),
        maximum_retry_attempts=chance.choice((0, 1, 3, 3)),
    )


def delivery_of(chance: Random, partitions: PartitionArgs, file_format: str) -> DeliveryArgs:
    is_parquet = file_format == "parquet"
    return DeliveryArgs(
        buffer_mib=64 if partitions.dynamic or is_parquet else chance.choice((1, 64)),
        buffer_seconds=60 if partitions.dynamic else chance.choice((0, 10, 120)),
        compression=None if is_parquet else chance.choice((None, "UNCOMPRESSED")),
    )
