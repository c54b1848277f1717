"""`streaming-etl backfill` with a scan: results, continuation and preconditions."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from streaming_etl.handlers.wire.change_line import ChangeTooLargeError
from streaming_etl.ops.__main__ import main
from streaming_etl.ops.backfill import by_scan, command
from streaming_etl.ops.backfill import scan as scan_module
from streaming_etl.ops.backfill.by_scan import (
    Cancellation,
    CancelledError,
    ScanOptions,
    backfill_by_scan,
    run,
)
from streaming_etl.ops.backfill.checkpoint import Checkpoint, CheckpointIdentity, Segment
from streaming_etl.stack.errors import (
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_PARTIAL,
    EXIT_USAGE,
    CommandError,
)
from streaming_etl.stack.outputs import DeployedStack
from tests.support.backfill import FakeClients, client_error, item
from tests.support.deployed import MAPPING, OUTPUTS, STREAM_ARN, deployed_pipeline, deployed_shop

IDS = sorted(f"o-{number}" for number in range(10))


@dataclass
class Ended:
    """A run of the command; `out` is parsed from JSON."""

    code: int
    out: Any
    err: str


class Bench:
    """The command on fake clients, without waiting."""

    def __init__(self, directory: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clients = FakeClients(*map(item, range(10)))
        self.outputs = dict(OUTPUTS)
        self.pipeline = "orders"
        self.checkpoint = directory / ".build" / "backfill" / "dev-orders.json"
        self.capsys = capsys
        monkeypatch.chdir(directory)
        monkeypatch.setattr(
            command, "open_stack", lambda *_: DeployedStack("dev", {self.pipeline: self.outputs})
        )
        monkeypatch.setattr(DeployedStack, "clients", lambda *_: self.clients)
        monkeypatch.setattr(by_scan.Cancellation, "sleep", lambda self, _: self.check())

    def __call__(self, *arguments: str) -> Ended:
        code = main(["backfill", self.pipeline, "--stack", "dev", "--json", *arguments])
        printed = self.capsys.readouterr()
        return Ended(code, json.loads(printed.out) if printed.out else None, printed.err)

    def changes(self) -> list[Any]:
        """The changes that Firehose has accepted."""
        lines = b"".join(data for call in self.clients.firehose.calls for data in call).splitlines()
        return [json.loads(line) for line in lines]

    def ids(self) -> list[str]:
        """The items that Firehose has accepted."""
        keys = [change["dynamodb"]["Keys"] for change in self.changes()]
        return sorted(key["id"]["S"] for key in keys if key)

    def markers(self) -> list[tuple[str, str]]:
        """Stream and position of the markers among the changes."""
        return [
            (change["streamLabel"], change["eventID"])
            for change in self.changes()
            if change["eventName"] == "BACKFILL"
        ]


@pytest.fixture
def backfill(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, capsys, monkeypatch)


def test_sends_every_item_once_and_reports_it(backfill: Bench) -> None:
    ended = backfill()
    assert (ended.code, ended.out) == (
        0,
        {
            "pipeline": "orders",
            "table": "orders",
            "items": 10,
            "lake_tables": {},
            "unmatched": 0,
            "read_units": 10.0,
            "too_large": [],
            "checkpoint": ".build/backfill/dev-orders.json",
        },
    )
    assert backfill.ids() == IDS
    assert {request["TotalSegments"] for request in backfill.clients.dynamodb.requests} == {4}
    assert backfill.checkpoint.exists()


def test_a_renamed_pipeline_continues_its_backfill(
    backfill: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backfill().code == 0
    settings = {**backfill.outputs["settings"], "renamed_from": ["orders", "sales"]}
    renamed = {"shop": {**backfill.outputs, "settings": settings}}
    monkeypatch.setattr(command, "open_stack", lambda *_: DeployedStack("dev", renamed))
    sent = backfill.ids()
    assert main(["backfill", "shop", "--stack", "dev", "--json"]) == 0
    assert backfill.ids() == sent == IDS


@pytest.fixture
def shop(backfill: Bench) -> Bench:
    """The command for three lake tables.

    Orders has two items, customers three, and events all.
    """
    backfill.pipeline, backfill.outputs = "shop", deployed_shop().outputs
    kinds = ["order"] * 2 + ["customer"] * 2 + ["company"] + ["event"] * 5
    items = [{**item(number), "kind": {"S": kind}} for number, kind in enumerate(kinds)]
    backfill.clients = FakeClients(*items)
    return backfill


def test_one_scan_fills_all_lake_tables(shop: Bench) -> None:
    ended = shop()
    assert (ended.code, ended.out["items"], ended.out["unmatched"]) == (0, 10, 0)
    assert ended.out["lake_tables"] == {"orders": 2, "customers": 3, "events": 10}
    assert len(shop.clients.dynamodb.requests) == 4
    names = ("orders", "customers", "events")
    assert shop.clients.firehose.streams == {f"shop-{name}-delivery" for name in names}
    assert len(shop.markers()) == 3


def test_fills_selected_lake_tables_and_marks_only_these(shop: Bench) -> None:
    ended = shop("--lake-table", "customers")
    assert (ended.code, ended.out["items"], ended.out["unmatched"]) == (0, 3, 7)
    assert ended.out["lake_tables"] == {"customers": 3}
    assert shop.clients.firehose.streams == {"shop-customers-delivery"}
    assert (shop.ids(), len(shop.markers())) == (["o-2", "o-3", "o-4"], 1)


def test_the_checkpoints_of_different_lake_tables_are_independent(shop: Bench) -> None:
    assert shop("--lake-table", "customers").code == 0
    assert shop("--lake-table", "orders").out["lake_tables"] == {"orders": 2}
    assert shop("--lake-table", "events", "--lake-table", "orders").code == 0
    assert shop().out["lake_tables"] == {"orders": 2, "customers": 3, "events": 10}
    files = sorted(path.name for path in Path(".build", "backfill").iterdir())
    assert files == [
        "dev-shop.customers.json",
        "dev-shop.events+orders.json",
        "dev-shop.json",
        "dev-shop.orders.json",
    ]
    requests = len(shop.clients.dynamodb.requests)
    for chosen in (["customers"], ["orders", "events"], ["events", "customers", "orders"]):
        again = shop(*(text for name in chosen for text in ("--lake-table", name)))
        assert (again.code, set(again.out["lake_tables"])) == (0, set(chosen))
    assert len(shop.clients.dynamodb.requests) == requests


def test_the_checkpoint_of_many_lake_tables_has_a_short_name() -> None:
    pipeline: Any = Mock(tables=range(20))
    names = [f"{'n' * 33}{number}" for number in range(10, 29)]
    part = by_scan.part_of_name(pipeline, names)
    assert (part[:4], len(part)) == (".19-", 12)
    assert part != by_scan.part_of_name(pipeline, names[::-1])


def test_a_checkpoint_of_other_lake_tables_is_rejected(shop: Bench) -> None:
    assert shop("--lake-table", "customers", "--checkpoint", "file").code == 0
    sent = shop.ids()
    assert shop("--lake-table", "orders", "--checkpoint", "file").code == EXIT_FAILURE
    assert shop("--lake-table", "carts").code == EXIT_FAILURE
    assert shop.ids() == sent


MARKER = (STREAM_ARN[-23:], f"backfill-{STREAM_ARN[-23:]}")


def test_the_last_change_is_the_marker_of_the_stream(backfill: Bench) -> None:
    backfill()
    assert (backfill.markers(), backfill.changes()[-1]["eventName"]) == ([MARKER], "BACKFILL")


def test_sends_the_marker_again_after_a_failure_before_it(
    backfill: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "complete", Mock(side_effect=KeyboardInterrupt))
        assert backfill().code == EXIT_INTERRUPTED
    assert backfill().code == 0
    assert backfill().code == 0
    assert (backfill.markers(), backfill.ids()) == ([MARKER, MARKER], IDS)


def test_sends_no_marker_when_the_stream_changed_during_the_scan(backfill: Bench) -> None:
    dynamodb = backfill.clients.dynamodb
    scan = dynamodb.scan

    def switch_stream(**request: Any) -> dict[str, Any]:
        dynamodb.description["LatestStreamArn"] = STREAM_ARN.replace("2026", "2027")
        return scan(**request)

    dynamodb.scan = switch_stream  # type: ignore[method-assign]
    assert backfill().code == EXIT_FAILURE
    assert (backfill.markers(), backfill.ids()) == ([], IDS)


def test_a_dry_run_reports_the_plan_and_reads_nothing(backfill: Bench) -> None:
    assert backfill("--dry-run").out == {
        "pipeline": "orders",
        "table": "orders",
        "lake_tables": [],
        "items": 1000,
        "bytes": 8_192_000,
        "items_done": 0,
        "read_units": 1000.0,
        "read_units_per_second": 100.0,
        "kib_per_second": 512.0,
        "segments": 4,
        "seconds": 23,
    }
    assert (backfill.clients.dynamodb.requests, backfill.clients.firehose.calls) == ([], [])
    assert not backfill.checkpoint.exists()


def test_sends_the_items_again_only_with_restart(backfill: Bench) -> None:
    first = backfill()
    backfill.clients.firehose.calls.clear()
    second = backfill()
    assert (second.code, second.out) == (0, first.out)
    assert "--restart" in second.err
    assert backfill.ids() == []
    assert backfill("--restart").code == 0
    assert backfill.ids() == IDS


def test_continues_after_ctrl_c(backfill: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    dynamodb = backfill.clients.dynamodb
    scan = dynamodb.scan

    def interrupted(**request: Any) -> dict[str, Any]:
        if len(dynamodb.requests) == 2:
            raise KeyboardInterrupt
        return scan(**request)

    dynamodb.description |= {"TableSizeBytes": 16_384_000}
    with monkeypatch.context() as patched:
        patched.setattr(dynamodb, "scan", interrupted)
        assert backfill("--segments", "1", "--read-units", "1").code == EXIT_INTERRUPTED
    assert len(backfill.ids()) == 4

    assert backfill("--dry-run", "--read-units", "1").out["items_done"] == 4
    assert backfill("--read-units", "1").code == 0
    assert backfill.ids() == IDS


def test_items_too_large_for_a_record_make_the_result_partial(
    backfill: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change_line(_: dict[str, Any]) -> bytes:
        raise ChangeTooLargeError

    monkeypatch.setattr(scan_module, "change_line", change_line)
    first, again = backfill(), backfill()
    assert (first.code, len(first.out["too_large"])) == (EXIT_PARTIAL, 10)
    assert (again.code, again.out) == (EXIT_PARTIAL, first.out)
    # Event ids, not keys.
    assert "o-7" not in str(first)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            lambda it: setattr(it, "mappings", {MAPPING: "Disabled"}),
            "event-source-mapping-not-enabled",
        ),
        (lambda it: setattr(it, "mappings", {"another": "Enabled"}), "no-event-source-mapping"),
        (
            lambda it: it.dynamodb.description.update(LatestStreamArn=f"{STREAM_ARN}2"),
            "stream-not-current",
        ),
        (
            lambda it: it.dynamodb.description.update(StreamSpecification={}),
            "stream-not-current",
        ),
        (
            lambda it: it.dynamodb.description.update(
                BillingModeSummary={}, ProvisionedThroughput={"ReadCapacityUnits": 5}
            ),
            "read-units-exceed-table",
        ),
        (
            lambda it: it.dynamodb.description.update(
                OnDemandThroughput={"MaxReadRequestUnits": 4}
            ),
            "read-units-exceed-table",
        ),
    ],
)
def test_checks_preconditions_before_reading(
    tmp_path: Path, change: Callable[[FakeClients], Any], code: str
) -> None:
    clients = FakeClients(item(0))
    change(clients)
    options = ScanOptions(read_units=6, checkpoint=tmp_path / "checkpoint.json")
    with pytest.raises(CommandError) as error:
        backfill_by_scan("dev", deployed_pipeline(), clients, options)
    assert error.value.code == code
    assert (clients.dynamodb.requests, clients.firehose.calls) == ([], [])
    assert not (tmp_path / "checkpoint.json").exists()


def test_an_error_of_aws_and_wrong_usage_have_their_exit_codes(
    backfill: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe_table(**_: Any) -> Any:
        raise client_error("AccessDeniedException", "DescribeTable")

    monkeypatch.setattr(backfill.clients.dynamodb, "describe_table", describe_table)
    assert backfill().code == EXIT_FAILURE
    assert backfill("--segments", "1000000").code == EXIT_USAGE
    assert backfill("--segments", "many").code == EXIT_USAGE


def checkpoint_of(*segments: Segment) -> Checkpoint:
    identity = CheckpointIdentity("dev", "orders", "", "", "")
    return Checkpoint(Path("file"), identity, [*segments])


class FailingScan:
    """The first segment fails; the others have many pages."""

    def __init__(self, checkpoint: Checkpoint, error: BaseException) -> None:
        self.checkpoint, self.error = checkpoint, error
        self.failed = threading.Event()
        self.pages = 0

    def send_page(self, number: int) -> int:
        if number == 0:
            self.failed.set()
            raise self.error
        self.failed.wait()
        self.pages += 1
        time.sleep(0.001)
        self.checkpoint.segments[number].done = self.pages == 10_000
        return 1


@pytest.mark.parametrize(
    "error", [CommandError("Failed.", code="failed"), KeyboardInterrupt()], ids=type
)
def test_an_error_in_one_segment_ends_the_others_between_two_pages(error: BaseException) -> None:
    checkpoint = checkpoint_of(Segment(), Segment())
    scan: Any = FailingScan(checkpoint, error)
    with pytest.raises(type(error)):
        run(scan, checkpoint, Cancellation(), lambda _: None)
    assert scan.pages < 10_000


def test_reads_only_segments_that_are_not_done() -> None:
    checkpoint = checkpoint_of(Segment(done=True), Segment(), Segment())
    numbers: list[int] = []
    advanced: list[float] = []

    class OnePage:
        def send_page(self, number: int) -> int:
            numbers.append(number)
            checkpoint.segments[number] = Segment(done=True, items=7)
            return 7

    scan: Any = OnePage()
    run(scan, checkpoint, Cancellation(), advanced.append)
    assert (sorted(numbers), advanced) == ([1, 2], [7, 7])


def test_cancels_a_thread_that_waits() -> None:
    cancellation = Cancellation()
    cancellation.sleep(0)
    cancellation.cancel()
    with pytest.raises(CancelledError):
        cancellation.sleep(3600)
