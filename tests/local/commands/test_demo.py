import dataclasses
import io
import re
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from local.commands.demo import demo
from local.sample.lake import Refused
from local.sample.run import Folder, TableReport
from local.sample.writes import differences, samples
from streaming_etl.stack.outputs import Pipeline
from tests.docs.blocks import all_blocks
from tests.docs.text_blocks import masked


@pytest.mark.e2e
def test_the_example_stack_takes_the_sample_from_dynamodb_to_athena() -> None:
    screen = io.StringIO()

    assert demo(Console(file=screen, width=80)), screen.getvalue()

    text = screen.getvalue()
    [shown] = [block.text for block in all_blocks() if block.text.startswith("From DynamoDB to")]
    assert masked(text) == masked(shown)
    assert "448 of 448 changes" in text
    # Two folders, should the day end in Tokyo while the sample is written.
    assert re.search(r"[12] new partitions? of orders; shipments needs none", text)
    assert text.count("they agree") == 2
    assert "Lambda.ProcessingFailedStatus" in text
    assert '"message": "change failed"' in text
    [broken] = [write for write in samples()["orders"].writes if is_broken(write.item)]
    assert broken.id not in text


def is_broken(item: dict[str, Any] | None) -> bool:
    return item is not None and "store_id" not in item


def test_the_sample_is_the_same_in_every_run_and_holds_every_kind_of_write() -> None:
    assert samples() == samples()
    for sample in samples().values():
        assert {write.kind for write in sample.writes} == {"insert", "update", "delete"}
    broken = [is_broken(write.item) for write in samples()["orders"].writes]
    assert sum(broken) == samples()["orders"].refusals == 1


REFUSED = Refused("event-1", "Lambda.ProcessingFailedStatus", "failed", "errors/key")
AS_IT_SHOULD_BE = TableReport(
    pipeline=Pipeline("orders", {}),
    location="s3://bucket/data/",
    compared=(),
    changes=3,
    missing=0,
    folders=[Folder("day=23", objects=1, size=10, rows=2)],
    items=1,
    state=[],
    differing=[],
    refused=[REFUSED],
    refusals_expected=1,
    refusal_log={"event-1": "{}"},
)


def test_a_report_without_fault_has_no_problems() -> None:
    assert AS_IT_SHOULD_BE.problems == []


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ({"missing": 2}, "orders: 2 of 3 changes arrived nowhere."),
        ({"differing": ["o-1"]}, "orders: table and current state differ in o-1."),
        (
            {"folders": [Folder("day=24", objects=1, size=10, rows=0)]},
            "orders: Athena sees no row in day=24.",
        ),
        ({"refused": []}, "orders: 0 changes were refused, not 1."),
        (
            {"refusal_log": {"event-1": None}},
            "orders: the transform's log says nothing of the refused change event-1.",
        ),
    ],
)
def test_each_fault_is_a_problem_of_its_own(fault: dict[str, Any], problem: str) -> None:
    assert dataclasses.replace(AS_IT_SHOULD_BE, **fault).problems == [problem]


def test_the_comparison_finds_what_is_too_much_too_little_or_other() -> None:
    items = {
        "same": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "other": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "late": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "null": {"at": "2026-11-01T09:00:00"},
        "only in the table": {},
    }
    rows = {
        "same": {"kg": "1.500", "at": "2026-11-01 09:00:00"},
        "other": {"kg": "1.501", "at": "2026-11-01 09:00:00"},
        "late": {"kg": "1.500", "at": "2026-11-01 08:59:00"},
        "null": {"kg": None, "at": "2026-11-01 09:00:00"},
        "only in the lake": {"kg": None, "at": None},
    }

    found = differences(items, rows, ("kg", "at"))

    assert found == ["late", "only in the lake", "only in the table", "other"]
