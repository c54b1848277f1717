"""Scenarios that can detect a mutation."""

from tests.simulation.outage import RETENTION_SECONDS
from tests.simulation.scenario import Scenario


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


def has_backfill(scenario: Scenario) -> bool:
    return scenario.backfill is not None
