"""A deployed stack: its pipelines, read from the stack's outputs alone."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, TypeVar

import click

from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import validated
from streaming_etl.stack.errors import CommandError

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

STATE_FILE = Path(os.environ.get("STREAMING_ETL_LOCAL_STATE") or Path(".build", "local.json"))
"""State of the running embedded AWS, in the current directory; the variable is for tests."""

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class DeployedLakeTable:
    """The outputs of one lake table of a pipeline."""

    key: str
    """Its name in `lake_tables`, or ONLY_LAKE_TABLE."""
    table: str
    delivery_stream: str
    errors_location: str
    transform_function: Optional[str] = None
    view: Optional[str] = None
    current_state_query_id: Optional[str] = None
    crawler: Optional[str] = None
    merged_table: Optional[str] = None
    merge_state_machine_arn: Optional[str] = None


REQUIRED_OF_LAKE_TABLE = ("table", "delivery_stream", "errors_location")


@dataclass(frozen=True, kw_only=True)
class DeployedPipeline:
    """The outputs of one StreamingEtlPipeline, which documents them."""

    name: str
    region: str
    settings: Mapping[str, Any]
    """The settings that it was deployed with, as plain data."""
    bucket: str
    database: str
    workgroup: str
    source_table: str
    source_table_arn: str
    source_stream_arn: str
    failed_batches_location: str
    failure_events_topic_arn: str
    lake_tables: Optional[Mapping[str, Mapping[str, Any]]] = None
    """Outputs by lake table; None with one, whose outputs are those of the pipeline."""
    table: Optional[str] = None
    delivery_stream: Optional[str] = None
    errors_location: Optional[str] = None
    transform_function: Optional[str] = None
    forwarder_function: Optional[str] = None
    alarm_topic_arn: Optional[str] = None
    alarm_names: Optional[Sequence[str]] = None
    """None in a stack that an earlier version has updated last."""
    view: Optional[str] = None
    current_state_query_id: Optional[str] = None
    dashboard: Optional[str] = None
    crawler: Optional[str] = None
    merged_table: Optional[str] = None
    merge_state_machine_arn: Optional[str] = None
    backfill_state_machine_arn: Optional[str] = None
    backfill_location: Optional[str] = None
    backfill_errors_location: Optional[str] = None
    role_policies: Optional[Mapping[str, Mapping[str, str]]] = None

    @classmethod
    def from_outputs(cls, name: str, outputs: Mapping[str, Any]) -> "DeployedPipeline":
        """Read exported outputs, in snake_case or in the camelCase of other languages.

        Raises CommandError when one is missing.
        """
        values = {_snake_case(key): value for key, value in outputs.items()}
        fields = {field.name: field for field in dataclasses.fields(cls) if field.name != "name"}
        required = [key for key, field in fields.items() if field.default is dataclasses.MISSING]
        tables = values.get("lake_tables")
        if isinstance(tables, Mapping) and tables:
            values["lake_tables"] = {
                key: {_snake_case(name): value for name, value in outputs.items()}
                for key, outputs in tables.items()
            }
        else:
            required += REQUIRED_OF_LAKE_TABLE
        # Pulumi prints secrets as [secret].
        missing = [key for key in required if values.get(key) in (None, "[secret]")]
        if missing:
            message = (
                f"The outputs of the pipeline {name} must have {', '.join(missing)}, not secret. "
                "Export `pipeline.outputs` in the program and run `pulumi up`."
            )
            raise CommandError(message, code="missing-outputs", pipeline=name, missing=missing)
        return cls(name=name, **{key: values[key] for key in fields if key in values})

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs as the program exports them."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        del values["name"]
        return values

    @property
    def tables(self) -> dict[str, DeployedLakeTable]:
        """The lake tables by name, sorted; without `lake_tables` the only one."""
        of_tables = dict(sorted((self.lake_tables or {ONLY_LAKE_TABLE: self.outputs}).items()))
        names = {field.name for field in dataclasses.fields(DeployedLakeTable)} - {"key"}
        tables: dict[str, DeployedLakeTable] = {}
        for key, outputs in of_tables.items():
            values: dict[str, Any] = {name: outputs.get(name) for name in names}
            tables[key] = DeployedLakeTable(key=key, **values)
        return tables

    def select(self, keys: Sequence[str]) -> dict[str, DeployedLakeTable]:
        """Return lake tables by name, by default all; raises CommandError."""
        tables = self.tables
        if unknown := [key for key in keys if key not in tables or not self.lake_tables]:
            known = list(tables) if self.lake_tables else []
            message = (
                f"--lake-table must be one of {', '.join(known)} (got {unknown[0]})."
                if known
                else f"{self.name} has one lake table. Omit --lake-table."
            )
            raise CommandError(
                message,
                code="unknown-lake-table",
                pipeline=self.name,
                lake_tables=list(unknown),
                known=known,
            )
        return {key: tables[key] for key in keys} if keys else tables

    @property
    def oldest_name(self) -> str:
        """The name of the pipeline before all renames."""
        # Earlier versions have no such setting.
        former = self.settings.get("renamed_from") or [self.name]
        return str(former) if isinstance(former, str) else str(former[0])

    @property
    def args(self) -> "StreamingEtlPipelineArgs":
        """The settings as arguments; raises CommandError when they are invalid."""
        # Imports Pulumi, which `--help` does not need.
        from streaming_etl.components.settings.stack_config import args_from_config

        source = f"The output `settings` of {self.name}"
        return validated(source, lambda: args_from_config(self.name, self.settings))


def _snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", name)


def pipelines_of(exports: Mapping[str, Any]) -> list[DeployedPipeline]:
    """Return every pipeline among a program's exports."""
    return [DeployedPipeline.from_outputs(name, exports[name]) for name in _pipeline_names(exports)]


def _pipeline_names(exports: Mapping[str, Any]) -> list[str]:
    return [
        name
        for name, value in exports.items()
        if isinstance(value, Mapping)
        and not {"failed_batches_location", "failedBatchesLocation"}.isdisjoint(value)
    ]


@dataclass(frozen=True)
class DeployedStack:
    """A stack's exports, and where the stack is deployed."""

    name: str
    exports: Mapping[str, Any]
    endpoint: Optional[str] = None
    """URL of the embedded AWS; None for an AWS account."""
    file: Optional[Path] = None
    """File of the outputs; None for those of pulumi or of the embedded AWS."""

    @property
    def pipelines(self) -> list[DeployedPipeline]:
        return pipelines_of(self.exports)

    def pipeline(self, name: str) -> DeployedPipeline:
        """Return the pipeline of that name; raises CommandError when there is none."""
        known = _pipeline_names(self.exports)
        if name not in known:
            message = (
                f"The stack {self.name} has no pipeline {name}; it has "
                f"{', '.join(known) or 'none'}."
            )
            raise CommandError(message, code="unknown-pipeline", pipeline=name, known=known)
        return DeployedPipeline.from_outputs(name, self.exports[name])

    def clients(self, pipeline: DeployedPipeline) -> Clients:
        """Return boto3 clients for the pipeline's region."""
        return Clients(self.endpoint, pipeline.region)


def stack_options(command: Command) -> Command:
    """Add the options that `open_stack` takes to a click command."""
    for option in (
        click.option(
            "--endpoint-url",
            metavar="URL",
            help="Use the embedded AWS that `make local` runs at this URL.",
        ),
        click.option(
            "--outputs",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Read the stack's outputs from this file, as `pulumi stack output --json` "
            "prints them, instead of running pulumi.",
        ),
        click.option(
            "--stack",
            required=True,
            metavar="NAME",
            help="The Pulumi stack, whose outputs are read in the current directory.",
        ),
    ):
        command = option(command)
    return command


def open_stack(stack: str, outputs: Optional[Path], endpoint_url: Optional[str]) -> DeployedStack:
    """Read a stack's outputs from a file, the embedded AWS or pulumi.

    Raises CommandError when they cannot be read.
    """
    if outputs is not None:
        exports = _json_object(outputs.read_text(), f"--outputs {outputs}")
    elif endpoint_url is not None:
        exports = _embedded_outputs(stack, endpoint_url)
    else:
        exports = _pulumi_outputs(stack)
    return DeployedStack(stack, exports, endpoint_url, outputs)


def _embedded_outputs(stack: str, endpoint_url: str) -> dict[str, Any]:
    state = _json_object(STATE_FILE.read_text(), str(STATE_FILE)) if STATE_FILE.exists() else {}
    if state.get("endpoint") != endpoint_url.rstrip("/"):
        hint = f"One runs at {state['endpoint']}" if state else "Start one with `make local`"
        raise CommandError(
            f"No embedded AWS of this directory runs at {endpoint_url}. {hint}.",
            code="embedded-aws-not-running",
            endpoint=endpoint_url,
            running=state.get("endpoint"),
        )
    if state["stack"] != stack:
        raise CommandError(
            f"The embedded AWS at {endpoint_url} runs the stack {state['stack']} (got {stack}). "
            f"Use --stack {state['stack']}.",
            code="embedded-aws-other-stack",
            stack=stack,
            running=state["stack"],
        )
    outputs: dict[str, Any] = state["outputs"]
    return outputs


def _pulumi_outputs(stack: str) -> dict[str, Any]:
    pulumi = shutil.which("pulumi")
    if pulumi is None:
        message = (
            "pulumi is not on the PATH. Install it, or pass --outputs with a file made by "
            f"`pulumi stack output --json --stack {stack}`."
        )
        raise CommandError(message, code="pulumi-not-installed", stack=stack)
    # Without --show-secrets: no output of a pipeline is a secret.
    command = [pulumi, "stack", "output", "--json", "--non-interactive", "--stack", stack]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = process.stderr.strip()
        raise CommandError(
            f"`pulumi stack output` failed: {reason}", code="pulumi-failed", reason=reason
        )
    return _json_object(process.stdout, "`pulumi stack output`")


def _json_object(text: str, source: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CommandError(
            f"{source} must be JSON: {error}.", code="outputs-not-json", source=source
        ) from None
    if not isinstance(value, dict):
        raise CommandError(
            f"{source} must be a JSON object of outputs.", code="outputs-not-json", source=source
        )
    return value
