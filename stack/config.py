"""A stack's config file: Pulumi.<stack>.yaml as Pulumi passes it to the program."""

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.pulumi_yaml import load

if TYPE_CHECKING:
    from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs

Settings = TypeVar("Settings")

TABLES, DEFAULTS, STACK_DASHBOARD = CONFIG_KEYS = ("tables", "defaults", "stack_dashboard")
"""The keys that the program reads."""


@dataclass(frozen=True)
class StackConfig:
    """The project's name and one stack's config values."""

    project: str
    stack: str
    values: Mapping[str, str]
    """By full key, such as `aws:region`; everything but text is JSON."""

    @property
    def region(self) -> str:
        return self.values.get("aws:region", "us-east-1")

    def section(self, key: str) -> Any:
        """Return the data below one of CONFIG_KEYS, by default an empty map."""
        # Pulumi passes an empty section as "".
        text = self.values.get(f"{self.project}:{key}") or "{}"
        try:
            return json.loads(text)
        except ValueError:
            # The settings report text where they need a map.
            return text

    @property
    def has_stack_dashboard(self) -> bool:
        """Whether the program creates the dashboard of all pipelines."""
        return len(self.pipelines) > 1 and self.section(STACK_DASHBOARD) is not False

    @property
    def pipelines(self) -> "dict[str, StreamingEtlPipelineArgs]":
        """The settings of each pipeline, validated as the program validates them."""
        # Imports Pulumi, which `--help` does not need.
        from streaming_etl.components.settings.stack_config import settings_from_config

        tables, defaults = self.section(TABLES), self.section(DEFAULTS)
        if not tables:
            return {}
        source = f"Pulumi.{self.stack}.yaml"
        return validated(source, lambda: settings_from_config(tables, defaults))


def validated(source: str, build: Callable[[], Settings]) -> Settings:
    """Return the settings that `build` returns; raises CommandError for invalid ones.

    source: where the settings are from, for the message.
    """
    from streaming_etl.components.settings.validation import SettingsError

    try:
        return build()
    except SettingsError as error:
        raise CommandError(
            f"{source}: {error}", code="invalid-settings", source=source, problems=error.problems
        ) from None


def stacks_in(directory: Path) -> list[str]:
    """List the stacks that have a config file in the directory."""
    return sorted(path.name[7:-5] for path in directory.glob("Pulumi.*.yaml"))


def read_config(directory: Path, stack: str = "dev") -> StackConfig:
    """Read a stack's config from the directory of the Pulumi program."""
    project = yaml.safe_load((directory / "Pulumi.yaml").read_text())["name"]
    path = directory / f"Pulumi.{stack}.yaml"
    if not path.exists():
        known = stacks_in(directory)
        message = f"There is no {path.name}; the stacks here are {', '.join(known)}."
        raise CommandError(message, code="unknown-stack", stack=stack, known=known)
    return StackConfig(project, stack, _values(path, project))


def _values(path: Path, project: str) -> dict[str, str]:
    try:
        document = load(path.read_text()) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else None
        message = (
            f"{path.name} must be YAML (line {line}: {getattr(error, 'problem', error)}). Correct "
            "the file."
        )
        raise CommandError(message, code="invalid-yaml", file=path.name, line=line) from None
    config = (document.get("config") or {}) if isinstance(document, Mapping) else document
    if not isinstance(config, Mapping):
        message = f"{path.name}: `config:` must be a map of settings. Write one."
        raise CommandError(message, code="config-not-a-map", file=path.name)
    values = {}
    for name, value in config.items():
        key = str(name) if ":" in str(name) else f"{project}:{name}"
        if isinstance(value, Mapping) and set(value) == {"secure"}:
            message = (
                f"{path.name}: {key} is a secret, which only Pulumi can decrypt. Use a stack "
                "without secrets."
            )
            raise CommandError(message, code="secret-in-config", file=path.name, key=key)
        _require_known(path.name, project, key)
        value = "" if value is None else value
        values[key] = value if isinstance(value, str) else json.dumps(value, default=str)
    return values


def _require_known(file: str, project: str, key: str) -> None:
    """Raise CommandError for a misspelled key; a program may have other keys."""
    known = [f"{project}:{name}" for name in CONFIG_KEYS]
    near = difflib.get_close_matches(key.removeprefix(f"{project}:"), CONFIG_KEYS, cutoff=0.8)
    if near and key not in known:
        raise CommandError(
            f"{file}: {key} is not a known key. Did you mean {project}:{near[0]}?",
            code="unknown-config-key",
            file=file,
            key=key,
            suggestion=f"{project}:{near[0]}",
        )
