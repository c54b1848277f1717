"""The folder of a stack that runs this repository's program."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.deploy.deploy import deploy
from local.emulator.process import Emulator
from streaming_etl.stack.config import read_config
from streaming_etl.stack.outputs import DeployedPipeline, pipelines_of
from tools.project import ROOT


def write_stack(folder: Path, tables: Mapping[str, Any], region: str) -> None:
    """Write program and config of the stack `dev`; tables: settings by pipeline."""
    config = {"aws:region": region, "streaming-etl:tables": dict(tables)}
    for name in ("Pulumi.yaml", "__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))


def deploy_stack(
    emulator: Emulator, folder: Path, tables: Mapping[str, Any]
) -> dict[str, DeployedPipeline]:
    """Deploy the stack `dev` and write outputs.json; return its pipelines by name."""
    write_stack(folder, tables, emulator.region)
    outputs = deploy(folder, read_config(folder), emulator.clients).outputs
    (folder / "outputs.json").write_text(json.dumps(outputs))
    return {pipeline.name: pipeline for pipeline in pipelines_of(outputs)}
