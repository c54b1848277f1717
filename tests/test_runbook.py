"""The runbook has a section for every alarm."""

import inspect
import re

import pytest

from streaming_etl import (
    BackfillArgs,
    MonitoringArgs,
    PartitionArgs,
    StreamingEtlPipeline,
    StreamingEtlPipelineArgs,
)
from streaming_etl.components.monitoring.alarms import alarms
from tools.project import ROOT

TEXT = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in TEXT.split("\n## ")[1:]}

EVERY_ALARM = StreamingEtlPipelineArgs(
    table_name="orders",
    transform_module="transforms/orders.py",
    format="parquet",
    catalog="crawler",
    partitions=PartitionArgs(dynamic_partition_keys={"kind": ["a"]}),
    backfill=BackfillArgs(enabled=True),
    monitoring=MonitoringArgs(alarms="all"),
)


def test_every_alarm_has_a_section_in_the_order_of_the_data_flow() -> None:
    assert list(SECTIONS) == [alarm.name for alarm in alarms(EVERY_ALARM)]


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_four_parts(name: str) -> None:
    parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", SECTIONS[name], re.MULTILINE)
    assert parts == ["Means", "At risk", "Look", "Do"]


def test_settings_and_outputs_in_the_runbook_exist() -> None:
    names = set(re.findall(r"`((?:[a-z]+\.)?[a-z]+(?:_[a-z]+)+)`", TEXT))
    settings = {
        f"{group}.{setting}"
        for group, args in vars(EVERY_ALARM).items()
        for setting in getattr(args, "__dataclass_fields__", ())
    }
    without_group = {name.partition(".")[2] for name in settings}
    outputs = set(inspect.get_annotations(StreamingEtlPipeline))
    assert names - settings - without_group - outputs == set()
    assert "monitoring.max_iterator_age_seconds" in names & settings


def test_log_messages_in_the_runbook_are_those_of_the_handlers() -> None:
    messages = set(re.findall(r"`(change [a-z ]+)`", TEXT))
    messages |= set(re.findall(r'\$\.message = "([a-z ]+)"', TEXT))
    assert messages == {"change too large", "change failed", "out of time"}
    code = "".join(path.read_text() for path in (ROOT / "handlers").rglob("*.py"))
    assert [message for message in messages if f'"{message}"' not in code] == []
