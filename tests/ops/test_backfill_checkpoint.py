import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from streaming_etl.ops.backfill.checkpoint import Checkpoint, Segment, Subject, open_checkpoint
from streaming_etl.stack.errors import CommandError

SUBJECT = Subject("dev", "orders", "arn:table/orders", "2026-11-01T09:00:00+00:00", "arn:stream/1")
FAR = Segment(
    start={"id": {"B": b"\x00\xff"}, "line": {"N": "7"}, "name": {"S": "é"}},
    items=12,
    read_units=3.5,
    too_large=["snapshot-1-a"],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "checkpoint.json"


def opened(path: Path, segments: int | None = None, restart: bool = False) -> Checkpoint:
    return open_checkpoint(path, SUBJECT, segments, 2, restart=restart)


def test_without_a_file_a_backfill_begins_with_empty_segments_and_writes_nothing_yet(
    path: Path,
) -> None:
    assert opened(path).segments == [Segment(), Segment()]
    assert opened(path, segments=3).segments == [Segment()] * 3
    assert not path.exists()


def test_the_file_holds_how_far_each_segment_has_come_with_binary_keys_as_text(path: Path) -> None:
    opened(path).passed(1, FAR)

    assert json.loads(path.read_text()) == {
        "version": 1,
        "stack": "dev",
        "pipeline": "orders",
        "table_arn": "arn:table/orders",
        "table_created": "2026-11-01T09:00:00+00:00",
        "stream_arn": "arn:stream/1",
        "done": False,
        "segments": [
            {"start": None, "done": False, "items": 0, "read_units": 0.0, "too_large": []},
            {
                "start": {"id": {"B": "AP8="}, "line": {"N": "7"}, "name": {"S": "é"}},
                "done": False,
                "items": 12,
                "read_units": 3.5,
                "too_large": ["snapshot-1-a"],
            },
        ],
    }


def test_what_was_written_comes_back_as_it_was(path: Path) -> None:
    opened(path).passed(1, FAR)

    again = opened(path)

    assert again.segments == [Segment(), FAR]
    assert (again.items, again.read_units, again.too_large) == (12, 3.5, ["snapshot-1-a"])
    assert not again.done


def test_a_backfill_is_done_when_all_its_segments_are_and_the_file_says_so(path: Path) -> None:
    checkpoint = opened(path)
    checkpoint.passed(0, Segment(done=True))
    assert not opened(path).done
    checkpoint.passed(1, Segment(done=True))

    assert opened(path).done
    assert json.loads(path.read_text())["done"] is True


def test_only_its_owner_may_read_the_file_whatever_lay_there_before(path: Path) -> None:
    checkpoint = opened(path)
    path.parent.mkdir()
    for name in (path, path.with_name("checkpoint.json.new")):
        name.write_text("open to all")
        name.chmod(0o644)

    checkpoint.save()

    assert [each.name for each in path.parent.iterdir()] == ["checkpoint.json"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_crash_while_the_file_is_written_leaves_the_old_one_whole(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = opened(path)
    checkpoint.passed(0, FAR)

    class CrashError(Exception):
        pass

    def crash(_: int) -> None:
        raise CrashError

    with monkeypatch.context() as patched:
        patched.setattr("streaming_etl.ops.backfill.checkpoint.os.fsync", crash)
        with pytest.raises(CrashError):
            checkpoint.passed(0, Segment(done=True))

    assert opened(path).segments == [FAR, Segment()]


@pytest.mark.parametrize("field", ["stack", "pipeline", "table_arn", "table_created", "stream_arn"])
def test_a_checkpoint_of_anything_else_is_refused_with_what_differs(path: Path, field: str) -> None:
    opened(path).save()
    other = replace(SUBJECT, **{field: "another"})

    with pytest.raises(CommandError) as refusal:
        open_checkpoint(path, other, None, 2, restart=False)

    assert str(refusal.value.message) == (
        f"The checkpoint {path} is of another backfill: {field} is "
        f"{getattr(SUBJECT, field)!r} there and 'another' now. Name another file with "
        "--checkpoint, or begin anew with --restart, which replaces it."
    )
    assert open_checkpoint(path, other, None, 2, restart=True).segments == [Segment(), Segment()]


def test_another_number_of_segments_is_refused_and_none_takes_the_files(path: Path) -> None:
    opened(path, segments=3).save()

    assert len(opened(path).segments) == 3
    with pytest.raises(CommandError, match=r"^--segments=4 does not go with .* has 3: leave"):
        opened(path, segments=4)
    assert len(opened(path, segments=4, restart=True).segments) == 4


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "segments": []}', "\x00"])
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)

    with pytest.raises(CommandError, match="is no checkpoint of this version"):
        opened(path)

    assert path.read_text() == text
