"""Handlers and queries broken on purpose, one guarantee each: the simulation must find them all."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

import streaming_etl.handlers.change.decode
import streaming_etl.handlers.change.lazy_item
import streaming_etl.handlers.firehose.put_records
import streaming_etl.handlers.forwarder
import streaming_etl.handlers.transform
import streaming_etl.ops.firehose_writer
from tests.simulation import breaking
from tests.simulation.breaking import answers, around, each_answer, query, rows, told
from tests.simulation.run import simulate
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.user_module import STORES

MOST_SEEDS = 2000


class Mutation(NamedTuple):
    """A patch that breaks something.

    Only seeds whose scenario `concerns` it are run: the others would tell nothing.
    """

    patch: Any
    found_by: str
    """The check that must find it."""
    concerns: Callable[[Scenario], Any]


class Hunt(NamedTuple):
    """The seed that found a mutation, -1 if none did, and how many were run."""

    name: str
    seed: int
    seeds: int


MUTATIONS: dict[str, Mutation] = {}


def found_by(check: str) -> Callable[..., None]:
    """Mutations that this check finds."""

    def mutation(
        name: str, broken: Any, concerns: Callable[[Scenario], Any] = lambda _: True
    ) -> None:
        MUTATIONS[name] = Mutation(broken, check, concerns)

    return mutation


def hunt(name: str, most: int = MOST_SEEDS) -> Hunt:
    """Run seeds with the mutation until its check finds it."""
    mutation, tried = MUTATIONS[name], 0
    for seed in range(most):
        if mutation.concerns(scenario_of(seed)):
            tried += 1
            with mutation.patch:
                violations = simulate(seed).violations
            if mutation.found_by in dict(violations):
                return Hunt(name, seed, tried)
    return Hunt(name, -1, tried)


def has_large_changes(scenario: Scenario) -> bool:
    return scenario.large == "changes"


def has_large_rows(scenario: Scenario) -> bool:
    # Killed behind its puts, the transform only does the same large rows over and over.
    return scenario.large == "rows" and "transform is killed after a put" not in scenario.spells


def has_backfill(scenario: Scenario) -> bool:
    return scenario.backfill is not None


_missing = found_by("nothing_is_missing")
_missing("FailedPutCount is ignored", breaking.failed_put_count_ignored())
_missing(
    "the last failure is reported instead of the first",
    around(streaming_etl.handlers.forwarder, "put_records", lambda put, *a, **k: put(*a, **k)[-1:]),
)
_missing(
    "the forwarder reports what it gave up as done",
    around(
        streaming_etl.handlers.forwarder, "put_records", lambda put, *a, **k: (put(*a, **k), [])[1]
    ),
)
_missing(
    "an oversized change is passed over",
    breaking.forwarder_as(breaking.pass_over_large),
    has_large_changes,
)
_missing(
    "a put-back that fails is passed over",
    around(
        streaming_etl.handlers.firehose.put_records,
        "put_records",
        lambda put, *a, **k: (put(*a, **k), [])[1],
    ),
)
_missing("the last record to put back is forgotten", breaking.transform_as(breaking.forget_last))
_missing(
    "a change left out takes its pack with it",
    each_answer(lambda answer, data: b"leave out" in data and answer.update(result="Dropped")),
)
_missing(
    "every row is the first of its change",
    rows(lambda data: re.sub(rb'"_row":\d', b'"_row":0', data)),
)
_missing(
    "only the first row of a record is answered", rows(lambda data: data[: data.find(b"\n") + 1])
)
_missing(
    "what Firehose does not take of a backfill is passed over",
    around(
        streaming_etl.ops.firehose_writer, "put_records", lambda put, *a, **k: (put(*a, **k), [])[1]
    ),
    has_backfill,
)

_else = found_by("nothing_else_is_there")
_else("unwanted kinds pass", told("EVENT_NAMES", "INSERT,MODIFY,REMOVE"))
_else("a REMOVE loses its old image", told("OLD_IMAGE", "never"))
_else("old images travel unasked", told("OLD_IMAGE", "always"))
_else("a TTL delete loses its mark", breaking.forwarder_as(breaking.forget_identity))
_else(
    "compressed changes are not read",
    patch.object(streaming_etl.handlers.change.decode, "decompress", lambda _: b"{}"),
    has_large_changes,
)
_else(
    "an image forgets what was not decoded",
    patch.object(streaming_etl.handlers.change.lazy_item.LazyItem, "get", dict.get),
    lambda scenario: scenario.poison == 0,
)
_else("a bad change sets its pack aside", breaking.transform_as(breaking.set_aside_packs))
_else("Ok without data", answers(lambda given, _: given[0].pop("data", None)))
_else("a record is answered twice", answers(lambda given, _: given.append(given[0])))
_else("a record is not answered", answers(lambda given, _: given.pop()))
_else(
    "partition keys are forgotten",
    each_answer(lambda answer, _: answer.pop("metadata", None)),
    lambda scenario: scenario.args.partitions.dynamic,
)
_else(
    "rows go to another folder",
    each_answer(
        lambda answer, _: answer.get("metadata", {"partitionKeys": {}})["partitionKeys"].update(
            store=STORES[2]
        )
    ),
    lambda scenario: scenario.args.partitions.dynamic_partition_keys,
)
_else("rows end without a line break", rows(bytes.rstrip))

_state = found_by("the_current_state_is_the_table")
_number = "lpad(\"_sequence_number\", 40, '0')"
_state("sequence numbers are compared as text", query(_number, '"_sequence_number"'))
_state("changes are ordered by their time", query(_number, '"_changed_at"'))
_state("repeats are not told apart", query(' AND "_copy" = 1', ""))
_state("removed items stay", query(" AND \"_op\" <> 'REMOVE'", ""))
_state(
    "a snapshot has as many digits as a change",
    breaking.snapshots(lambda stream: stream.update(SequenceNumber=stream["SequenceNumber"] * 2)),
    has_backfill,
)
_state(
    "a snapshot comes after every change",
    query(f"{_number} DESC", f"\"_op\" = 'SNAPSHOT' DESC, {_number} DESC"),
    has_backfill,
)

_whole = found_by("the_backfill_is_whole")
_whole("the checkpoint is written before the put", breaking.checkpoint_before_put(), has_backfill)
_whole("a segment ends with its first page", breaking.one_page_to_a_segment(), has_backfill)
_whole("every other page is left out", breaking.pages_left_out(), has_backfill)

_ended = found_by("everything_ended")
_ended(
    "a too-large record is put back for ever",
    breaking.transform_as(breaking.put_back_large),
    has_large_rows,
)
_ended("a bad change goes back with its pack", breaking.transform_as(breaking.put_back_packs))
_ended(
    "a response is larger than Lambda takes",
    patch.object(streaming_etl.handlers.transform.transform_records, "__defaults__", (10**9,)),
    has_large_rows,
)
_ended(
    "the forwarder puts until its time-out",
    patch.object(streaming_etl.handlers.forwarder, "deadline_of", lambda _: 1e12),
)
_ended(
    "a call holds more records than Firehose takes",
    around(
        streaming_etl.handlers.firehose.put_records,
        "groups",
        lambda cut, contents, _, size: cut(contents, 10**9, size),
    ),
    lambda scenario: scenario.changes > 500,
)
_ended(
    "a call holds more bytes than Firehose takes",
    around(
        streaming_etl.handlers.firehose.put_records,
        "groups",
        lambda cut, contents, count, _: cut(contents, count, 10**9),
    ),
    has_large_changes,
)
_ended(
    "a change that can never go on is reported as the first of many",
    breaking.forwarder_as(breaking.reported_first),
    lambda scenario: has_large_changes(scenario) and not scenario.halves_without_progress,
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

_told = found_by("nothing_is_told_in_logs")
_told(
    "an error's own text is logged",
    patch.object(streaming_etl.handlers.transform, "_reason", lambda error, *_: str(error)),
)
_told(
    "the forwarder logs a change's keys",
    breaking.forwarder_as(
        lambda handler, event, context: (
            print(event["Records"][0]["dynamodb"]["Keys"]),  # noqa: T201
            handler(event, context),
        )[1]
    ),
)
_told(
    "the transform logs a record as base64",
    answers(lambda _, records: print(records[0]["data"])),  # noqa: T201
)
_told(
    "an exception quotes the change",
    patch.object(streaming_etl.handlers.transform.RequeueError, "__str__", lambda _: STORES[0]),
)
