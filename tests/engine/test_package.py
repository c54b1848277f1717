"""The Pulumi package, started by the real Pulumi CLI for another program.

The program is that of examples/yaml; it runs in Python, without Pulumi's language host of YAML.
"""

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local.engine.workspace import ENVIRONMENT, EngineStack
from package.host import PipelineProvider
from tests.engine.harness import REGION, Engine
from tests.package.engine import PIPELINE
from tests.package.test_examples import EXAMPLES, YAML, Program, yaml_program
from tools.project import ROOT

PLUGIN = "pulumi-resource-streaming-etl"
EXAMPLE = yaml_program(YAML)

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable on the PATH, which needs no language host of Pulumi."""
    executable = tmp_path / "bin" / PLUGIN
    executable.parent.mkdir()
    executable.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "package"}" "$@"\n')
    executable.chmod(0o755)
    monkeypatch.setenv("PATH", f"{executable.parent}{os.pathsep}{os.environ['PATH']}")
    return executable


class Remote(pulumi.ComponentResource):
    """A component of the plugin, as a generated SDK registers it."""

    def __init__(self, name: str, inputs: dict[str, Any], outputs: list[str]) -> None:
        # `lakeTables` is an input and an output.
        super().__init__(PIPELINE, name, {**dict.fromkeys(outputs), **inputs}, remote=True)


def remote(program: Program) -> None:
    """Run a program of remote pipelines and their exports."""
    pipelines = {
        name: Remote(
            name, inputs, [out for owner, out in program.exports.values() if owner == name]
        )
        for name, inputs in program.pipelines.items()
    }
    for exported, (name, output) in program.exports.items():
        pulumi.export(exported, getattr(pipelines[name], output))


def changed(**inputs: Any) -> Program:
    """The example with other inputs of the pipeline `orders`."""
    orders = {**EXAMPLE.pipelines["orders"], **inputs}
    return replace(EXAMPLE, pipelines={**EXAMPLE.pipelines, "orders": orders})


@pytest.fixture
def stack(engine: Engine) -> EngineStack:
    """The stack of a program in another directory, with its transform."""
    directory = engine.folder / "program"
    shutil.copytree(EXAMPLES / "yaml" / "transforms", directory / "transforms")
    return EngineStack(
        functools.partial(remote, EXAMPLE),
        folder=engine.folder,
        directory=directory,
        port=engine.port,
        config={"aws:region": REGION},
    )


def test_a_program_creates_and_edits_a_remote_pipeline(engine: Engine, stack: EngineStack) -> None:
    previewed, created = stack.preview(), stack.up()

    assert previewed.succeeded, previewed.errors
    assert created.succeeded, created.errors
    assert created.of("create") == previewed.of("create") >= {"orders", "orders-source-table"}
    topics = [topic["arn"] for topic in engine.of("Topic").values()]
    assert created.outputs["alarmTopicArn"] in topics
    assert created.outputs["view"] == "orders_current"
    lake_tables = created.outputs["lakeTables"]
    assert {name: table["view"] for name, table in lake_tables.items()} == {
        "customers": "customers_current",
        "orders": "orders_current",
    }
    streams = {name: table["deliveryStream"] for name, table in lake_tables.items()}
    existing = {stream["name"] for stream in engine.of("FirehoseDeliveryStream").values()}
    assert set(streams.values()) < existing
    assert streams["orders"].startswith("shop-orders-delivery-stream-")

    stack.program = functools.partial(remote, changed(logRetentionDays=90))
    edited = stack.preview()
    assert edited.changed == {
        "orders-delivery-logs": "update",
        "orders-forwarder-logs": "update",
        "orders-transform-logs": "update",
    }

    stack.program = functools.partial(remote, changed(protect=False, source={"hashKey": "another"}))
    rejected = stack.preview()
    assert not rejected.succeeded
    assert any("[protected-keys]" in error for error in rejected.errors)


def test_the_plugin_rejects_invalid_settings_and_creates_nothing(
    engine: Engine, stack: EngineStack
) -> None:
    stack.program = functools.partial(remote, changed(format="xml", logRetention=90))
    outcome = stack.up()
    assert not outcome.succeeded
    assert {
        name for name in ("`format`", "`logRetention`") if name not in outcome.errors[0]
    } == set()
    assert not engine.backend.resources


def test_the_cli_prints_the_schema(plugin: Path, engine: Engine) -> None:
    process = subprocess.run(
        ["pulumi", "package", "get-schema", str(plugin)],
        env={**os.environ, **ENVIRONMENT, "PULUMI_HOME": str(engine.folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    printed, expected = json.loads(process.stdout), json.loads(PipelineProvider().schema or "")
    assert printed["version"] == expected["version"]
    assert property_names(printed) == property_names(expected)


def property_names(schema: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """Sorted properties of all types; the CLI changes their order and details."""
    lists = ("properties", "required", "inputProperties", "requiredInputs")
    return {
        name: {key: sorted(type_.get(key, ())) for key in lists}
        for name, type_ in {**schema["types"], **schema["resources"]}.items()
    }
