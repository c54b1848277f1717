"""Mutations of the routes to several lake tables."""

from unittest.mock import patch

from streaming_etl.handlers import forwarder
from streaming_etl.ops.backfill import scan
from streaming_etl.ops.replay import entries as replay_entries
from streaming_etl.ops.replay import lost_changes
from tests.simulation import conditions as when
from tests.simulation import routing_breaking as breaking
from tests.simulation.breaking import around, forwarder_config
from tests.simulation.mutation import detected_by
from tests.simulation.scenario import SOON


def add_routing_mutations() -> None:
    """Add them to MUTATIONS."""
    missing = detected_by("nothing_is_missing")
    different = detected_by("nothing_else_is_there")
    replay = detected_by("the_replay_is_complete")
    missing(
        "a change goes to the first matching lake table only",
        around(forwarder, "_lines_by_route", lambda lines, *a: lines(*a)[:1]),
        when.has_several,
    )
    missing(
        "a change goes to the last matching lake table only",
        around(forwarder, "_lines_by_route", lambda lines, *a: lines(*a)[-1:]),
        when.has_several,
    )
    items = detected_by("the_lake_has_the_items")
    items(
        "the old image is ignored",
        breaking.routed_as(breaking.by_new_image),
        when.moves_items,
    )
    items(
        "an item that leaves a lake table is not removed from it",
        breaking.routed_as(breaking.never_leaving),
        when.moves_items,
    )
    missing(
        "a lake table has only the changes of items that stay in it",
        breaking.routed_as(breaking.only_unchanged),
        when.moves_items,
    )
    different(
        "an item that enters a lake table has an old image",
        breaking.routed_as(breaking.entering_as_is),
        when.moves_items,
    )
    different(
        "an item that leaves a lake table has a new image",
        breaking.routed_as(breaking.leaving_as_is),
        when.moves_items,
    )
    missing(
        "a failure of the second stream is reported as success",
        breaking.failures_of_the_first_stream(),
        when.has_several,
    )
    stream = detected_by("a_failing_stream_stops_no_other")
    stream(
        "the forwarder stops after the first stream that fails",
        breaking.stop_after_failure(),
        when.only_a_stream_fails,
    )
    unmatched = detected_by("unmatched_changes_are_reported")
    unmatched(
        "changes without a lake table are dropped instead of failing",
        forwarder_config(lambda config: config.update(unmatched="count")),
        when.rejects_unmatched,
    )
    unmatched(
        "changes without a lake table are not counted",
        patch.object(forwarder, "count", lambda *_, **__: None),
        lambda scenario: scenario.has_routes and not when.rejects_unmatched(scenario),
    )
    unmatched(
        "changes that Lambda sends again are counted",
        breaking.count_all_unmatched(),
        lambda scenario: scenario.has_routes and not when.rejects_unmatched(scenario),
    )
    unmatched(
        "a replay drops changes without a lake table",
        around(replay_entries, "_record_entry", breaking.unmatched_as_filtered),
        lambda scenario: when.rejects_unmatched(scenario) and when.has_replay(scenario),
    )
    different(
        "snapshots go to every lake table",
        around(scan, "snapshot_routes", lambda _, __, routes: range(len(routes))),
        when.routes_snapshots,
    )
    missing(
        "a snapshot goes to the first matching lake table only",
        around(scan, "snapshot_routes", lambda routes_of, *a: routes_of(*a)[:1]),
        lambda scenario: when.routes_snapshots(scenario) and when.has_several(scenario),
    )
    missing(
        "a page is complete when the first stream accepts it",
        breaking.pages_of_the_first_stream(),
        lambda scenario: when.routes_snapshots(scenario) and when.has_several(scenario),
    )
    missing(
        "a marker goes to the first lake table only",
        breaking.marker_of_the_first(),
        lambda scenario: when.routes_snapshots(scenario) and when.has_several(scenario),
    )
    replay(
        "failed batches are replayed to the first lake table only",
        breaking.replay_to_the_first(),
        when.replays_routes,
    )
    different(
        "failed batches are replayed to every lake table",
        around(replay_entries, "routed", lambda _, record, __: record),
        when.replays_routes,
    )
    different(
        "recovered changes are not routed",
        around(lost_changes, "routed", lambda _, record, __: record),
        lambda scenario: (
            when.moves_items(scenario)
            and "firehose cannot convert a record" in scenario.spells
            and scenario.replays_after == SOON
        ),
    )
