"""Essential alarms fire for every failure mode, and not on healthy data.

The metrics are those of simulated services that call the real handlers. What the simulation does
not have, such as a crawler, is data as AWS documents it; no test observes AWS itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    MergeArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipelineArgs,
    TransformArgs,
)
from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.components.monitoring.failure_modes import FAILURE_MODES
from tests.simulation.functions import handlers_in
from tests.simulation.lake_tables import USER_MODULE, user_module
from tests.simulation.outage import NO_OUTAGE, Outage
from tests.simulation.run import Parts
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.user_module import STORES
from tests.simulation.world import START, Spell, World
from tests.support.cloudwatch import Metrics
from tests.support.pipeline_settings import plan

MINUTE, HOUR = 60.0, 3600.0
MERGE = {"merge": MergeArgs(enabled=True)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A failure mode with some settings, and the essential alarms that fire."""

    name: str
    fires: set[str]
    settings: dict[str, Any] = field(default_factory=dict)
    scenario: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, Spell] = field(default_factory=dict)
    documented: Callable[[Metrics], None] | None = None
    """Adds data that the simulation does not have."""
    until: float | None = None
    """Seconds until the alarms are evaluated; by default until everything has ended."""

    @property
    def mode(self) -> str:
        return self.name.partition(",")[0]


def settings_of(case: Case, level: str) -> StreamingEtlPipelineArgs:
    settings = dict(case.settings)
    monitoring = MonitoringArgs(alarms=level, **settings.pop("monitoring", {}))
    return StreamingEtlPipelineArgs(
        table_name="orders",
        transform_module=USER_MODULE,
        monitoring=monitoring,
        **{"partitions": PartitionArgs(), **settings},
    )


def scenario_without_faults(case: Case) -> Scenario:
    """Two hundred changes in ten minutes."""
    args = settings_of(case, "essential")
    scenario = replace(
        scenario_of(0),
        args=args,
        where=None,
        others=(),
        has_old_images=True,
        failing_stream=None,
        table=plan(args, user_module(args.format, has_columns=True)),
        spells=case.faults,
        changes=200,
        keys=12,
        seconds=600,
        large="",
        poison=0.0,
        deadly=False,
        slow=False,
        shards=1,
        split_at=None,
        mapping_filters=False,
        filter_name="none",
        bisects_without_progress=True,
        deaggregates=args.partitions.dynamic,
        backfill=None,
        deploy=None,
        recreation=None,
        outage=NO_OUTAGE,
        replays_after=None,
    )
    return replace(scenario, **case.scenario)


@cache
def fired(name: str, level: str = "essential") -> set[str]:
    """Return the alarms of a level that fire in a named case."""
    return alarms_of_run(CASES[name], level)


def alarms_of_run(case: Case, level: str = "essential") -> set[str]:
    """Run the simulation, and return the alarms that fire."""
    scenario = scenario_without_faults(case)
    world = World(1, scenario.spells)
    parts = Parts(world, scenario)
    with handlers_in(world, scenario, parts.client):
        parts.finish()
    assert world.violations == []
    until = START + case.until if case.until else world.now + HOUR
    parts.mapping.count_polls(until)
    if case.documented is not None:
        case.documented(world.metrics)
    return set(world.metrics.firing(alarms(settings_of(case, level)), until))


def always(chance: float = 1.0, hours: float = 1.0) -> Spell:
    return Spell(chance, START, START + hours * HOUR, 10**9)


def lose_changes(metrics: Metrics) -> None:
    """Lambda's metrics of a failure destination that it cannot write to.

    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    """
    metrics.put("mapping", "DroppedEventCount", START + 10 * MINUTE, 3)


def fail_deliveries(metrics: Metrics) -> None:
    """Firehose's metrics of a bucket that it cannot write to.

    https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
    """
    for minute in range(60):
        time = START + minute * MINUTE
        metrics.put("delivery_stream", "DeliveryToS3.Success", time, 0)
        metrics.put("delivery_stream", "DeliveryToS3.DataFreshness", time, minute * MINUTE)


def deliver_late(metrics: Metrics) -> None:
    """As in `fail_deliveries`, without a failed write."""
    for minute in range(60):
        time = START + minute * MINUTE
        metrics.put("delivery_stream", "DeliveryToS3.DataFreshness", time, minute * MINUTE)


def exceed_partitions(metrics: Metrics) -> None:
    """Firehose's metric, and an object in the error prefix.

    https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html
    """
    metrics.put("delivery_stream", "PartitionCountExceeded", START + 10 * MINUTE, 1)
    metrics.put("event_rule", "dead-lettered", START + 12 * MINUTE)


def fail_crawler(metrics: Metrics) -> None:
    """EventBridge's metric of the rule on the crawler's state.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html
    """
    metrics.put("event_rule", "crawler-failed", START + 10 * MINUTE)


def fail_backfill(metrics: Metrics) -> None:
    """Metric of Step Functions.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """
    metrics.put("state_machine", "ExecutionsFailed", START + 10 * MINUTE)


def fail_merge(metrics: Metrics) -> None:
    """Metrics of Step Functions: a failed run between successful ones.

    https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
    """
    merge_every_hour(metrics, hours=2)
    metrics.put("merge_state_machine", "ExecutionsFailed", START + 2.5 * HOUR)
    merge_every_hour(metrics, first=3, hours=60)


def merge_every_hour(metrics: Metrics, hours: int, first: int = 0) -> None:
    for hour in range(first, hours):
        metrics.put("merge_state_machine", "ExecutionsSucceeded", START + (hour + 0.5) * HOUR)


def _cases() -> Iterator[Case]:
    yield Case(
        name="not-polling",
        fires={"not-polling"},
        scenario={"outage": Outage(True, START + 5 * MINUTE, START + 3 * HOUR)},
        until=3 * HOUR,
    )
    yield Case(
        name="iterator-age",
        fires={"iterator-age"},
        settings={"forwarder": ForwarderArgs(batch_size=1, parallelization_factor=1)},
        # Four seconds for each change.
        faults={"forwarder put is slow": always()},
        scenario={"changes": 600},
    )
    yield Case(
        name="forwarder-errors",
        fires={"dead-lettered", "iterator-age"},
        faults={"forwarder crashes at its start": always()},
    )
    yield Case(
        name="forwarder-errors, with many retries",
        fires={"iterator-age"},
        settings={"forwarder": ForwarderArgs(maximum_retry_attempts=100)},
        faults={"forwarder crashes at its start": always(hours=0.5)},
    )
    yield Case(
        name="forwarder-throttles",
        fires={"iterator-age"},
        faults={"forwarder is throttled": always(0.9, hours=2)},
    )
    yield Case(
        name="forwarder-throttles, always",
        fires={"dead-lettered"},
        scenario={"outage": Outage(False, START, START + 13 * HOUR)},
    )
    yield Case(
        name="retries-exhausted",
        fires={"dead-lettered"},
        faults={"forwarder put is rejected": always(hours=0.1)},
    )
    yield Case(name="changes-lost", fires={"changes-lost"}, documented=lose_changes)
    yield Case(
        name="transform-errors",
        fires={"dead-lettered"},
        faults={"transform crashes at its start": always()},
    )
    yield Case(
        name="transform-throttles",
        fires={"dead-lettered"},
        faults={"transform is throttled": always()},
    )
    yield Case(
        name="transform-duration",
        fires={"requeued"},
        settings={
            "monitoring": {"max_requeued_changes": 20},
            "transform": TransformArgs(timeout_seconds=60),
        },
        scenario={"slow": True, "changes": 500},
    )
    yield Case(
        name="transform-duration, beyond the timeout",
        fires={"dead-lettered"},
        settings={"transform": TransformArgs(maximum_retry_attempts=0)},
        # A killed invocation is what a timeout is for Firehose.
        scenario={"slow": True, "deadly": True, "poison": 0.3},
    )
    yield Case(name="transform-failed", fires={"dead-lettered"}, scenario={"poison": 0.1})
    yield Case(
        name="requeued",
        fires={"requeued"},
        settings={
            "monitoring": {"max_requeued_changes": 20},
            "partitions": PartitionArgs(dynamic_partition_keys={"store": STORES}),
        },
        # Records of several partitions, which Firehose does not deaggregate.
        scenario={"deaggregates": False},
    )
    yield Case(
        name="throttled-records",
        fires={"dead-lettered", "iterator-age"},
        faults={"forwarder put is throttled": always()},
    )
    yield Case(
        name="throttled-records, with many retries",
        fires={"iterator-age"},
        settings={"forwarder": ForwarderArgs(maximum_retry_attempts=100)},
        faults={"forwarder put is throttled": always(hours=0.5)},
    )
    yield Case(name="data-freshness", fires={"data-freshness"}, documented=deliver_late)
    yield Case(name="delivery-failed", fires={"data-freshness"}, documented=fail_deliveries)
    yield Case(
        name="failed-conversions",
        fires={"dead-lettered"},
        settings={"format": "parquet"},
        faults={"firehose cannot convert a record": always(0.1)},
    )
    yield Case(
        name="partition-limit",
        fires={"dead-lettered"},
        settings={"partitions": PartitionArgs(partition_time="event")},
        documented=exceed_partitions,
    )
    yield Case(
        name="merge-failed",
        fires={"merge-failed"},
        settings=MERGE,
        documented=fail_merge,
        until=60 * HOUR,
    )
    yield Case(
        name="merge-late",
        fires={"merge-late"},
        settings=MERGE,
        documented=lambda metrics: merge_every_hour(metrics, hours=10),
        until=30 * HOUR,
    )
    yield Case(
        name="merge-rows-at-risk",
        fires={"merge-late"},
        settings=MERGE,
        documented=lambda metrics: merge_every_hour(metrics, hours=10),
        until=60 * HOUR,
    )
    yield Case(
        name="crawler-failed",
        fires={"crawler-failed"},
        settings={"catalog": "crawler"},
        documented=fail_crawler,
    )
    yield Case(
        name="backfill-failed",
        fires={"backfill-failed"},
        settings={"backfill": BackfillArgs(enabled=True)},
        documented=fail_backfill,
    )


FAILURES = {case.name: case for case in _cases()}
HEALTHY = {
    case.name: case
    for case in (
        Case(name="default settings", fires=set()),
        Case(name="no writes", fires=set(), scenario={"changes": 0}),
        Case(name="a day", fires=set(), scenario={"seconds": int(24 * HOUR)}),
        Case(
            name="filtered changes and many rows",
            fires=set(),
            settings={
                "format": "parquet",
                "partitions": PartitionArgs(
                    granularity="hour", dynamic_partition_keys={"store": ()}
                ),
            },
        ),
        Case(
            name="merges of two days",
            fires=set(),
            settings=MERGE,
            documented=lambda metrics: merge_every_hour(metrics, hours=48),
            until=48 * HOUR,
        ),
        Case(
            name="no merge before the first one is due",
            fires=set(),
            settings={"merge": MergeArgs(enabled=True, interval_minutes=180)},
            documented=lambda metrics: merge_every_hour(metrics, first=3, hours=7),
            until=7 * HOUR,
        ),
        Case(
            name="single failures that AWS retries",
            fires=set(),
            faults={
                name: Spell(1.0, START, START + HOUR, 1)
                for name in (
                    "forwarder is throttled",
                    "forwarder crashes at its start",
                    "forwarder put is throttled",
                    "transform is throttled",
                    "transform crashes at its start",
                    "mapping repeats a batch",
                    "firehose repeats a record",
                )
            },
        ),
    )
}
CASES = FAILURES | HEALTHY


@pytest.mark.parametrize("name", FAILURES)
def test_an_essential_alarm_fires_for_the_failure_mode(name: str) -> None:
    assert fired(name) == CASES[name].fires
    assert CASES[name].fires


def test_every_failure_mode_has_cases_with_all_of_its_alarms() -> None:
    shown: dict[str, set[str]] = {mode: set() for mode in FAILURE_MODES}
    for case in FAILURES.values():
        shown[case.mode] |= case.fires
    assert shown == {mode: set(names) for mode, names in FAILURE_MODES.items()}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_alarm_of_any_level_fires_on_healthy_data(name: str) -> None:
    assert fired(name) == set()
    assert fired(name, "all") == set()


@pytest.mark.parametrize("name", [name for name, case in FAILURES.items() if "," not in name])
def test_the_alarm_that_names_the_cause_fires_with_all(name: str) -> None:
    assert name in fired(name, "all")


def test_every_essential_alarm_is_the_only_one_for_a_failure_mode() -> None:
    needed = {names[0] for names in FAILURE_MODES.values() if len(names) == 1}
    args = settings_of(Case(name="x", fires=set()), "essential")
    crawled = replace(args, catalog="crawler", backfill=BackfillArgs(enabled=True))
    merged = replace(args, merge=MergeArgs(enabled=True))
    assert {it.name for each in (crawled, merged) for it in alarms(each)} == needed


def test_a_forwarder_that_is_always_throttled_raises_an_alarm_before_changes_expire() -> None:
    case = Case(
        name="x",
        fires=set(),
        settings={"forwarder": ForwarderArgs(maximum_record_age_seconds=86_400)},
        scenario={"outage": Outage(False, START, START + 20 * HOUR)},
        until=20 * HOUR,
    )
    assert alarms_of_run(case) == {"forwarder-throttles"}
