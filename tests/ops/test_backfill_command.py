import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.handlers.wire.change_line import ChangeTooLargeError
from streaming_etl.ops.backfill import command, run
from streaming_etl.ops.backfill import scan as scan_module
from streaming_etl.stack.errors import EXIT_INTERRUPTED, EXIT_PARTIAL, __main__
from streaming_etl.stack.outputs import Stack
from tests.handlers.fakes import FakeFirehose, client_error
from tests.ops.backfill_fakes import (
    MAPPING,
    STREAM,
    FakeClients,
    FakeDynamoDb,
    item,
    refused,
    stack_of,
)

PLAN = (
    "orders has about 1,000 items, 7.8 MiB, as DynamoDB last counted them; it does so about every "
    "six hours.\n"
    "Reading takes about 1,000 read units, in 4 segments, at no more than 100 units and 512 KiB to "
    "Firehose a second: about 23 s.\n"
)


@dataclass
class Ended:
    """A run of the command."""

    code: int
    out: str
    err: str


class Bench:
    """The command against a fake account; nothing of it waits."""

    def __init__(self, directory: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.checkpoint = directory / "checkpoint.json"
        self.capsys, self.monkeypatch = capsys, monkeypatch
        self.dynamodb, self.firehose = FakeDynamoDb(*map(item, range(10))), FakeFirehose()
        self.states: Mapping[str, str] = {MAPPING: "Enabled"}
        self.tables = "{}"
        monkeypatch.setattr(command, "open_stack", self.stack)
        monkeypatch.setattr(run.Stop, "sleep", lambda stop, _: stop.check())

    def stack(self, *_: Any) -> Stack:
        return stack_of(FakeClients(self.dynamodb, self.firehose, self.states), self.tables)

    def __call__(self, *arguments: str, pipeline: str = "orders") -> Ended:
        line = ["backfill", pipeline, "--stack", "dev", *arguments]
        code = __main__.main([*line, "--checkpoint", str(self.checkpoint)])
        return Ended(code, *self.capsys.readouterr())

    def ids(self) -> list[str]:
        """The items that Firehose has taken."""
        lines = b"".join(data for call in self.firehose.calls for data in call).splitlines()
        return sorted(json.loads(line)["dynamodb"]["Keys"]["id"]["S"] for line in lines)


@pytest.fixture
def backfill(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, capsys, monkeypatch)


EVERY_ID = sorted(f"o-{number}" for number in range(10))


def test_a_backfill_tells_its_plan_takes_every_item_once_and_says_what_it_did(
    backfill: Bench,
) -> None:
    ended = backfill()

    assert ended == Ended(
        code=0,
        out="orders: 10 items are on their way through Firehose, read with 10.0 read units.\n",
        err=PLAN,
    )
    assert backfill.ids() == EVERY_ID
    assert {request["TotalSegments"] for request in backfill.dynamodb.requests} == {4}


def test_the_result_for_scripts_is_one_json_document(backfill: Bench) -> None:
    assert json.loads(backfill("--json", "--segments", "1").out) == {
        "pipeline": "orders",
        "table": "orders",
        "items": 10,
        "read_units": 10.0,
        "too_large": [],
        "checkpoint": str(backfill.checkpoint),
    }


def test_a_dry_run_tells_the_plan_and_neither_reads_nor_writes_anything(backfill: Bench) -> None:
    assert backfill("--dry-run") == Ended(code=0, out=PLAN, err="")
    assert json.loads(backfill("--dry-run", "--json").out) == {
        "pipeline": "orders",
        "table": "orders",
        "items": 1000,
        "bytes": 8_192_000,
        "items_done": 0,
        "read_units": 1000.0,
        "read_units_per_second": 100.0,
        "kib_per_second": 512.0,
        "segments": 4,
        "seconds": 23,
    }
    assert (backfill.dynamodb.requests, backfill.firehose.calls) == ([], [])
    assert not backfill.checkpoint.exists()


def test_run_again_after_its_end_it_takes_nothing_again_unless_told_to(backfill: Bench) -> None:
    first = backfill("--json")
    backfill.firehose.calls.clear()

    second = backfill("--json")

    assert second.code == 0
    assert second.out == first.out
    assert second.err == (
        f"This backfill is done ({backfill.checkpoint}). To take all items again, add --restart.\n"
    )
    assert backfill.ids() == []
    assert backfill("--restart").code == 0
    assert backfill.ids() == EVERY_ID


def test_records_are_packed_as_the_pipelines_own_forwarder_packs_them(backfill: Bench) -> None:
    settings = {
        "table_name": "orders",
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "forwarder": {"max_changes_per_record": 3},
    }
    backfill.tables = json.dumps({"orders": settings})

    assert backfill("--segments", "1").code == 0

    [call] = backfill.firehose.calls
    assert [record.count(b"\n") for record in call] == [3, 3, 3, 1]


def test_what_firehose_refuses_ends_it_with_1_and_the_same_command_goes_on(
    backfill: Bench,
) -> None:
    backfill.firehose = FakeFirehose(then=client_error("AccessDeniedException"))

    ended = backfill("--segments", "1")

    assert ended.code == 1
    assert ended.out == ""
    assert ended.err.startswith(PLAN.replace("4 segments", "1 segment") + "Error: Firehose did")
    backfill.firehose = FakeFirehose()
    assert backfill().code == 0
    assert backfill.ids() == EVERY_ID


def test_after_ctrl_c_the_same_command_goes_on_where_it_stopped(backfill: Bench) -> None:
    read = backfill.dynamodb.scan

    def interrupted(**request: Any) -> dict[str, Any]:
        if len(backfill.dynamodb.requests) == 2:
            raise KeyboardInterrupt
        return read(**request)

    backfill.monkeypatch.setattr(backfill.dynamodb, "scan", interrupted)
    backfill.dynamodb.described |= {"TableSizeBytes": 16_384_000}
    ended = backfill("--segments", "1", "--read-units", "1")
    assert ended.code == EXIT_INTERRUPTED
    assert ended.err.endswith("Interrupted; the same command goes on where this one stopped.\n")
    backfill.monkeypatch.setattr(backfill.dynamodb, "scan", read)
    assert len(backfill.ids()) == 4

    again = backfill("--read-units", "1")

    assert again.code == 0
    assert again.err.endswith("Going on behind 4 items that are done already.\n")
    assert backfill.ids() == EVERY_ID


def test_an_item_too_large_for_a_record_is_told_by_its_event_id_and_ends_it_with_3(
    backfill: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    line_of = scan_module.change_line

    def too_large(record: dict[str, Any]) -> bytes:
        if record["dynamodb"]["Keys"] == {"id": {"S": "o-7"}}:
            raise ChangeTooLargeError
        return line_of(record)

    monkeypatch.setattr(scan_module, "change_line", too_large)
    ended = backfill()

    [event_id] = json.loads(backfill("--json").out)["too_large"]
    assert (ended.code, backfill().code) == (EXIT_PARTIAL, EXIT_PARTIAL)
    assert ended.out.splitlines()[1:] == [
        f"Too large for a Firehose record, and not in the lake: {event_id}"
    ]
    assert "o-7" not in ended.out + ended.err + event_id
    assert backfill.ids() == [each for each in EVERY_ID if each != "o-7"]


DISABLED = "Disabled, not Enabled: changes made during the backfill would not be in the lake"


@pytest.mark.parametrize(
    ("amiss", "reason"),
    [
        (lambda bench: vars(bench).update(states={MAPPING: "Disabled"}), DISABLED),
        (lambda bench: vars(bench).update(states={"another": "Enabled"}), "has no event source"),
        (
            lambda bench: bench.dynamodb.described.update(LatestStreamArn=f"{STREAM}2"),
            "The stream of orders is off, or another than the pipeline orders reads",
        ),
        (
            lambda bench: bench.dynamodb.described.update(StreamSpecification={}),
            "The stream of orders is off, or another than the pipeline orders reads",
        ),
        (
            lambda bench: bench.dynamodb.described.update(
                BillingModeSummary={}, ProvisionedThroughput={"ReadCapacityUnits": 5}
            ),
            "--read-units=6 is more than orders gives: its provisioned read capacity is 5 a second",
        ),
        (
            lambda bench: bench.dynamodb.described.update(
                OnDemandThroughput={"MaxReadRequestUnits": 4}
            ),
            "--read-units=6 is more than orders gives: its on-demand maximum is 4 a second",
        ),
        (
            lambda bench: bench.monkeypatch.setattr(
                bench.dynamodb, "describe_table", raising("AccessDeniedException")
            ),
            "AWS refuses DescribeTable: AccessDeniedException: Not now.",
        ),
    ],
)
def test_what_is_amiss_is_refused_before_anything_is_read(
    backfill: Bench, amiss: Callable[[Bench], Any], reason: str
) -> None:
    amiss(backfill)

    ended = backfill("--read-units", "6")

    assert (ended.code, ended.out) == (1, "")
    assert reason in ended.err
    assert (backfill.dynamodb.requests, backfill.firehose.calls) == ([], [])
    assert not backfill.checkpoint.exists()


def raising(code: str) -> Callable[..., Any]:
    def call(**_: Any) -> Any:
        raise refused(code, "DescribeTable")

    return call


def test_a_pipeline_that_the_stack_has_not_is_refused(backfill: Bench) -> None:
    ended = backfill(pipeline="nobody")
    assert ended.code == 1
    assert ended.err == "Error: The stack dev has no pipeline nobody; it has orders.\n"


def test_wrong_usage_ends_with_2(backfill: Bench) -> None:
    assert backfill("--segments", "1000000").code == 2
    assert backfill("--segments", "many").code == 2
