"""The checkpoint of a scan: content, permissions, and what it rejects."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_etl.ops.backfill.checkpoint import (
    Checkpoint,
    CheckpointIdentity,
    Segment,
    open_checkpoint,
)
from streaming_etl.stack.errors import CommandError

IDENTITY = CheckpointIdentity(
    "dev", "orders", "arn:table/orders", "2026-11-01T09:00:00+00:00", "arn:stream/1", ["orders"]
)
PROGRESS = Segment(
    start={"id": {"B": b"\x00\xff"}, "line": {"N": "7"}, "name": {"S": "é"}},
    items=12,
    read_units=3.5,
    too_large=["snapshot-1-a"],
    unmatched=4,
    sent={"orders": 9, "events": 12},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "checkpoint.json"


def opened(path: Path, segments: int | None = None, restart: bool = False) -> Checkpoint:
    return open_checkpoint(path, IDENTITY, segments, 2, restart=restart)


def test_starts_with_empty_segments_and_writes_nothing(path: Path) -> None:
    assert opened(path).segments == [Segment(), Segment()]
    assert opened(path, segments=3).segments == [Segment()] * 3
    assert not path.exists()


def test_writes_progress_with_binary_keys_as_text_and_reads_it_again(path: Path) -> None:
    opened(path).update(1, PROGRESS)

    assert json.loads(path.read_text()) == {
        "version": 1,
        "stack": "dev",
        "pipeline": "orders",
        "table_arn": "arn:table/orders",
        "table_created": "2026-11-01T09:00:00+00:00",
        "stream_arn": "arn:stream/1",
        "lake_tables": ["orders"],
        "done": False,
        "completed": False,
        "segments": [
            {
                "start": None,
                "done": False,
                "items": 0,
                "read_units": 0.0,
                "too_large": [],
                "unmatched": 0,
                "sent": {},
            },
            {
                "start": {"id": {"B": "AP8="}, "line": {"N": "7"}, "name": {"S": "é"}},
                "done": False,
                "items": 12,
                "read_units": 3.5,
                "too_large": ["snapshot-1-a"],
                "unmatched": 4,
                "sent": {"orders": 9, "events": 12},
            },
        ],
    }
    again = opened(path)
    assert again.segments == [Segment(), PROGRESS]
    assert (again.items, again.read_units, again.too_large) == (12, 3.5, ["snapshot-1-a"])
    assert (again.unmatched, again.items_read, again.sent) == (4, 17, PROGRESS.sent)


def test_is_completed_only_after_the_marker(path: Path) -> None:
    checkpoint = opened(path)
    checkpoint.update(0, Segment(done=True))
    checkpoint.update(1, Segment(done=True))
    assert not opened(path).completed
    checkpoint.complete()
    assert opened(path).completed


def test_a_checkpoint_of_an_earlier_version_is_not_completed(path: Path) -> None:
    opened(path).complete()
    document = json.loads(path.read_text())
    del document["completed"]
    path.write_text(json.dumps(document))
    assert not opened(path).completed


def test_a_checkpoint_of_an_earlier_version_is_of_the_only_lake_table(path: Path) -> None:
    only = replace(IDENTITY, lake_tables=[])
    open_checkpoint(path, only, None, 2, restart=False).update(1, PROGRESS)
    document = json.loads(path.read_text())
    del document["lake_tables"]
    for segment in document["segments"]:
        del segment["unmatched"], segment["sent"]
    path.write_text(json.dumps(document))
    again = open_checkpoint(path, only, None, 2, restart=False)
    assert again.segments == [Segment(), replace(PROGRESS, unmatched=0, sent={})]
    with pytest.raises(CommandError):
        opened(path)


def test_rejects_the_checkpoint_of_other_lake_tables(path: Path) -> None:
    opened(path).save()
    with pytest.raises(CommandError) as error:
        open_checkpoint(
            path, replace(IDENTITY, lake_tables=["orders", "events"]), None, 2, restart=False
        )
    assert error.value.code == "other-checkpoint"
    assert error.value.details["field"] == "lake_tables"


def test_is_done_when_all_segments_are(path: Path) -> None:
    checkpoint = opened(path)
    checkpoint.update(0, Segment(done=True))
    assert not opened(path).done
    checkpoint.update(1, Segment(done=True))
    assert opened(path).done
    assert json.loads(path.read_text())["done"] is True


def test_only_the_owner_may_read_the_file(path: Path) -> None:
    checkpoint = opened(path)
    path.parent.mkdir()
    for existing in (path, path.with_name("checkpoint.json.new")):
        existing.write_text("readable by all")
        existing.chmod(0o644)

    checkpoint.save()

    assert [each.name for each in path.parent.iterdir()] == ["checkpoint.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_crash_during_a_write_keeps_the_old_content(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = opened(path)
    checkpoint.update(0, PROGRESS)

    def crash(_: int) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr("streaming_etl.ops.backfill.checkpoint.os.fsync", crash)
        with pytest.raises(OSError):  # noqa: PT011 (any error)
            checkpoint.update(0, Segment(done=True))

    assert opened(path).segments == [PROGRESS, Segment()]


@pytest.mark.parametrize("field", ["stack", "pipeline", "table_arn", "table_created", "stream_arn"])
def test_rejects_the_checkpoint_of_another_backfill(path: Path, field: str) -> None:
    opened(path).save()
    other = replace(IDENTITY, **{field: "another"})

    with pytest.raises(CommandError) as error:
        open_checkpoint(path, other, None, 2, restart=False)

    assert error.value.code == "other-checkpoint"
    stored = getattr(IDENTITY, field)
    details = {"field": field, "checkpoint_value": stored, "value": "another"}
    assert error.value.details == details
    assert open_checkpoint(path, other, None, 2, restart=True).segments == [Segment(), Segment()]


def test_rejects_another_number_of_segments(path: Path) -> None:
    opened(path, segments=3).save()
    assert len(opened(path).segments) == 3
    with pytest.raises(CommandError) as error:
        opened(path, segments=4)
    assert error.value.code == "other-segments"
    assert error.value.details == {"segments": 4, "checkpoint_segments": 3}
    assert len(opened(path, segments=4, restart=True).segments) == 4


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "segments": []}', "\x00"])
def test_rejects_other_files_and_keeps_them(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(CommandError) as error:
        opened(path)
    assert error.value.code == "not-a-checkpoint"
    assert path.read_text() == text
