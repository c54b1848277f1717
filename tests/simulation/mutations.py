"""Mutations of handlers and queries, all of which the simulation must detect."""

import re
from typing import Any
from unittest.mock import patch

from streaming_etl.components.monitoring import failure_events
from streaming_etl.components.stages import delivery
from streaming_etl.components.stages import forwarder as forwarder_stage
from streaming_etl.components.table import serdes
from streaming_etl.components.table.queries import POSITION
from streaming_etl.handlers import forwarder, transform
from streaming_etl.handlers.change import decode, lazy_item
from streaming_etl.handlers.firehose import put_records
from streaming_etl.handlers.rows import schemaless_json
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.wire import change_line
from streaming_etl.ops import firehose_writer
from streaming_etl.ops.replay import entries as replay_entries
from streaming_etl.ops.replay import run as replay_run
from streaming_etl.ops.replay.lost_changes import ChangeRecovery
from tests.simulation import breaking
from tests.simulation import conditions as when
from tests.simulation.breaking import (
    around,
    each_result,
    forwarder_config,
    old_image,
    query,
    results,
    rows,
    without_failures,
)
from tests.simulation.merge_mutations import add_merge_mutations
from tests.simulation.mutation import MUTATIONS, detect, detected_by
from tests.simulation.routing_mutations import add_routing_mutations
from tests.simulation.scenario import EVENT_NAMES, LATE, SOON
from tests.simulation.user_module import STORES

__all__ = ["MUTATIONS", "detect"]

NO_NAME_CHECK = (lambda _: None, set[Any]())

_missing = detected_by("nothing_is_missing")
_missing("FailedPutCount is ignored", breaking.failed_put_count_ignored())
_missing(
    "the last failure is reported instead of the first",
    around(forwarder, "put_records", lambda put, *a, **k: put(*a, **k)[-1:]),
)
_missing(
    "the forwarder reports records not accepted as success",
    without_failures(forwarder),
)
_missing(
    "the forwarder skips an oversized change",
    breaking.forwarder_as(breaking.skip_large),
    when.has_large_changes,
)
_missing(
    "the transform ignores requeued records that are not accepted",
    without_failures(put_records),
)
_missing("the last record is not requeued", breaking.transform_as(breaking.skip_last_requeued))
_missing(
    "a filtered change drops its aggregated record",
    each_result(lambda result, data: b'"filter"' in data and result.update(result="Dropped")),
)
_missing(
    "every row has number 0",
    rows(lambda data: re.sub(rb'"_row":\d', b'"_row":0', data)),
)
_missing(
    "a result has only the first row of its record", rows(lambda data: data[: data.find(b"\n") + 1])
)
_missing(
    "the backfill ignores records that are not accepted",
    without_failures(firehose_writer),
    when.has_backfill,
)

_missing(
    "the mapping has only the first filter pattern",
    around(forwarder_stage, "filter_patterns", lambda patterns, args: patterns(args)[:1]),
    lambda scenario: len(scenario.args.forwarder.filter_patterns) > 1,
)

_else = detected_by("nothing_else_is_there")
_else(
    "the mapping has no filter patterns",
    patch.object(forwarder_stage, "filter_patterns", lambda _: []),
    lambda scenario: scenario.args.forwarder.filter_patterns,
)
_else(
    "event types are not filtered",
    forwarder_config(lambda config: config.update(event_names=EVENT_NAMES)),
)
_else("a REMOVE has no old image", old_image("never"))
_else("every change has its old image", old_image("always"))
_else("a TTL delete has no user identity", breaking.forwarder_as(breaking.remove_identity))
_else(
    "compressed changes are not read",
    patch.object(decode, "decompress", lambda _: b"{}"),
    when.has_large_changes,
)
_else(
    "an item lacks the attributes that are not decoded",
    patch.object(lazy_item.LazyItem, "get", dict.get),
    lambda scenario: scenario.poison == 0,
)
_else(
    "a failed change dead-letters its aggregated record",
    breaking.transform_as(breaking.dead_letter_aggregated),
)
_else("a result is Ok without data", results(lambda some, _: some[0].pop("data", None)))
_else("a record has two results", results(lambda some, _: some.append(some[0])))
_else("a record has no result", results(lambda some, _: some.pop()))
_else(
    "results have no partition keys",
    each_result(lambda result, _: result.pop("metadata", None)),
    lambda scenario: scenario.args.partitions.dynamic,
)
_else(
    "results have another partition",
    each_result(
        lambda result, _: result.get("metadata", {"partitionKeys": {}})["partitionKeys"].update(
            store=STORES[2]
        )
    ),
    lambda scenario: scenario.args.partitions.dynamic_partition_keys,
)
_else("rows have no line break", rows(bytes.rstrip))
_else(
    "names of maps are not checked",
    breaking.name_checks(lambda check, reserved: check(reserved) if reserved else NO_NAME_CHECK),
    when.lacks_columns,
)
_else(
    "a column may have the name of a partition key",
    breaking.name_checks(lambda check, reserved: check(reserved and METADATA_COLUMNS)),
    when.lacks_columns,
)
_else(
    "empty maps are written",
    patch.object(schemaless_json, "_LEAVES", schemaless_json._LEAVES | {dict, list}),
    when.lacks_columns,
)
_else(
    "the JSON SerDe lower-cases the keys of maps",
    patch.dict(serdes.SERDES["json"].parameters, {"case.insensitive": "true"}),
    lambda scenario: scenario.table.format == "json" and scenario.table.columns,
)
_else(
    "Firehose lower-cases the keys of maps",
    around(
        delivery, "parquet_conversion", lambda *_: breaking.deserializer({"case_insensitive": True})
    ),
    when.is_parquet,
)
_else(
    "times are not in the form of the columns",
    rows(lambda data: re.sub(rb'("seen":"[^ "]*) ', rb"\1T", data)),
    when.is_parquet,
)

_replay = detected_by("the_replay_is_complete")

_state = detected_by("the_current_state_is_the_table")
_number = "lpad(\"_sequence_number\", 40, '0')"
_state("sequence numbers are compared as text", query(_number, '"_sequence_number"'))
_state("changes are ordered by their time", query(_number, '"_changed_at"'))
_state("repeated rows are not removed", query(' AND "_copy" = 1', ""), when.has_columns)
_state("repeated crawled rows are not removed", query("DISTINCT ", ""), when.lacks_columns)
_state("removed items stay", query("('REMOVE', 'BACKFILL')", "('BACKFILL')"))
_state(
    "a snapshot's sequence number is as long as a change's",
    breaking.snapshots(lambda stream: stream.update(SequenceNumber=stream["SequenceNumber"] * 2)),
    when.has_backfill,
)
_state(
    "a snapshot comes after every change",
    query(f"{POSITION} DESC", f"\"_op\" = 'SNAPSHOT' DESC, {POSITION} DESC"),
    lambda scenario: when.has_backfill(scenario) and when.has_columns(scenario),
)

_state("streams are not ordered", query(POSITION, _number), when.has_new_stream)
_state(
    "a completed backfill hides nothing",
    query("coalesce(max(\"_stream_epoch\"), '')", "coalesce(min(''), '')"),
    when.has_restored_state,
)
_state(
    "earlier streams are hidden without a completed backfill",
    query("\"_op\" = 'BACKFILL'", "\"_op\" <> ''"),
    lambda scenario: when.has_new_stream(scenario) and not when.has_backfill(scenario),
)
_state("a marker is current", query("('REMOVE', 'BACKFILL')", "('REMOVE')"), when.has_backfill)
_state(
    "a copy without an epoch hides the row",
    query('"_event_id", coalesce("_stream_epoch", \'\')', '"_event_id"'),
    when.sends_lines_without_label,
)
_else(
    "rows have no stream epoch",
    patch.object(change_line, "stream_label", lambda _: ""),
)
_replay(
    "a dead-lettered marker is not replayed",
    patch.object(replay_entries, "MARKER", ""),
    lambda scenario: when.has_backfill(scenario) and when.has_replay(scenario),
)

_backfill = detected_by("the_backfill_is_complete")
_backfill(
    "the checkpoint is written before the put", breaking.checkpoint_before_put(), when.has_backfill
)
_backfill("a segment ends after its first page", breaking.one_page_per_segment(), when.has_backfill)
_backfill("every other page is skipped", breaking.skipped_pages(), when.has_backfill)

_replay(
    "the replay moves an object before its changes are sent",
    breaking.settled_early(),
    when.has_replay,
)
_replay(
    "the replay sends the first change of each record",
    around(replay_run, "entries_of", breaking.first_lines_of),
    when.has_replay,
)
_replay(
    "the replay does not recover rows",
    patch.multiple(ChangeRecovery, from_stream=lambda *_: {}, from_table=lambda *_: {}),
    when.loses_rows,
)
_replay(
    "the replay reads only the first shard",
    breaking.first_shard(),
    lambda scenario: (
        when.loses_rows(scenario) and scenario.shards > 1 and scenario.replays_after == SOON
    ),
)
_missing(
    "the replay ignores records that are not accepted",
    without_failures(firehose_writer),
    lambda scenario: scenario.backfill is None and when.has_replay(scenario),
)
_else(
    "the metadata of CSV rows comes after the columns",
    breaking.metadata_last(),
    lambda scenario: scenario.deploy is not None and scenario.table.format == "csv",
)
_else(
    "the forwarder keeps the settings of its first call",
    forwarder_config(breaking.keep_first_config),
    lambda scenario: scenario.deploy is not None,
)
_state(
    "a recovered item comes after every change",
    breaking.recovered(lambda stream: stream.update(SequenceNumber="9" * 30)),
    lambda scenario: when.loses_rows(scenario) and scenario.replays_after == LATE,
)

_ended = detected_by("everything_ended")
_ended("sys.exit() in the module ends the invocation", breaking.exit_of_the_module())
_ended(
    "a change too large for a response is requeued",
    breaking.transform_as(breaking.requeue_large),
    when.has_large_rows,
)
_ended(
    "a failed change is requeued with its aggregated record",
    breaking.transform_as(breaking.requeue_aggregated),
)
_ended(
    "a response exceeds Lambda's limit",
    patch.object(transform.transform_records, "__defaults__", (10**9,)),
    when.has_large_rows,
)
_ended(
    "the transform runs until its time-out",
    around(
        transform,
        "transform_records",
        lambda handle, *a, **k: handle(*a, **k | {"deadline": 1e12}),
    ),
    lambda scenario: scenario.slow,
)
_ended(
    "the transform has no time to requeue",
    patch.object(transform, "TRANSFORM_MARGIN_SECONDS", 0),
    lambda scenario: scenario.slow,
)
_ended(
    "the forwarder retries until its time-out",
    patch.object(forwarder, "deadline_of", lambda _: 1e12),
)
_ended(
    "a call has more records than Firehose accepts",
    around(
        put_records,
        "groups",
        lambda groups, contents, _, size: groups(contents, 10**9, size),
    ),
    lambda scenario: scenario.changes > 500,
)
_ended(
    "a call has more bytes than Firehose accepts",
    around(
        put_records,
        "groups",
        lambda groups, contents, count, _: groups(contents, count, 10**9),
    ),
    when.has_large_changes,
)
_ended(
    "a batch is not bisected at a change that is too large",
    breaking.forwarder_as(breaking.report_first),
    lambda scenario: when.has_large_changes(scenario) and not scenario.bisects_without_progress,
)
_ended(
    "the forwarder always reports a failure",
    breaking.forwarder_as(
        lambda _, event, __: {
            "batchItemFailures": [
                {"itemIdentifier": event["Records"][0]["dynamodb"]["SequenceNumber"]}
            ]
        }
    ),
)

_alarms = detected_by("an_alarm_precedes_every_loss")
_alarms(
    "a disabled mapping raises no alarm", breaking.without_alarms("not-polling"), when.loses_changes
)
_alarms(
    "a throttled forwarder raises no alarm",
    breaking.without_alarms("iterator-age", "forwarder-throttles"),
    when.loses_changes,
)

_failures = detected_by("an_alarm_reports_every_failure")
_failures(
    "failed batches raise no alarm",
    around(failure_events, "object_created", lambda pattern, *paths: pattern(*paths[::2])),
)
_failures(
    "error records raise no alarm",
    around(failure_events, "object_created", lambda pattern, *paths: pattern(*paths[:2])),
)

_logs = detected_by("logs_have_no_content")
_logs(
    "the text of an exception is logged",
    patch.object(
        transform,
        "_reason",
        lambda error, *_: RowError("exception", got=str(error), location=""),
    ),
)
_logs(
    "the forwarder logs a change's keys",
    breaking.forwarder_as(
        lambda handler, event, context: (
            print(event["Records"][0]["dynamodb"]["Keys"]),  # noqa: T201
            handler(event, context),
        )[1]
    ),
)
_logs(
    "the transform logs a record as base64",
    results(lambda _, records: print(records[0]["data"])),  # noqa: T201
)
_logs(
    "an exception has content of the change",
    patch.object(transform.RequeueError, "__str__", lambda _: STORES[0]),
)

add_routing_mutations()
add_merge_mutations()
