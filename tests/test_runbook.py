"""The runbook has a section for every alarm; its commands are looked at in tests/docs."""

import inspect
import re
from pathlib import Path

import pytest

from streaming_etl import (
    BackfillArgs,
    PartitionArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.monitoring.alarms import alarms

ROOT = Path(__file__).resolve().parent.parent
RUNBOOK = ROOT / "docs" / "runbook.md"
TEXT = RUNBOOK.read_text()
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in TEXT.split("\n## ")[1:]}

# Every alarm there is: with Parquet, row keys, a crawler and the backfill of a large table.
EVERYTHING = StreamingEtlPipelineArgs(
    table_name="orders",
    transform_module="transforms/orders.py",
    format="parquet",
    catalog="crawler",
    partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
    backfill=BackfillArgs(enabled=True),
)
KINDS = [alarm.kind for alarm in alarms(EVERYTHING, "orders", "prod")]


def test_every_alarm_has_a_section_and_every_section_an_alarm_in_the_order_of_the_flow() -> None:
    assert list(SECTIONS) == KINDS


@pytest.mark.parametrize("kind", SECTIONS)
def test_a_section_tells_what_it_means_what_is_at_risk_where_to_look_and_what_to_do(
    kind: str,
) -> None:
    assert re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", SECTIONS[kind], re.MULTILINE) == [
        *("Means", "At risk", "Look", "Do")
    ]


def test_every_setting_and_output_that_it_names_exists() -> None:
    named = set(re.findall(r"`((?:[a-z]+\.)?[a-z]+(?:_[a-z]+)+)`", TEXT))
    groups = vars(EVERYTHING)
    settings = {
        f"{group}.{setting}"
        for group, args in groups.items()
        for setting in getattr(args, "__dataclass_fields__", ())
    }
    bare = {name.partition(".")[2] for name in settings}
    outputs = set(inspect.get_annotations(StreamingEtlPipeline))
    assert named - settings - bare - outputs == set()
    assert "monitoring.max_iterator_age_seconds" in named & settings


def test_every_line_of_the_log_that_it_names_is_one_that_the_handlers_write() -> None:
    named = set(re.findall(r"`(change [a-z ]+)`", TEXT))
    named |= set(re.findall(r'\$\.message = "([a-z ]+)"', TEXT))
    assert named == {"change too large", "change failed"}
    written = "".join(path.read_text() for path in (ROOT / "handlers").glob("*.py"))
    assert {line for line in named if f'"{line}"' not in written} == set()
