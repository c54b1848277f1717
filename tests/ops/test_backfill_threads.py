import threading
import time
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.ops.backfill.checkpoint import Checkpoint, Segment, Subject
from streaming_etl.ops.backfill.run import Stop, StoppedError, run
from streaming_etl.stack.errors import CommandError

ENOUGH = 10_000


class Pages:
    """A scan whose first segment meets an error, and whose others have pages to no end."""

    def __init__(self, checkpoint: Checkpoint, error: BaseException) -> None:
        self.checkpoint, self.error = checkpoint, error
        self.failed = threading.Event()
        self.after = 0

    def pass_page(self, number: int) -> int:
        if number == 0:
            self.failed.set()
            raise self.error
        self.failed.wait()
        self.after += 1
        time.sleep(0.001)
        self.checkpoint.segments[number].done = self.after == ENOUGH
        return 1


@pytest.mark.parametrize("error", [CommandError("refused"), KeyboardInterrupt()], ids=type)
def test_what_ends_one_segment_ends_the_others_between_two_pages(error: BaseException) -> None:
    subject = Subject("dev", "orders", "", "", "")
    checkpoint = Checkpoint(Path("file"), subject, [Segment(), Segment()])
    pages: Any = Pages(checkpoint, error)

    with pytest.raises(type(error)):
        run(pages, checkpoint, Stop(), lambda _: None)

    assert pages.after < ENOUGH


def test_only_segments_that_are_not_done_are_passed() -> None:
    subject = Subject("dev", "orders", "", "", "")
    checkpoint = Checkpoint(Path("file"), subject, [Segment(done=True), Segment(), Segment()])
    passed = []

    class OnePage:
        def pass_page(self, number: int) -> int:
            passed.append(number)
            checkpoint.segments[number] = Segment(done=True, items=7)
            return 7

    told: list[float] = []
    pages: Any = OnePage()
    run(pages, checkpoint, Stop(), told.append)

    assert (sorted(passed), told) == ([1, 2], [7, 7])


def test_a_thread_that_waits_is_ended_too() -> None:
    stop = Stop()
    stop.sleep(0)
    stop.set()

    with pytest.raises(StoppedError):
        stop.sleep(3600)
