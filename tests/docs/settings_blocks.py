"""YAML of the pages: a stack's config, some settings of a pipeline, a workflow."""

import dataclasses
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Optional

import yaml

from streaming_etl import SettingsError, StreamingEtlPipelineArgs
from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.stack.outputs import ROOT
from streaming_etl.stack.program import TakenForGranted, program_graph
from streaming_etl.stack.recorder import Graph
from tests.docs.blocks import Block, DocError
from tests.docs.examples import part_of_an_example

# What a fragment is put into.
BASE = {"table_name": "orders", "transform_module": "transforms/orders.py", "partitions": {}}
SETTINGS = {item.name for item in dataclasses.fields(StreamingEtlPipelineArgs)}


def run(block: Block) -> None:
    try:
        given = yaml.safe_load(block.text)
    except yaml.YAMLError as error:
        raise DocError(f"no YAML: {error}") from None
    if not isinstance(given, dict):
        raise DocError(f"{given!r} is no map")
    # YAML 1.1 reads a workflow's `on` as true.
    if "jobs" in given or True in given:
        workflow(block.text)
    elif "config" in given:
        config_graph(block.text)
    elif set(given) <= SETTINGS:
        if reason := refused(given):
            raise DocError(reason)
    else:
        # A program or a project file.
        part_of_an_example(block, "*.yaml")


@cache
def config_graph(text: str) -> Graph:
    """The graph of the stack whose `Pulumi.<stack>.yaml` holds this text."""
    values = yaml.safe_load(text)["config"]
    config = {key: it if isinstance(it, str) else json.dumps(it) for key, it in values.items()}
    return program_graph(config, tables=TakenForGranted())


def refused(given: dict[str, Any]) -> Optional[str]:
    """Why the program refuses these settings of the table `orders`; None when it takes them."""
    try:
        args_from_config("tables.orders", BASE | given)
    except SettingsError as error:
        return str(error)
    return None


def workflow(text: str) -> None:
    """As far as actionlint knows, GitHub would run it."""
    program = Path(sys.executable).parent / "actionlint"
    done = subprocess.run(
        [program, "-no-color", "-shellcheck=", "-pyflakes=", "-"],
        input=text,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise DocError(done.stdout or done.stderr)
