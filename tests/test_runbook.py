"""The runbook has a section for every alarm and failure mode."""

import inspect
import re
from dataclasses import fields

import pytest

from streaming_etl import StreamingEtlPipeline
from streaming_etl.components.monitoring.failure_modes import FAILURE_MODES
from streaming_etl.components.settings.stack_config import GROUPS
from tools.docs.runbook_page import every_alarm
from tools.project import ROOT

TEXT = (ROOT / "docs" / "runbook.md").read_text()
_, ESSENTIAL_TEXT, OPT_IN_TEXT = re.split(r"\n## (?:Essential|Opt-in) alarms\n", TEXT)
ALARMS = every_alarm()


def sections_of(text: str) -> dict[str, str]:
    return {
        part.partition("\n")[0]: part.partition("\n")[2].strip()
        for part in text.split("\n### ")[1:]
    }


ESSENTIAL, OPT_IN = sections_of(ESSENTIAL_TEXT), sections_of(OPT_IN_TEXT)
SECTIONS = ESSENTIAL | OPT_IN


def linked(text: str) -> set[str]:
    return set(re.findall(r"\(#([a-z-]+)\)", text))


def test_every_alarm_has_a_section_of_its_level_in_the_order_of_the_data_flow() -> None:
    assert list(ESSENTIAL) == [alarm.name for alarm in ALARMS if alarm.level == "essential"]
    assert list(OPT_IN) == [alarm.name for alarm in ALARMS if alarm.level == "all"]


def test_every_section_but_that_of_several_failures_and_of_the_lag_is_a_failure_mode() -> None:
    assert set(SECTIONS) - set(FAILURE_MODES) == {"dead-lettered", "lag"}
    assert set(FAILURE_MODES) < set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_has_four_parts(name: str) -> None:
    parts = re.findall(r"^\*\*([A-Z][a-z ]+)\.\*\*", SECTIONS[name], re.MULTILINE)
    assert parts == ["Means", "At risk", "Look", "Do"]


@pytest.mark.parametrize("name", OPT_IN)
def test_the_section_of_an_opt_in_alarm_names_the_essential_alarms(name: str) -> None:
    first = SECTIONS[name].splitlines()[0]
    assert first.startswith("Opt-in alarm. ")
    assert linked(first) == set(FAILURE_MODES[name])


@pytest.mark.parametrize("name", ESSENTIAL)
def test_the_section_of_an_essential_alarm_distinguishes_its_failure_modes(name: str) -> None:
    covered = {mode for mode, names in FAILURE_MODES.items() if name in names}
    table = "\n".join(line for line in SECTIONS[name].splitlines() if line.startswith("|"))
    assert covered - {name} <= linked(table)


def test_settings_and_outputs_in_the_runbook_exist() -> None:
    names = set(re.findall(r"`((?:[a-z]+\.)?[a-z]+(?:_[a-z]+)+)`", TEXT))
    settings = {
        f"{group}.{field.name}"
        for group, cls in GROUPS.items()
        for field in fields(cls)  # type: ignore[arg-type]
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
