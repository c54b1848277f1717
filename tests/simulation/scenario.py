"""Choices of a seed: settings, table, faults, and unclear behaviour of AWS."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from streaming_etl import ForwarderArgs, QueryArgs, StreamingEtlPipelineArgs
from streaming_etl.components.settings.stages import MAX_BATCH_WITHOUT_WINDOW
from streaming_etl.components.table.lake_table import LakeTable
from streaming_etl.components.table.routing import forwarder_config, route
from tests.simulation.deploy import EXTRA, Deploy, deploy_of
from tests.simulation.filters import FILTERS
from tests.simulation.lake_tables import (
    NAMES,
    USER_MODULE,
    Where,
    delivery_of,
    partitions_of,
    transform_of,
    user_module,
    with_lake_tables,
)
from tests.simulation.merge_plan import HOUR, RETRY_SECONDS, MergePlan, merge_plan_of
from tests.simulation.outage import Outage, outage_of
from tests.simulation.recreation import Recreation, recreation_of
from tests.simulation.world import FAULTS, START, Spell
from tests.support.pipeline_settings import plan

DATABASE = "lake"
FIREHOSE_ARN = "arn:aws:firehose:ap-northeast-1:123456789012:deliverystream"
EVENT_NAMES = ("INSERT", "MODIFY", "REMOVE")

# Faults end this long after the last write, so that every run ends.
CALM_AFTER_SECONDS = 600


# Seconds to a replay: while the stream has the changes, and later.
SOON, LATE = 3600.0, 30 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Backfill:
    """Items from before the stream, and the command that scans them."""

    share: float
    """Share of the written items that existed before."""
    others: int
    """Number of items from before that are never written."""
    starts: float
    """Seconds after the run's start."""
    runs: int
    """Number of complete scans."""
    segments: int
    units_per_page: float
    pause: float
    """Seconds between two pages."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a seed fixes before a run.

    Each lake table of a stream has its own scenario, with its `name`, `where`, `args`, `table`,
    `merge`, `deploy` and `deaggregates`. The first lake table's has the others.
    """

    name: str = NAMES[0]
    """Name of the lake table and its delivery stream."""
    where: Where | None = None
    """Items of the lake table; None for all."""
    others: tuple["Scenario", ...] = ()
    unmatched: str = "count"
    """The setting for changes without a lake table."""
    has_old_images: bool = True
    """Whether the table's stream has old images."""
    failing_stream: str | None = None
    """Name of the lake table whose stream has the faults of STREAM_FAULTS."""
    args: StreamingEtlPipelineArgs
    table: LakeTable
    merge: MergePlan | None = None
    """Set if the lake table has a merged table."""
    spells: Mapping[str, Spell]
    changes: int
    keys: int
    seconds: int
    """Duration of the writes."""
    large: str
    """`changes` or `rows` if some reach or exceed a limit; such runs are slow."""
    poison: float
    """Share of changes whose script does not return a row."""
    deadly: bool
    """Whether some of them end the transform's process, and so fail their batches."""
    slow: bool
    """Whether the transform takes seconds for some changes."""
    shards: int
    split_at: float | None
    """Time at which the first shard splits in two."""
    float_times: bool
    """Whether the mapping writes the seconds of a change as 1795426200.0."""
    mapping_filters: bool
    """Whether the mapping filters event types itself; AWS's pages disagree."""
    filter_name: str
    """Patterns of the mapping: a key of FILTERS."""
    bisects_without_progress: bool
    """Whether a batch is bisected if its first change is reported; AWS does not document it.
    False: the entire batch is retried."""
    deaggregates: bool
    """Whether Firehose deaggregates records before the transform."""
    backfill: "Backfill | None"
    """Set if the table had items before its stream."""
    deploy: Deploy | None
    """Deployment during the run; `args` and `table` are those after it."""
    recreation: Recreation | None
    """New stream of the table, or a table that is restored from a backup."""
    outage: Outage
    """Hours in which the forwarder gets no changes."""
    replays_after: float | None
    """Seconds from the last fault to the replay by an operator, if any."""

    @property
    def calm_at(self) -> float:
        """Return the time after which there are no faults."""
        return START + self.seconds + CALM_AFTER_SECONDS

    @property
    def lake_tables(self) -> "tuple[Scenario, ...]":
        """Return the scenario of each lake table."""
        return (self, *self.others)

    @property
    def has_routes(self) -> bool:
        """Return whether the forwarder sends some changes to some lake tables only."""
        return bool(self.others) or self.where is not None

    @property
    def stream_name(self) -> str:
        return f"{self.name}-delivery"

    def forwarder_args(self, is_deployed: bool) -> ForwarderArgs:
        """Return the settings before or after a deployment."""
        is_first = self.deploy is not None and not is_deployed
        return self.deploy.forwarder if self.deploy and is_first else self.args.forwarder

    def forwarder_config(self, is_deployed: bool) -> dict[str, Any]:
        """Return forwarder.json before or after a deployment."""
        routes = [
            route(each.name, each.forwarder_args(is_deployed), each.where)
            for each in self.lake_tables
        ]
        args = replace(self.forwarder_args(is_deployed), unmatched=self.unmatched)
        return forwarder_config(args, routes)


def scenario_of(seed: int) -> Scenario:
    """Return the choices of a seed."""
    chance = Random(f"{seed} scenario")
    large = chance.choice(("changes", "rows")) if chance.random() < 0.04 else ""
    crowded = chance.random() < 0.01
    # Many changes at a time make a call, an event or a response reach its limit.
    dense = crowded or bool(large)
    seconds = 5 if dense else chance.choice((5, 20, 20, 120, 600))
    has_columns = chance.random() < 0.85
    file_format = chance.choice(("csv", "json", "parquet")) if has_columns else "json"
    partitions = partitions_of(chance)
    filter_name = filter_of(Random(f"{seed} filter"))
    patterns, keeps_state, _ = FILTERS[filter_name]
    forwarder = replace(forwarder_of(chance, crowded, dense), filter_patterns=patterns)
    args = StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=USER_MODULE,
        partitions=partitions,
        format=file_format,
        catalog="projection" if has_columns else "crawler",
        forwarder=forwarder,
        transform=transform_of(chance, dense=dense),
        delivery=delivery_of(chance, partitions, file_format),
        # The check compares the state after the changes that are forwarded.
        query=QueryArgs(
            current_state=keeps_state and {"MODIFY", "REMOVE"} <= set(forwarder.event_names)
        ),
    )
    module = user_module(args.format, has_columns)
    table = plan(args, module)
    deploy = deploy_of(Random(f"{seed} deploy"), START, seconds, forwarder, table)
    if deploy is not None and module.columns is not None:
        module = replace(module, columns=(*module.columns, EXTRA))
        table = plan(args, module)
    recreation = recreation_of(Random(f"{seed} recreation"), START, seconds)
    scenario = Scenario(
        args=args,
        table=table,
        deploy=deploy,
        spells=spells_of(Random(f"{seed} spells"), seconds, bool(large)),
        changes=changes_of(chance, large, crowded),
        keys=chance.choice((2, 30) if large == "changes" else (2, 5, 12)),
        seconds=seconds,
        large=large,
        poison=chance.choice((0.0, 0.1, 0.3)),
        deadly=chance.random() < 0.12,
        # Each of many slow changes would be requeued with all after it.
        slow=Random(f"{seed} slow").random() < 0.1 and not crowded,
        shards=chance.choice((1, 1, 1, 2, 3)),
        split_at=START + chance.random() * seconds if chance.random() < 0.2 else None,
        float_times=chance.random() < 0.2,
        mapping_filters=chance.random() < 0.3,
        filter_name=filter_name,
        bisects_without_progress=chance.random() < 0.5,
        deaggregates=partitions.dynamic and chance.random() < 0.6,
        recreation=recreation,
        backfill=backfill_of(Random(f"{seed} backfill"), seconds, bool(large), recreation),
        outage=outage_of(Random(f"{seed} outage"), START, seconds),
        replays_after=Random(f"{seed} replay").choice((None, SOON, LATE)),
    )
    scenario = with_lake_tables(scenario, Random(f"{seed} lake tables"))
    others = tuple(with_merge(each, seed) for each in scenario.others)
    return replace(with_merge(scenario, seed), others=others)


def with_merge(scenario: Scenario, seed: int) -> Scenario:
    """Return the lake table's scenario with a merge stage, for some seeds."""
    # The pauses of a backfill may exceed the time of the writes, and objects may be late.
    ends = max(scenario.calm_at, scenario.outage.end) + (scenario.replays_after or 0)
    ends += 6 * HOUR + RETRY_SECONDS
    has_event_time = scenario.args.partitions.partition_time == "event"
    age = scenario.args.forwarder.maximum_record_age_seconds if has_event_time else 0
    chance = Random(f"{seed} merge {scenario.name}")
    plan = merge_plan_of(
        chance,
        scenario.table,
        age,
        scenario.seconds,
        ends,
        has_marker=scenario.recreation is not None and scenario.backfill is not None,
    )
    return replace(scenario, merge=plan)


def filter_of(chance: Random) -> str:
    return chance.choice(list(FILTERS)[1:]) if chance.random() < 0.15 else "none"


def backfill_of(
    chance: Random, seconds: int, large: bool, recreation: Recreation | None
) -> Backfill | None:
    if chance.random() < (0.65 if recreation is None else 0.2):
        return None
    # The operator backfills the new stream, not the old one.
    first = 0.0 if recreation is None else recreation.starts_at - START
    return Backfill(
        share=chance.choice((0.0, 0.5, 1.0)),
        others=chance.randint(0, 3) if large else chance.choice((0, 3, 15)),
        starts=first + chance.choice((0.0, chance.random())) * seconds,
        runs=chance.choice((1, 1, 2)),
        segments=chance.choice((1, 2, 4)),
        units_per_page=chance.choice((0.5, 2.0, 128.0)),
        pause=chance.choice((0.0, 0.1, 0.5)) * seconds,
    )


def changes_of(chance: Random, large: str, crowded: bool) -> int:
    """Number of changes; a crowded run exceeds a Firehose call."""
    if large:
        return chance.randint(6, 24 if large == "changes" else 18)
    return 1100 if crowded else chance.choice((8, 30, 60, 100))


def forwarder_of(chance: Random, crowded: bool, dense: bool) -> ForwarderArgs:
    some = chance.sample(EVENT_NAMES, chance.choice((1, 2)))
    aggregated = chance.random() < (0.3 if crowded else 0.85)
    limits: dict[str, Any] = {
        "max_changes_per_record": chance.choice((3, 20, 500, 500)),
        "max_record_kib": chance.choice((1, 4, 150, 150)),
    }
    old_image = chance.choice(("always", "on_remove", "never"))
    batch_size = 10_000 if crowded else chance.choice((1, 3, 20, 100, 500, 500))
    window = 30 if dense else chance.choice((0, 5, 30, 59))
    return ForwarderArgs(
        **limits if aggregated else {"max_changes_per_record": 1},
        old_image=old_image,
        batch_size=batch_size,
        # Lambda rejects larger batches without a window.
        batching_window_seconds=max(window, int(batch_size > MAX_BATCH_WITHOUT_WINDOW)),
        parallelization_factor=1 if dense else chance.choice((1, 1, 2, 10)),
        maximum_retry_attempts=chance.choice((0, 1, 3, 3, 10)),
        maximum_record_age_seconds=chance.choice((60, 300, 43_200, 86_400)),
        event_names=EVENT_NAMES if chance.random() < 0.8 else some,
        timeout_seconds=chance.choice((30, 60)),
    )


def spells_of(chance: Random, seconds: int, large: bool) -> dict[str, Spell]:
    """Faults, how often and when; one run of eight has no faults."""
    if chance.random() < 0.125:
        return {}
    calm_at = START + seconds + CALM_AFTER_SECONDS
    spells = {}
    for fault in FAULTS:
        # The transform rarely puts, and retries are rarely exhausted in part.
        rare = fault.startswith("transform put") or fault.endswith(("after a put", "in part"))
        converts = fault == "firehose cannot convert a record"
        if chance.random() < (0.5 if rare or converts else 0.2):
            start = START + chance.choice((0, chance.random())) * seconds
            # Objects are converted after their buffer's time.
            shortest = CALM_AFTER_SECONDS if converts else seconds if rare else seconds / 4
            length = chance.choice((shortest, seconds, 10 * seconds + CALM_AFTER_SECONDS))
            often = chance.choice((0.05, 0.2, 0.5, 0.95))
            if fault.startswith("replay"):
                # The replay comes after the other faults.
                spells[fault] = Spell(often, calm_at, float("inf"), 5)
                continue
            # After the forwarder, a repeated change may be requeued and repeated again.
            most = 300 if fault.startswith(("forwarder", "mapping")) else 4 if large else 40
            spells[fault] = Spell(often, start, min(start + length, calm_at), most)
    return spells
