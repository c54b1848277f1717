"""The pages agree with the code: links, commands, settings, programs.

Commands are parsed, not run; nothing here proves what AWS or the Pulumi CLI does with them.
"""

import dataclasses
import json
import re
import shlex
from typing import Any

import click
import pytest

from streaming_etl import SettingsError, StreamingEtlPipelineArgs, args_from_config
from streaming_etl.components.settings.stack_config import settings_from_config
from streaming_etl.ops.__main__ import commands
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.pulumi_yaml import load
from streaming_etl.stack.recorder import build
from tests.docs.pages import ROOT, Block, anchors, blocks, links, pages

SETTINGS_NAMES = {field.name for field in dataclasses.fields(StreamingEtlPipelineArgs)}
OTHER_PROGRAMS = {
    "aws",
    "cd",
    "echo",
    "export",
    "git",
    "mkdir",
    "npm",
    "pip",
    "pulumi",
    "python",
    "uv",
}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_leads_to_a_file_and_a_heading(page: Any) -> None:
    broken = []
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_readme_lists_every_page() -> None:
    listed = {link.partition("#")[0] for link in links(ROOT / "README.md")}
    assert {f"docs/{page.name}" for page in ROOT.glob("docs/*.md")} <= listed


def test_the_readme_is_short_and_reaches_deploy_early() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 200
    assert lines.index("## Deploy") < 100


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_blocks_are_json(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_blocks_contain_valid_settings(block: Block) -> None:
    document = load(block.text)
    config = document.get("config", document)
    if "streaming-etl:tables" in config:
        defaults = config.get("streaming-etl:defaults")
        settings_from_config(config["streaming-etl:tables"], defaults)
    elif set(document) <= SETTINGS_NAMES:
        required = {"table_name": "orders", "transform_module": "orders.py", "partitions": {}}
        args_from_config("tables.t", {**required, **document})


def test_the_readme_config_builds_the_pipelines_of_the_example_stack() -> None:
    block = next(block for block in blocks("yaml") if block.page == "README.md")
    config = load(block.text)["config"]
    graph = program_graph({key: json.dumps(value) for key, value in config.items()})
    # Pulumi registers resources from threads, in any order.
    names = sorted(node.name for node in graph.of("StreamingEtlPipeline"))
    assert names == ["orders", "shipments"]


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_blocks_run_and_programs_create_a_pipeline(
    block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = compile(block.text, str(block), "exec")
    if "StreamingEtlPipeline(" not in block.text:
        return
    monkeypatch.chdir(ROOT)
    graph = build(lambda: exec(code, {"__name__": "__main__"}))
    assert graph.of("StreamingEtlPipeline")


def command_lines() -> list[tuple[str, str]]:
    """Place and text of every command in a shell block."""
    lines = []
    for block in blocks("sh"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                lines.append((f"{block}", shlex.join(words)))
    return lines


@pytest.mark.parametrize(("place", "line"), command_lines())
def test_commands_exist_with_these_options(place: str, line: str) -> None:
    words = shlex.split(line)
    if "|" in words:
        words = words[: words.index("|")]
    program = words[0].rpartition(".venv/bin/")[2]
    if program == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= targets, place
    elif program == "streaming-etl":
        parse(words[1:])
    else:
        assert program in OTHER_PROGRAMS, f"{place}: unknown program {program}"


def parse(arguments: list[str]) -> None:
    """Parse a command of `streaming-etl`; raises for what it does not accept."""
    if arguments == ["--help"]:
        return
    command = commands.commands[arguments[0]]
    if "--help" in arguments:
        return
    # A file in the example need not exist here.
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type.exists = False
    command.make_context(arguments[0], arguments[1:])


def test_the_readme_shows_the_message_of_an_invalid_setting() -> None:
    [block] = [
        block for block in blocks("text") if block.page == "README.md" and "must be" in block.text
    ]
    config = {
        "table_name": "orders",
        "transform_module": "transforms/orders.py",
        "partitions": {"granularity": "day"},
        "forwarder": {"parallelization_factor": 12},
    }
    with pytest.raises(SettingsError) as raised:
        settings_from_config({"orders": config}, None)
    assert block.text == f"{raised.value}\n"
