"""A stack as its operator knows it: the settings in its config, and its outputs."""

import difflib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import click
import yaml

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
    from streaming_etl.components.settings.validation import SettingsError

# The program lies beside this package; Pulumi runs there, and so do its commands.
ROOT = Path(__file__).resolve().parents[1]
# What `make local` writes while its embedded AWS is up. Elsewhere for the tests, which must not
# meddle with what a developer has running.
STATE_FILE = Path(os.environ.get("STREAMING_ETL_LOCAL_STATE") or ROOT / ".build" / "local.json")

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class StackConfig:
    """Pulumi.yaml and Pulumi.<stack>.yaml, as far as a program sees them."""

    project: str
    stack: str
    values: Mapping[str, str]

    @property
    def region(self) -> str:
        return self.values.get("aws:region", "us-east-1")

    def given(self, key: str) -> Any:
        """What the config holds below a key of the program; nothing is an empty map."""
        text = self.values.get(f"{self.project}:{key}", "{}")
        try:
            return json.loads(text)
        except ValueError:
            # The program refuses what is no map.
            return text

    @property
    def pipelines(self) -> "dict[str, StreamingEtlPipelineArgs]":
        """The settings of each pipeline, checked as the program checks them."""
        # Not above: it loads Pulumi, for which `--help` need not wait.
        from streaming_etl.components.settings.stack_config import settings_from_config
        from streaming_etl.components.settings.validation import SettingsError

        tables, defaults = (self.given(key) for key in KEYS)
        try:
            return settings_from_config(tables, defaults) if tables else {}
        except SettingsError as error:
            raise CommandError(refused(f"Pulumi.{self.stack}.yaml is refused", error)) from None


KEYS = ("tables", "defaults")
"""What the program reads of a stack's config."""


def refused(what: str, error: "SettingsError") -> str:
    """`what`, such as `x.yaml is refused`, and all that is wrong: a line for each of many."""
    between = " " if len(error.problems) == 1 else "\n"
    return f"{what}:{between}" + "\n".join(error.problems)


def stacks_in(directory: Path) -> list[str]:
    """The stacks that have a config beside the program."""
    return sorted(found.name[7:-5] for found in directory.glob("Pulumi.*.yaml"))


def read_config(directory: Path, stack: str = "dev") -> StackConfig:
    """Read the stack's configuration, spelled as Pulumi hands it to the program."""
    project = yaml.safe_load((directory / "Pulumi.yaml").read_text())["name"]
    path = directory / f"Pulumi.{stack}.yaml"
    if not path.exists():
        known = ", ".join(stacks_in(directory))
        raise CommandError(f"There is no {path.name}; the stacks here are {known}.")
    try:
        document = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise CommandError(f"{path.name}{_where(error)}; mend it there.") from None
    given = (document.get("config") or {}) if isinstance(document, Mapping) else document
    if not isinstance(given, Mapping):
        raise CommandError(f"{path.name} holds no map of settings below `config:`; write one.")
    values = {}
    for key, value in given.items():
        key = str(key)
        if isinstance(value, Mapping) and set(value) == {"secure"}:
            raise CommandError(
                f"{path.name}: {key} is a secret, which only Pulumi can read. "
                "Use a stack without secrets here."
            )
        full_key = key if ":" in key else f"{project}:{key}"
        # No other key is refused: a program of one's own may have some.
        near = difflib.get_close_matches(full_key.removeprefix(f"{project}:"), KEYS, cutoff=0.8)
        if near and full_key not in {f"{project}:{known}" for known in KEYS}:
            hint = f"did you mean {project}:{near[0]}?"
            raise CommandError(f"{path.name}: there is no {full_key}: {hint}")
        # Pulumi reads days and times as the texts that they are.
        text = json.dumps(value, default=str)
        values[full_key] = value if isinstance(value, str) else text
    return StackConfig(project, stack, values)


def _where(error: yaml.YAMLError) -> str:
    """Where a text stops being YAML, and why."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f": no valid YAML: {' '.join(str(error).split())}"
    mark = error.problem_mark
    return f", line {mark.line + 1}, column {mark.column + 1}: no valid YAML: {error.problem}"


@dataclass(frozen=True)
class Pipeline:
    """One pipeline of a stack that is up."""

    name: str
    outputs: Mapping[str, Any]
    """What `StreamingEtlPipeline.outputs` names, as plain values."""

    def __getattr__(self, output: str) -> Any:
        try:
            return self.outputs[output]
        except KeyError:
            raise AttributeError(f"pipeline {self.name} has no output {output}") from None


def pipelines_of(exports: Mapping[str, Any]) -> list[Pipeline]:
    """Every pipeline that the program exports."""
    return [
        Pipeline(name, outputs)
        for name, outputs in exports.items()
        if isinstance(outputs, Mapping) and "delivery_stream" in outputs
    ]


@dataclass(frozen=True)
class Stack:
    """A stack that is up, and clients of where it is."""

    config: StackConfig
    pipelines: list[Pipeline]
    clients: Clients

    def pipeline(self, name: str) -> Pipeline:
        """Raises CommandError when there is none of that name."""
        for pipeline in self.pipelines:
            if pipeline.name == name:
                return pipeline
        known = ", ".join(pipeline.name for pipeline in self.pipelines) or "none"
        raise CommandError(f"The stack {self.config.stack} has no pipeline {name}; it has {known}.")


def stack_options(command: Command) -> Command:
    """The options that `open_stack` takes, for a command of click."""
    for option in (
        click.option(
            "--endpoint-url",
            metavar="URL",
            help="Work on the embedded AWS that `make local` keeps up at this URL.",
        ),
        click.option(
            "--outputs",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Read the stack's outputs from this file, as `pulumi stack output --json` "
            "prints them, instead of asking Pulumi.",
        ),
        click.option(
            "--stack",
            required=True,
            metavar="NAME",
            help="The Pulumi stack: its Pulumi.NAME.yaml and its outputs.",
        ),
    ):
        command = option(command)
    return command


def open_stack(
    stack: str, outputs: Optional[Path], endpoint_url: Optional[str], directory: Path = ROOT
) -> Stack:
    """Read the stack's config and outputs; raises CommandError with what to do when it cannot."""
    config = read_config(directory, stack)
    if outputs is not None:
        exports = _json(outputs.read_text(), f"--outputs {outputs}")
    elif endpoint_url is not None:
        exports = _embedded_outputs(endpoint_url)
    else:
        exports = _pulumi_outputs(stack, directory)
    return Stack(config, pipelines_of(exports), Clients(endpoint_url, config.region))


def _embedded_outputs(endpoint_url: str) -> dict[str, Any]:
    state = _json(STATE_FILE.read_text(), STATE_FILE.name) if STATE_FILE.exists() else {}
    if state.get("endpoint") != endpoint_url.rstrip("/"):
        up = f"one is up at {state['endpoint']}" if state else "none is up; start one: make local"
        raise CommandError(f"No embedded AWS of `make local` is known at {endpoint_url}: {up}.")
    outputs: dict[str, Any] = state["outputs"]
    return outputs


def _pulumi_outputs(stack: str, directory: Path) -> dict[str, Any]:
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        raise CommandError(
            "There is no pulumi on the PATH to ask for the stack's outputs. Install it, or pass "
            f"--outputs with a file made by `pulumi stack output --json --stack {stack}`."
        )
    command = [pulumi, "stack", "output", "--json", "--non-interactive", "--stack", stack]
    answer = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise CommandError(f"`pulumi stack output` failed: {answer.stderr.strip()}")
    return _json(answer.stdout, "`pulumi stack output`")


def _json(text: str, source: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{source} is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise CommandError(f"{source} is no JSON object of outputs.")
    return value
