"""Places of dead-lettered changes, and the lake tables that get them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.table.layout import FAILED_BATCHES_PREFIX, resource_prefix
from streaming_etl.handlers.wire.routing import Route, Where
from streaming_etl.ops.firehose_writer import routes_to
from streaming_etl.ops.replay.ownership import PipelineIdentity, own_name
from streaming_etl.stack.outputs import DeployedLakeTable, DeployedPipeline


@dataclass(frozen=True)
class Place:
    """A location of failure objects."""

    location: str
    identity: PipelineIdentity
    lake_table: str = ""
    """The lake table of its changes; "" where changes are routed."""
    routes: Sequence[Route] = ()
    """Routes of its changes; empty where all are of one lake table."""
    where: Where | None = None
    """The items of the lake table; None for all, or where changes are routed."""


def places_of(pipeline: DeployedPipeline, source: str, lake_tables: Sequence[str]) -> list[Place]:
    """Return the places of a source: `failed-batches`, `errors` or `all`.

    lake_tables: those whose error records are read; empty for all, and for the errors of
    a backfill. Raises CommandError for an unknown one.
    """
    places: list[Place] = []
    selected = pipeline.select(lake_tables)
    if source in ("failed-batches", "all"):
        places.append(_routed(pipeline, _failed_batches(pipeline)))
    if source in ("errors", "all"):
        places += [_of_lake_table(pipeline, table) for table in selected.values()]
        # With one lake table they are below its location.
        if pipeline.lake_tables and pipeline.backfill_errors_location and not lake_tables:
            places.append(_routed(pipeline, pipeline.backfill_errors_location))
    return places


def _failed_batches(pipeline: DeployedPipeline) -> str:
    if pipeline.args.lake.bucket_name is not None:
        return pipeline.failed_batches_location
    # The pipeline's own bucket: include failed batches of event source mappings that an update
    # replaced.
    return f"s3://{pipeline.bucket}/{FAILED_BATCHES_PREFIX}"


def _routed(pipeline: DeployedPipeline, location: str) -> Place:
    args, tables = pipeline.args, pipeline.tables
    if not args.lake_tables and not args.where:
        return _of_lake_table(pipeline, tables[ONLY_LAKE_TABLE], location)
    table = next(iter(tables.values()))
    several = bool(args.lake_tables)
    names = {*(_pipeline_names(pipeline) if several else _own_names(pipeline, table))}
    identity = PipelineIdentity(pipeline.source_table_arn, table.delivery_stream, names)
    return Place(location, identity, routes=routes_to(pipeline))


def _of_lake_table(
    pipeline: DeployedPipeline, table: DeployedLakeTable, location: str | None = None
) -> Place:
    args = pipeline.args.tables[table.key]
    names = {*_own_names(pipeline, table)}
    identity = PipelineIdentity(pipeline.source_table_arn, table.delivery_stream, names)
    where = Where(args.where) if args.where else None
    return Place(location or table.errors_location, identity, table.key, where=where)


def _pipeline_names(pipeline: DeployedPipeline) -> Iterator[str]:
    """Yield the names from which a forwarder derives its name.

    An update keeps the names of a renamed pipeline's resources until it replaces them.
    """
    yield pipeline.name
    yield from pipeline.args.former_names


def _own_names(pipeline: DeployedPipeline, table: DeployedLakeTable) -> Iterator[str]:
    """Yield the names from which a lake table's resources derive theirs."""
    if present := own_name(table.delivery_stream):
        yield present
    for name in _pipeline_names(pipeline):
        for each in (table.key, *pipeline.args.tables[table.key].former_names):
            yield resource_prefix(name, each)
