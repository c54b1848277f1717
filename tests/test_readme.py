"""The README tells what the code does."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from components import PartitionArgs, StreamingEtlPipelineArgs
from tests.components.pipelines import dev_stack
from tests.readme_tables import README, ROOT, written

TEXT = README.read_text()


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


def test_the_tables_of_inputs_outputs_and_resources_are_as_the_code_tells_them() -> None:
    assert written(TEXT) == TEXT, "run `make readme`"


def test_every_default_that_the_readme_names_is_the_setting_s_own() -> None:
    named = re.findall(r"`(\w+)=([^`]+)`", section("Defaults per service"))
    assert len(named) > 10
    defaults = all_defaults()
    assert {(name, value) for name, value in named if value not in defaults[name]} == set()


def test_the_readme_s_error_message_is_the_program_s_own() -> None:
    from components import SettingsError, args_from_config

    message = re.search(r"\n(tables\.orders\.forwarder: .*)\n", TEXT)
    assert message is not None
    given = {
        "table_name": "orders",
        "transform_module": "transforms/orders.py",
        "partitions": {},
        "forwarder": {"parallelization_factor": 12},
    }
    with pytest.raises(SettingsError) as refused:
        args_from_config("tables.orders", given)
    assert str(refused.value) == message[1]


def test_the_ten_line_program_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    from graph.recorder import build

    monkeypatch.chdir(ROOT)
    program = re.search(r"```python\n(import pulumi\n.*?)```", TEXT, re.DOTALL)
    assert program is not None
    graph = build(lambda: exec(compile(program[1], "README.md", "exec"), {}))
    assert graph.exports == {"view": "orders_current"}


def test_the_stack_config_of_the_readme_builds_the_example_stack() -> None:
    import yaml

    from graph.stack import program_graph

    config = yaml.safe_load(re.search(r"```yaml\n(config:.*?)```", TEXT, re.DOTALL)[1])["config"]  # type: ignore[index]
    flat = {key: it if isinstance(it, str) else json.dumps(it) for key, it in config.items()}
    graph = program_graph(flat)
    names = {(node.type, node.name) for node in graph.nodes}
    assert names == {(node.type, node.name) for node in dev_stack().nodes}


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)`?", TEXT))
    assert {"demo", "local", "transform-test", "test", "check"} <= named
    assert named - targets <= {"and", "a", "it"}


def test_every_file_that_the_readme_links_exists() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", TEXT)
    assert [link for link in links if not (Path(ROOT) / link).exists()] == []
