"""`streaming-etl replay` on the command line: what it refuses, prints and answers with."""

import json
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.ops.__main__ import main
from streaming_etl.ops.replay import command
from streaming_etl.stack.outputs import Pipeline, Stack, StackConfig
from tests.components.pipelines import TYPED
from tests.handlers.fakes import FakeFirehose, line, stream_record
from tests.ops.replay_fakes import BUCKET, ERRORS, FakeS3, batch, error_line

OUTPUTS = {
    "bucket": BUCKET,
    "delivery_stream": "stream",
    "failed_batches_location": f"s3://{BUCKET}/aws/lambda/mapping/",
    "errors_location": f"s3://{BUCKET}/{ERRORS}",
    "source_stream_arn": "arn:stream",
    "source_table": "orders",
}


class FakeClients:
    def __init__(self) -> None:
        self.s3, self.firehose = FakeS3(), FakeFirehose()

    def __call__(self, service: str) -> Any:
        return getattr(self, service)


@pytest.fixture
def clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeClients:
    """A stack with the pipelines `orders`, `shared` (in a bucket from outside) and `unknown`."""
    clients = FakeClients()
    module = tmp_path / "module.py"
    module.write_text(TYPED)
    table = {"table_name": "orders", "transform_module": str(module), "partitions": {}}
    tables = {"orders": table, "shared": table | {"lake": {"bucket_name": BUCKET}}}
    config = StackConfig("streaming-etl", "dev", {"streaming-etl:tables": json.dumps(tables)})
    pipelines = [Pipeline(name, OUTPUTS) for name in ("orders", "shared", "unknown")]

    def open_stack(stack: str, outputs: Any, endpoint_url: Any) -> Stack:
        assert (stack, outputs, endpoint_url) == ("dev", None, None)
        return Stack(config, pipelines, clients)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "open_stack", open_stack)
    return clients


def replay(*args: str) -> int:
    return main(["replay", *args, "--stack", "dev"])


def test_json_is_all_that_stands_on_the_standard_output(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    clients.s3.add(f"{ERRORS}two", b"{")

    status = replay("orders", "--json")

    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert status == 3
    assert result["changes"]["put_back"] == 1
    assert result["left"] == [
        {
            "key": f"{ERRORS}two",
            "place": 1,
            "reason": "it is neither a failed batch nor error records of Firehose",
        }
    ]
    assert printed.err == "2 objects, 419 bytes at 2026-11-23 12:00 UTC.\n"


def test_people_read_what_there_was_what_was_done_and_what_is_left(
    clients: FakeClients, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    clients.s3.add("aws/lambda/mapping/two", batch(stream_record(2), "no"), minutes=1440)

    assert replay("orders") == 3

    told = [" ".join(text.split()) for text in capsys.readouterr().out.splitlines()]
    assert told == [
        "Objects by the day on which they were written",
        "Day (UTC) Objects",
        "2026-11-23 1",
        "2026-11-24 1",
        "",
        "What they hold by its reason",
        "Error Entries",
        "Lambda.ProcessingFailedStatus 1",
        "RetryAttemptsExhausted 2",
        "",
        "Left where it is",
        "Object Entry Reason",
        "aws/lambda/mapping/two 2 it is no stream record (TypeError)",
        "",
        "2 changes are put back, and 1 of 2 objects are moved below replayed/.",
        "1 cannot be put back; docs/replay.md tells what to do.",
    ]


def test_a_dry_run_says_would(clients: FakeClients, capsys: pytest.CaptureFixture[str]) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    assert replay("orders", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "1 changes would be put back, and 1 of 1 objects would be moved below replayed/."
    )
    assert (clients.firehose.calls, clients.s3.operations) == ([], [])


@pytest.mark.parametrize(
    ("source", "lines"),
    [("failed-batches", [1, 2]), ("errors", [3]), ("all", [1, 2, 3])],
)
def test_from_names_the_places_that_are_read(
    clients: FakeClients, source: str, lines: list[int]
) -> None:
    clients.s3.add("aws/lambda/mapping/one", batch(stream_record(1)))
    clients.s3.add("aws/lambda/replaced-mapping/two", batch(stream_record(2)))
    clients.s3.add(f"{ERRORS}three", error_line(line(3)))
    assert replay("orders", "--from", source) == 0
    assert clients.firehose.calls == [[b"".join(line(number) for number in lines)]]


def test_in_a_bucket_of_many_pipelines_only_the_own_mapping_is_read(clients: FakeClients) -> None:
    clients.s3.add("aws/lambda/mapping/one", batch(stream_record(1)))
    clients.s3.add("aws/lambda/other/two", batch(stream_record(2)))
    assert replay("shared") == 0
    assert clients.firehose.calls == [[line(1)]]


@pytest.mark.parametrize("time", ["2026-11-23T12:01", "2026-11-23T21:01+09:00"])
def test_times_are_utc_unless_they_name_a_zone(clients: FakeClients, time: str) -> None:
    for minute in range(3):
        clients.s3.add(f"{ERRORS}{minute}", error_line(line(minute)), minutes=minute)
    assert replay("orders", "--since", time, "--until", "2026-11-24") == 0
    assert clients.firehose.calls == [[line(1) + line(2)]]


@pytest.mark.parametrize(
    ("args", "status", "message"),
    [
        (
            ["orders", "--since", "yesterday"],
            2,
            "Invalid value for '--since': 'yesterday' is no time; write 2026-11-23, "
            "2026-11-23T09:30 (both UTC) or 2026-11-23T18:30+09:00.",
        ),
        (
            ["orders", "--since", "2026-11-23", "--until", "2026-11-23"],
            2,
            "--since 2026-11-23 00:00:00+00:00 is not before --until 2026-11-23 00:00:00+00:00.",
        ),
        (["orders", "--kib-per-second", "0"], 2, "0.0 is not in the range x>=1."),
        (["nope"], 1, "The stack dev has no pipeline nope; it has orders, shared, unknown."),
        (["unknown"], 1, "Pulumi.dev.yaml has no table unknown, though the stack has the"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(
    clients: FakeClients,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    status: int,
    message: str,
) -> None:
    clients.s3.add(f"{ERRORS}one", error_line(line(1)))
    assert replay(*args) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, clients.firehose.calls, clients.s3.operations) == ("", [], [])
