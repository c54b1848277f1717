"""Scenarios that can detect a mutation."""

from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.scenario import Scenario
from tests.simulation.world import STREAM_FAULTS


def has_large_changes(scenario: Scenario) -> bool:
    return scenario.large == "changes"


def has_large_rows(scenario: Scenario) -> bool:
    # A transform that is killed after its puts repeats the same large rows.
    return scenario.large == "rows" and "transform is killed after a put" not in scenario.spells


def has_columns(scenario: Scenario) -> bool:
    return scenario.table.columns is not None


def lacks_columns(scenario: Scenario) -> bool:
    return scenario.table.columns is None


def is_parquet(scenario: Scenario) -> bool:
    return scenario.table.format == "parquet"


def loses_rows(scenario: Scenario) -> bool:
    may_fail = "firehose cannot convert a record" in scenario.spells
    return is_parquet(scenario) and may_fail and has_replay(scenario)


def has_replay(scenario: Scenario) -> bool:
    return scenario.replays_after is not None


def loses_changes(scenario: Scenario) -> bool:
    return scenario.outage.end - scenario.outage.start > RETENTION_SECONDS


def has_new_stream(scenario: Scenario) -> bool:
    return scenario.recreation is not None


def has_restored_state(scenario: Scenario) -> bool:
    return has_new_stream(scenario) and has_backfill(scenario)


def sends_lines_without_label(scenario: Scenario) -> bool:
    return (
        has_columns(scenario)
        and has_replay(scenario)
        and scenario.deploy is not None
        and not scenario.deploy.has_label
    )


def has_routes(scenario: Scenario) -> bool:
    return scenario.has_routes


def has_several(scenario: Scenario) -> bool:
    return bool(scenario.others)


def moves_items(scenario: Scenario) -> bool:
    """Return whether an item can begin or cease to match a condition."""
    conditions = [each.where or {} for each in scenario.lake_tables]
    return any(where.keys() & {"kind", "rank"} for where in conditions)


def only_a_stream_fails(scenario: Scenario) -> bool:
    """Return whether a stream's failure is the only fault."""
    is_last = scenario.lake_tables[-1].name == scenario.failing_stream
    can_fail = has_several(scenario) and scenario.failing_stream is not None and not is_last
    is_only_fault = scenario.spells.keys() <= {*STREAM_FAULTS}
    return can_fail and is_only_fault and not rejects_unmatched(scenario)


def rejects_unmatched(scenario: Scenario) -> bool:
    return scenario.has_routes and scenario.unmatched == "fail"


def routes_snapshots(scenario: Scenario) -> bool:
    return scenario.has_routes and has_backfill(scenario)


def replays_routes(scenario: Scenario) -> bool:
    return has_several(scenario) and has_replay(scenario)


def has_backfill(scenario: Scenario) -> bool:
    return scenario.backfill is not None
