"""The README tells what the code does; its blocks and links are looked at in tests/docs."""

import dataclasses
import json
import re
from typing import Any

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import dev_stack
from tests.docs.blocks import blocks_of
from tests.docs.settings_blocks import config_graph
from tools.docs.settings_tables import README, ROOT, written

TEXT = README.read_text()
# What Pulumi.dev.yaml sets besides, so that a development stack may be destroyed.
DEVELOPMENT = {"deletionProtectionEnabled", "forceDestroy"}


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def all_defaults() -> dict[str, set[str]]:
    """Every setting's default values as JSON; names that several groups share have several."""
    args = StreamingEtlPipelineArgs(
        table_name="t" * 3, transform_module="t.py", partitions=PartitionArgs()
    )
    found: dict[str, set[str]] = {}
    groups = [args, *(getattr(args, item.name) for item in dataclasses.fields(args))]
    for group in filter(dataclasses.is_dataclass, groups):
        for item in dataclasses.fields(group):
            value = getattr(group, item.name)
            if not dataclasses.is_dataclass(value):
                found.setdefault(item.name, set()).add(json.dumps(value))
    return found


def test_the_picture_and_the_tables_are_as_the_code_tells_them() -> None:
    assert written(TEXT) == TEXT, "run `make readme`"


def test_every_default_that_the_readme_names_is_the_setting_s_own() -> None:
    named = re.findall(r"`(\w+)=([^`]+)`", section("Defaults per service"))
    assert len(named) > 10
    defaults = all_defaults()
    assert {(name, value) for name, value in named if value not in defaults[name]} == set()


def test_the_stack_config_of_the_readme_builds_the_example_stack() -> None:
    blocks = blocks_of("README.md", TEXT)
    [config] = [block for block in blocks if block.text.startswith("config:\n")]
    assert built(config_graph(config.text)) == built(dev_stack())


def test_its_list_of_documentation_names_every_page() -> None:
    named = re.findall(r"\]\((docs/[\w-]+\.md)\)", section("Documentation"))
    pages = (page.relative_to(ROOT).as_posix() for page in ROOT.glob("docs/**/*.md"))
    assert sorted(named) == sorted(pages)


def built(graph: Graph) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (node.type, node.name): {
            name: value for name, value in node.inputs.items() if name not in DEVELOPMENT
        }
        for node in graph.nodes
    }
