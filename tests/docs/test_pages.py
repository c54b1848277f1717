"""Every page is led to, and every name in it leads somewhere."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from streaming_etl import StreamingEtlPipelineArgs
from streaming_etl.stack.outputs import ROOT
from tests.docs import settings_blocks
from tests.docs.blocks import pages
from tests.docs.json_blocks import check_action
from tests.docs.links import anchors, broken, links

GROUPS = {
    item.name: {setting.name for setting in dataclasses.fields(item.type)}
    for item in dataclasses.fields(StreamingEtlPipelineArgs)
    if isinstance(item.type, type) and dataclasses.is_dataclass(item.type)
}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def inline(page: Path) -> list[str]:
    """What stands between backticks within a line."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page.read_text())


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_link_of_it_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_setting_that_it_names_with_its_group_exists(page: Path) -> None:
    found = [code.split(".") for code in inline(page) if re.fullmatch(r"[a-z]+\.[a-z_]+", code)]
    assert [one for one in found if one[0] in GROUPS and one[1] not in GROUPS[one[0]]] == []


def takes(name: str, value: object) -> bool:
    """Whether a pipeline, or one of its groups, takes the setting."""
    places = [{name: value}, *({group: {name: value}} for group in GROUPS if name in GROUPS[group])]
    return any(settings_blocks.refused(place) is None for place in places)


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_setting_that_it_names_with_a_value_takes_it(page: Path) -> None:
    for code in inline(page):
        if re.fullmatch(r"[a-z_]+: .+", code):
            [(name, value)] = yaml.safe_load(code).items()
            assert takes(name, value), code


def test_a_setting_that_does_not_exist_or_takes_no_such_value_is_found() -> None:
    assert takes("old_image", "always")
    assert takes("source", {"use_existing": True})
    assert not takes("old_image", "sometimes")
    assert not takes("nothing_such", 1)


@pytest.mark.parametrize("page", pages(), ids=named)
def test_every_action_that_it_names_is_one_of_aws(page: Path) -> None:
    for code in inline(page):
        if re.fullmatch(r"[a-z0-9]+:[A-Z]\w+", code):
            check_action(code)


def test_links_and_headings_that_are_wrong_are_found(tmp_path: Path) -> None:
    page = ROOT / "docs" / "runbook.md"
    assert {"not-polling", "late-forwarding"} <= anchors(page)
    assert len(links(page)) > 10
    made = tmp_path / "page.md"
    made.write_text("# What's `a` b?\n\n## Twice\n\n## Twice\n\n[x](#twice-1) [y](#twice-2)\n")
    assert anchors(made) == {"whats-a-b", "twice", "twice-1"}


def test_a_link_to_no_file_no_heading_or_out_of_the_repository_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.docs.links.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# One\n\n[a](#one) [b](#two) [c](none.md) [d](page.md#two) [e](../x) [f](.)\n")
    assert broken(page) == ["#two", "none.md", "page.md#two", "../x"]
