"""A stack in a local folder, deployed by the real Pulumi CLI."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pulumi import automation
from pulumi.automation import events
from pulumi.automation._stack import StackInitMode

from local.engine.provider import PACKAGE
from streaming_etl.stack.errors import CommandError

Program = Callable[[], None]

# Without a login, a prompt or a request to the internet.
ENVIRONMENT = {
    "PULUMI_CONFIG_PASSPHRASE": "",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS": "true",
}
# The engine reports these for resources that stay as they are.
UNCHANGED = ("same", "read", "refresh")


def require_pulumi() -> None:
    """Raise CommandError when the Pulumi CLI is not on the PATH."""
    if shutil.which("pulumi") is None:
        raise CommandError(
            "pulumi is not on the PATH. Install the Pulumi CLI, or run the command without the "
            "engine.",
            code="pulumi-not-installed",
        )


@dataclass
class Outcome:
    """Result of one run of the engine."""

    succeeded: bool = True
    steps: dict[str, str] = field(default_factory=dict)
    """Operation of each resource, by its URN; replacements are `replace`."""
    inputs: dict[str, list[str]] = field(default_factory=dict)
    """Changed inputs of each updated or replaced resource, by its URN."""
    errors: list[str] = field(default_factory=list)
    """Diagnostics of severity error."""
    warnings: list[str] = field(default_factory=list)
    violations: set[tuple[str, str]] = field(default_factory=set)
    """Policy and logical name of each resource that breaks a mandatory policy."""
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, *operations: str) -> set[str]:
        """Return the logical names of the resources with one of the operations."""
        return {urn.split("::")[-1] for urn, step in self.steps.items() if step in operations}

    @property
    def changed(self) -> dict[str, str]:
        """Operations other than "unchanged", by logical name."""
        return {
            urn.split("::")[-1]: step for urn, step in self.steps.items() if step not in UNCHANGED
        }

    def receive(self, event: events.EngineEvent) -> None:
        """Add one event of the engine."""
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            operation = str(getattr(step.op, "value", step.op))
            # A replacement is several steps: creation, deletion and `replace`.
            if self.steps.get(step.urn) != "replace":
                self.steps[step.urn] = "replace" if "replace" in operation else operation
            if step.diffs:
                self.inputs[step.urn] = list(step.diffs)
        diagnostic = event.diagnostic_event
        if diagnostic is not None and diagnostic.severity == "error":
            self.errors.append(diagnostic.message)
        if diagnostic is not None and diagnostic.severity == "warning":
            self.warnings.append(diagnostic.message)
        if event.policy_event is not None and event.policy_event.enforcement_level == "mandatory":
            urn = event.policy_event.resource_urn or ""
            self.violations.add((event.policy_event.policy_name, urn.split("::")[-1]))


class Stack(automation.Stack):
    """A stack whose runs start no further CLI to describe their result.

    By default each run reads the history, and an update the outputs twice: a second of CPU time.
    """

    @classmethod
    def create_or_select(cls, stack_name: str, workspace: automation.Workspace) -> "Stack":
        return cls(stack_name, workspace, StackInitMode.CREATE_OR_SELECT)

    def outputs(self) -> automation.OutputMap:
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:  # noqa: ARG002
        return automation.UpdateSummary("", datetime.now(UTC), "", {}, {}, "")


class EngineStack:
    """One stack of the project in a folder.

    folder: for the state and the CLI's own files; made if missing.
    directory: of the program, to which paths of archives are relative.
    config: flat, as `StackConfig.values`.
    """

    def __init__(
        self,
        program: Program,
        *,
        folder: Path,
        directory: Path,
        port: int,
        project: str = "streaming-etl",
        stack: str = "dev",
        config: Mapping[str, str] | None = None,
        plugins: Mapping[str, int] | None = None,
    ) -> None:
        require_pulumi()
        self._program = program
        work, state, home = folder / "work", folder / "state", folder / "home"
        for path in (work, state, home):
            path.mkdir(parents=True, exist_ok=True)
        providers = {PACKAGE: port, **(plugins or {})}
        variables = {
            **ENVIRONMENT,
            "PULUMI_BACKEND_URL": state.absolute().as_uri(),
            "PULUMI_HOME": str(home.absolute()),
            "PULUMI_DEBUG_PROVIDERS": ",".join(f"{key}:{at}" for key, at in providers.items()),
        }
        workspace = automation.LocalWorkspace(
            work_dir=str(work),
            program=program,
            env_vars=variables,
            pulumi_home=str(home.absolute()),
            project_settings=automation.ProjectSettings(
                name=project,
                runtime=automation.ProjectRuntimeInfo("python"),
                # Paths of archives are relative to it.
                main=str(directory.absolute()),
            ),
        )
        self.automation = Stack.create_or_select(stack, workspace)
        self._state_file = state / ".pulumi" / "stacks" / project / f"{stack}.json"
        self.configure(config or {})

    @property
    def program(self) -> Program:
        return self._program

    @program.setter
    def program(self, program: Program) -> None:
        self._program = program
        self.automation.workspace.program = program

    def configure(self, config: Mapping[str, str]) -> None:
        """Replace the stack's config."""
        settings = automation.StackSettings(config=dict(config))
        salt = self.automation.workspace.stack_settings(self.automation.name).encryption_salt
        settings.encryption_salt = salt
        self.automation.workspace.save_stack_settings(self.automation.name, settings)

    def preview(self, **options: Any) -> Outcome:
        """Run `pulumi preview`."""
        return self._run(self.automation.preview, options)

    def up(self, **options: Any) -> Outcome:
        """Run `pulumi up`; the outcome has the stack's outputs."""
        return self._run(self.automation.up, options)

    def refresh(self, **options: Any) -> Outcome:
        """Run `pulumi refresh`."""
        return self._run(self.automation.refresh, options)

    def destroy(self, **options: Any) -> Outcome:
        """Run `pulumi destroy`."""
        return self._run(self.automation.destroy, options)

    def state(self) -> dict[str, Any]:
        """Return the stack's state as `pulumi stack export` prints it."""
        checkpoint = json.loads(self._state_file.read_text())["checkpoint"]
        return dict(checkpoint["latest"] or {})

    def _run(self, command: Callable[..., Any], options: Mapping[str, Any]) -> Outcome:
        outcome = Outcome()
        lines: list[str] = []
        try:
            command(on_event=outcome.receive, on_output=lines.append, **options)
        except automation.CommandError as error:
            outcome.succeeded = False
            if not outcome.errors:
                outcome.errors.append(str(error))
        else:
            outcome.outputs = self.outputs()
        return outcome

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs; none before the first update."""
        resources = self.state().get("resources", []) if self._state_file.exists() else []
        roots = [each for each in resources if each["type"] == "pulumi:pulumi:Stack"]
        return dict(roots[0].get("outputs", {})) if roots else {}
