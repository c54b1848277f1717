"""`streaming-etl replay` on the command line."""

import gzip
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from streaming_etl.handlers.backfill import error_records
from streaming_etl.handlers.export.progress import InvalidLine
from streaming_etl.handlers.rows.metadata import METADATA_COLUMNS
from streaming_etl.handlers.wire.change_line import change_line, replayed_line
from streaming_etl.ops.__main__ import commands, main
from streaming_etl.ops.replay import command
from streaming_etl.ops.replay.command import ReplayOptions
from streaming_etl.stack.console import printable
from streaming_etl.stack.errors import EXIT_INTERRUPTED, EXIT_PARTIAL, EXIT_USAGE, UsageError
from streaming_etl.stack.outputs import DeployedStack
from tests.ops.replay.shop import STREAMS, shop
from tests.support.changes import line, stream_record
from tests.support.deployed import MAPPING, OUTPUTS, SETTINGS, STREAM_ARN
from tests.support.failure_objects import BUCKET, ERRORS, FakeS3, batch, error_line
from tests.support.fake_aws import FakeFirehose
from tests.support.merge_runs import MACHINE, FakeMergeStates

SHOP = shop().outputs
SHARED = OUTPUTS | {"settings": SETTINGS | {"lake": {"bucket_name": BUCKET}}}


class FakeClients:
    def __init__(self) -> None:
        self.s3, self.firehose = FakeS3(), FakeFirehose()
        self.dynamodb, self.dynamodbstreams = Mock(), Mock()
        self.stepfunctions = FakeMergeStates()
        self.outputs: dict[str, Any] = {"orders": OUTPUTS, "shared": SHARED, "shop": SHOP}

    def __call__(self, service: str) -> Any:
        return getattr(self, service)


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> FakeClients:
    """A stack with `orders`, `shop`, and `shared` in an existing bucket."""
    clients = FakeClients()

    def open_stack(*arguments: Any) -> DeployedStack:
        assert arguments == ("dev", None, None)
        return DeployedStack("dev", clients.outputs)

    monkeypatch.setattr(command, "open_stack", open_stack)
    monkeypatch.setattr(DeployedStack, "clients", lambda *_: clients)
    return clients


def replay(*args: str) -> int:
    return main(["replay", *args, "--stack", "dev"])


@pytest.mark.parametrize("dry_run", [False, True])
def test_prints_one_json_document_on_the_standard_output(
    clients: FakeClients, capsys: pytest.CaptureFixture[str], dry_run: bool
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    clients.s3.add(f"{ERRORS}two", b"{")

    status = replay("orders", "--json", *(["--dry-run"] if dry_run else []))

    result = json.loads(capsys.readouterr().out)
    assert status == EXIT_PARTIAL
    assert (result["dry_run"], result["changes"]["sent"]) == (dry_run, 1)
    [problem] = result["problems"]
    assert problem["key"] == f"{ERRORS}two"
    assert (problem["entry"], problem["code"]) == (1, "unknown-object")
    assert (clients.firehose.calls, len(clients.s3.operations)) == (
        ([], 0) if dry_run else ([[replayed_line(line(1))]], 2)
    )


def test_prints_tables_for_people(clients: FakeClients, capsys: pytest.CaptureFixture[str]) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    clients.s3.add(f"aws/lambda/{MAPPING}/two", batch(stream_record(2), "no"), minutes=1440)
    assert replay("orders") == EXIT_PARTIAL
    printed = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    for row in ("2026-11-23 1", "2026-11-24 1", "RetryAttemptsExhausted 2"):
        assert row in printed
    [problem] = [text for text in printed if text.startswith("aws/lambda/")]
    assert problem.startswith(f"aws/lambda/{MAPPING}/two 2 ")


MERGED = OUTPUTS | {
    "settings": SETTINGS | {"partitions": {"partition_time": "event"}, "merge": {"enabled": True}},
    "merge_state_machine_arn": MACHINE,
}


def old_line(number: int, created: datetime) -> bytes:
    record = stream_record(number)
    record["dynamodb"]["ApproximateCreationDateTime"] = int(created.timestamp())
    return change_line(record)


@pytest.mark.parametrize("as_dry_run", [False, True])
def test_a_merge_follows_changes_that_the_schedule_does_not_merge(
    clients: FakeClients, capsys: pytest.CaptureFixture[str], as_dry_run: bool
) -> None:
    clients.outputs["orders"] = MERGED
    lines = [old_line(day, datetime(2026, 1, day, tzinfo=UTC)) for day in (2, 3)]
    for number, each in enumerate(lines):
        clients.s3.add(f"{ERRORS}{number}", error_line(each))

    assert replay("orders", "--json", *(["--dry-run"] if as_dry_run else [])) == 0

    result = json.loads(capsys.readouterr().out)
    if as_dry_run:
        assert (clients.stepfunctions.started, "merges" in result) == ([], False)
        return
    [merge] = result["merges"]
    [(name, given)] = clients.stepfunctions.started
    assert (merge["lake_table"], merge["first_day"]) == ("lake-table", "2026-01-02")
    assert (merge["run"], merge["wait_seconds"]) == (name, given["wait_seconds"])
    assert given["ranges"][0]["first"] == "2026-01-02"


def test_a_merge_follows_the_changes_of_an_interrupted_replay(
    clients: FakeClients, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients.outputs["orders"] = MERGED
    clients.s3.add(f"{ERRORS}one", error_line(old_line(1, datetime(2026, 1, 2, tzinfo=UTC))))

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(clients.firehose, "put_record_batch", interrupt)
    assert replay("orders") == EXIT_INTERRUPTED
    [(_, given)] = clients.stepfunctions.started
    assert given["ranges"][0]["first"] == "2026-01-02"


KEY = '{"id":{"S":"o-1"}}'
HASH = sha256(KEY.encode()).hexdigest()[:16]


@pytest.mark.parametrize("show_keys", [False, True])
def test_lists_the_hash_of_each_items_key(
    clients: FakeClients, capsys: pytest.CaptureFixture[str], show_keys: bool
) -> None:
    """A query finds the hash by the column `_key`."""
    key = clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    options = ["--dry-run", *(["--show-keys"] if show_keys else [])]

    assert replay("orders", "--json", *options) == 0
    [change] = json.loads(capsys.readouterr().out)["listed"]
    assert replay("orders", *options) == 0
    printed = capsys.readouterr().out

    # The next command is the same without --dry-run.
    shown = ["replay", "orders", *options[1:], "--stack", "dev"]
    assert printed.splitlines()[-1].split() == ["streaming-etl", *shown]
    assert change.pop("item_key", None) == ({"id": {"S": "o-1"}} if show_keys else None)
    assert change.pop("test_command") in printed
    assert change == {
        "key": key,
        "entry": 1,
        "event_id": "event-1",
        "event_type": "INSERT",
        "item_key_hash": HASH,
        "error": "Lambda.ProcessingFailedStatus",
        "outcome": "sent",
    }
    assert (KEY in printed, HASH in printed) == (show_keys, not show_keys)


def test_a_run_lists_changes_in_json_only(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    assert replay("orders") == 0
    assert HASH not in capsys.readouterr().out
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    assert replay("orders", "--json") == 0
    [change] = json.loads(capsys.readouterr().out)["listed"]
    assert change["item_key_hash"] == HASH
    # Where the object is by now.
    assert f"s3://lake/replayed/{ERRORS}one" in change["test_command"]


@pytest.mark.parametrize("encode", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "body",
    [
        error_line(line(1)),
        error_line(line(1)) + b"{\n" + error_line(b"id,total\n"),
        batch(stream_record(1), "no"),
    ],
    ids=["error record", "with invalid lines", "failed batch"],
)
def test_the_listed_command_tests_the_transform_on_the_object(
    clients: FakeClients,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    encode: Callable[[bytes], bytes],
    body: bytes,
) -> None:
    module = tmp_path / "orders.py"
    module.write_text("def transform(change):\n    return {'seen': change.event_id}\n")
    settings = SETTINGS | {"transform_module": str(module), "catalog": "crawler"}
    (tmp_path / "Pulumi.yaml").write_text("name: test\n")
    config = {"config": {"test:tables": {"orders": settings | {"format": "json"}}}}
    (tmp_path / "Pulumi.dev.yaml").write_text(json.dumps(config))
    monkeypatch.chdir(tmp_path)
    key = clients.s3.add(f"{ERRORS}it's\x1b[1m 注文\u202e", encode(body))

    replay("orders", "--dry-run", "--json")
    [change] = json.loads(capsys.readouterr().out)["listed"]

    command = change["test_command"]
    assert printable(command) == command
    # Both programs print their arguments; the operator's shell runs the command.
    script = "aws() { printf '%s\\0' \"$@\"; }; streaming-etl() { cat; printf '%s\\0' \"$@\"; }\n"
    shell = subprocess.run(
        ["bash", "-c", script + command], capture_output=True, check=True, text=True
    )
    copied, tested = shell.stdout.split("\0")[:4], shell.stdout.split("\0")[4:-1]
    assert copied == ["s3", "cp", f"s3://lake/{key}", "-"]
    result = CliRunner().invoke(commands, [*tested, "--raw"], input=clients.s3.contents[key])
    assert json.loads(result.stdout)["seen"] == "event-1"


def test_prints_no_control_characters(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    controls = "\x1b[2J\x9b\x7f\u202e\n"
    clients.s3.add(f"{ERRORS}{controls}", error_line(line(1), f"Code{controls}") + b"{\n")
    for options in ([], ["--json"], ["--dry-run", "--show-keys"]):
        assert replay("orders", *options) == EXIT_PARTIAL
        captured = capsys.readouterr()
        printed = captured.out + captured.err
        assert printable(printed, keep="\n") == printed
        assert not any(part.startswith("[2J") for part in printed.splitlines())


@pytest.mark.parametrize(
    ("source", "lines"),
    [("failed-batches", [1, 2]), ("errors", [3]), ("all", [1, 2, 3])],
)
def test_reads_the_locations_of_the_source(
    clients: FakeClients, source: str, lines: list[int]
) -> None:
    clients.s3.add(f"aws/lambda/{MAPPING}/one", batch(stream_record(1)))
    clients.s3.add("aws/lambda/replaced-mapping/two", batch(stream_record(2)))
    clients.s3.add(f"{ERRORS}three", error_line(line(3)))
    assert replay("orders", "--from", source) == 0
    records = [record for call in clients.firehose.calls for record in call]
    assert b"".join(records) == b"".join(replayed_line(line(number)) for number in lines)


def test_reads_only_the_pipelines_mapping_in_an_existing_bucket(clients: FakeClients) -> None:
    clients.s3.add(f"aws/lambda/{MAPPING}/one", batch(stream_record(1)))
    clients.s3.add("aws/lambda/other/two", batch(stream_record(2)))
    assert replay("shared") == 0
    assert clients.firehose.calls == [[replayed_line(line(1))]]


@pytest.mark.parametrize("time", ["2026-11-23T12:01", "2026-11-23T21:01+09:00"])
def test_times_are_utc_unless_they_have_an_offset(clients: FakeClients, time: str) -> None:
    for minute in range(3):
        clients.s3.add(f"{ERRORS}{minute}", error_line(line(minute)), minutes=minute)
    assert replay("orders", "--since", time, "--until", "2026-11-24") == 0
    assert clients.firehose.calls == [[replayed_line(line(1)) + replayed_line(line(2))]]


@pytest.mark.parametrize(
    "args",
    [
        ["orders", "--since", "yesterday"],
        ["orders", "--since", "2026-11-23", "--until", "2026-11-23"],
        ["orders", "--kib-per-second", "0"],
    ],
)
def test_rejects_wrong_usage_before_reading_anything(
    clients: FakeClients, capsys: pytest.CaptureFixture[str], args: list[str]
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    assert replay(*args) == EXIT_USAGE
    assert capsys.readouterr().out == ""
    assert (clients.firehose.calls, clients.s3.operations) == ([], [])


def test_the_time_range_must_not_be_empty() -> None:
    day = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(UsageError) as error:
        ReplayOptions(since=day, until=day).check()
    assert error.value.code == "since-not-before-until"
    assert error.value.details == {"since": day, "until": day}


ORDER, CUSTOMER = {"kind": {"S": "order"}}, {"name": {"S": "c-1"}}


def sent_by_stream(clients: FakeClients) -> dict[str, list[bytes]]:
    """Lines by lake table; the calls of each delivery stream are recorded."""
    return {
        key: [each for call in calls for record in call for each in record.splitlines(True)]
        for key, stream in STREAMS.items()
        if (calls := clients.firehose.calls_by_stream.get(stream))
    }


@pytest.fixture
def shop_failures(clients: FakeClients) -> dict[str, str]:
    """Keys of a failed batch and of each lake table's error records."""
    add = clients.s3.add
    both = stream_record(3, **ORDER, **CUSTOMER)
    return {
        "batch": add(f"aws/lambda/{MAPPING}/one", batch(stream_record(1, **ORDER), both)),
        "orders": add(
            "errors/shop/orders/two",
            error_line(line(5), function="shop-orders-transform-function-0a1b2c3"),
        ),
        "customers": add(
            "errors/shop/customers/three",
            error_line(line(6), function="shop-customers-transform-function-0a1b2c3"),
        ),
    }


ORDER_1, BOTH = line(1, **ORDER), line(3, **ORDER, **CUSTOMER)


@pytest.mark.parametrize(
    ("options", "sent", "moved"),
    [
        (
            [],
            {"orders": [ORDER_1, BOTH, line(5)], "customers": [BOTH, line(6)]},
            ["batch", "orders", "customers"],
        ),
        (
            ["--lake-table", "orders"],
            # The batch stays, because the other lake table does not have it yet.
            {"orders": [ORDER_1, BOTH, line(5)]},
            ["orders"],
        ),
        (
            ["--lake-table", "customers", "--from", "errors"],
            {"customers": [line(6)]},
            ["customers"],
        ),
        (
            ["--lake-table", "customers", "--lake-table", "orders", "--from", "failed-batches"],
            {"orders": [ORDER_1, BOTH], "customers": [BOTH]},
            ["batch"],
        ),
    ],
)
def test_each_lake_table_gets_its_changes(
    clients: FakeClients,
    capsys: pytest.CaptureFixture[str],
    shop_failures: dict[str, str],
    options: list[str],
    sent: dict[str, list[bytes]],
    moved: list[str],
) -> None:
    assert replay("shop", "--json", "--dry-run", *options) == 0
    dry_run = json.loads(capsys.readouterr().out)
    assert clients.firehose.calls == []
    assert replay("shop", "--json", *options) == 0
    done = json.loads(capsys.readouterr().out)

    assert sent_by_stream(clients) == {
        name: [*map(replayed_line, lines)] for name, lines in sent.items()
    }
    names = {
        name for name, key in shop_failures.items() if f"replayed/{key}" in clients.s3.contents
    }
    assert names == set(moved)
    counts = {key: each["sent"] for key, each in done["lake_tables"].items()}
    assert {key: count for key, count in counts.items() if count} == {
        key: len(lines) for key, lines in sent.items()
    }
    assert dry_run["lake_tables"] == done["lake_tables"]
    listed = [(each["lake_table"], each["event_id"]) for each in done["listed"]]
    assert len(listed) == sum(map(len, sent.values()))


def test_reports_error_records_by_lake_table(
    capsys: pytest.CaptureFixture[str], shop_failures: dict[str, str]
) -> None:
    assert replay("shop", "--json", "--dry-run") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["lake_tables"] == {
        "orders": {"error_records": 1, "sent": 3},
        "customers": {"error_records": 1, "sent": 2},
    }
    assert {
        (each["lake_table"], each["key"], f"shop.{each['lake_table']} --" in each["test_command"])
        for each in result["listed"]
    } == {
        ("orders", shop_failures["batch"], True),
        ("customers", shop_failures["batch"], True),
        ("orders", shop_failures["orders"], True),
        ("customers", shop_failures["customers"], True),
    }
    assert replay("shop", "--dry-run", "--lake-table", "orders") == 0
    printed = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    assert "orders 1 3" in printed
    assert not any(text.startswith("customers ") for text in printed)


def test_a_change_without_a_lake_table_has_no_command(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.s3.add(f"aws/lambda/{MAPPING}/one", batch(stream_record(1)))
    assert replay("shop", "--json", "--dry-run") == 0
    [change] = json.loads(capsys.readouterr().out)["listed"]
    assert (change["outcome"], change["lake_table"], change["test_command"]) == (
        "filtered",
        None,
        None,
    )


def test_lists_the_errors_of_a_backfill_once(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    key = clients.s3.add(
        "errors/shop/shop-dev/backfill-failed/2026/11/23/file-1.json",
        error_line(b'{"Item":1}', function=None),
    )
    assert replay("shop", "--json", "--dry-run") == EXIT_PARTIAL
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["key"], problem["code"]) == (key, "unknown-lines")
    assert replay("shop", "--json", "--dry-run", "--lake-table", "orders") == 0


@pytest.mark.parametrize(
    ("pipeline", "place", "backfilled", "streams"),
    [
        ("shop", "shop/shop-dev", ["orders", "customers"], {"orders", "customers"}),
        ("shop", "shop/shop-dev", ["customers"], {"customers"}),
        ("orders", "shop/orders", ["lake-table"], {"orders-delivery"}),
    ],
)
def test_sends_the_items_that_a_backfill_could_not_send(
    clients: FakeClients,
    capsys: pytest.CaptureFixture[str],
    pipeline: str,
    place: str,
    backfilled: list[str],
    streams: set[str],
) -> None:
    item = {"id": {"S": "o-1"}, "kind": {"S": "order"}, "name": {"S": "c"}}
    line = InvalidLine(1, json.dumps({"Item": item}).encode(), "Backfill.LineUnreadable", "x")
    snapshot = {
        "takenAt": 1_795_418_914_028,
        "streamArn": STREAM_ARN,
        "keyNames": ["id"],
        "lakeTables": backfilled,
    }
    key = f"errors/{place}/backfill-failed/2026/11/23/file-1.json"
    clients.s3.add(key, error_records([line], 1, snapshot))
    assert replay(pipeline, "--json") == 0
    assert json.loads(capsys.readouterr().out)["changes"]["sent"] == len(streams)
    assert set(clients.firehose.calls_by_stream) == {STREAMS.get(each, each) for each in streams}
    assert key not in clients.s3.contents


def test_rejects_an_unknown_lake_table(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    for pipeline in ("shop", "orders"):
        assert replay(pipeline, "--lake-table", "carts") not in (0, EXIT_PARTIAL)
    assert capsys.readouterr().out == ""
    assert clients.s3.downloads == []


@pytest.mark.parametrize(("kind", "sent"), [("order", 1), ("draft", 0)])
def test_recovers_the_rows_of_items_that_the_lake_table_still_has(
    clients: FakeClients, capsys: pytest.CaptureFixture[str], kind: str, sent: int
) -> None:
    item = {"id": {"S": "o-1"}, "kind": {"S": kind}}
    clients.dynamodb.batch_get_item.return_value = {"Responses": {"orders": [item]}}
    shards = {"StreamDescription": {"Shards": []}}
    clients.dynamodbstreams.describe_stream.return_value = shards
    row = {
        "_event_id": "event-1",
        "_op": "INSERT",
        "_sequence_number": "4421584500000000017450439001",
        "_changed_at": "2026-11-23 09:30:00.000",
        "_key": KEY,
    }
    body = json.dumps({name: row.get(name, "") for name in METADATA_COLUMNS}).encode()
    clients.s3.add("errors/shop/orders/one", error_line(body, function=None))

    assert replay("shop", "--json") == 0

    changes = json.loads(capsys.readouterr().out)["changes"]
    assert (changes["from_table"], changes["deleted_since"]) == (sent, 1 - sent)
    assert list(sent_by_stream(clients)) == ["orders"] * sent
