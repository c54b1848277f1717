"""Values of a stack's config, as the real Pulumi CLI reads them."""

import json
import os
import subprocess
from pathlib import Path

from local.engine.workspace import ENVIRONMENT
from streaming_etl.stack.config import read_config
from tests.stack.test_pulumi_yaml import VALUES

MERGED = """\
  all: &all {a: 0}
  in: {one: &one {<<: *all, a: 1}}
  next: {<<: *one}
"""


def test_the_values_are_those_of_the_cli(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        **ENVIRONMENT,
        "PULUMI_HOME": str(tmp_path),
        "PULUMI_BACKEND_URL": tmp_path.as_uri(),
    }

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--stack", "dev"]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
        )
        return result.stdout

    (tmp_path / "Pulumi.yaml").write_text("{name: project, runtime: python}")
    pulumi("stack", "init")
    lines = [f"    - {scalar}\n" for scalar in VALUES]
    keys = "{on: 1, 2026-11-23: 1, <<: {on: 2, other: 3}}"
    text = "".join(
        ["config:\n  list:\n", *lines, f"  keys: {keys}\n  empty:\n  yes: 12:30\n", MERGED]
    )
    (tmp_path / "Pulumi.dev.yaml").write_text(text)
    read = json.loads(pulumi("config", "--json"))
    values = read_config(tmp_path).values
    assert {key: _compact(each["value"]) for key, each in read.items()} == {
        key: _compact(value) for key, value in values.items()
    }


def _compact(value: str) -> str:
    """The JSON of a value, without the spelling of characters and exponents."""
    try:
        data = json.loads(value)
    except ValueError:
        return value
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
