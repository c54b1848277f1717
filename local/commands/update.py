"""`preview` and `up`: changes of the running stack by the Pulumi engine."""

import runpy
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from local import console
from local.emulator.state import RunningProvider, load_provider, save_outputs
from local.engine.workspace import UNCHANGED, EngineStack, Outcome
from streaming_etl.components.packaging.dependencies import Target, install_for
from streaming_etl.stack.config import read_config
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.program import program_environment

DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def preview() -> None:
    """Print what `up` would change."""
    with console.step("Previewing", "Previewed") as step:
        outcome = run(EngineStack.preview)
        step.result = summary(outcome)
    print_changes(outcome)


def up() -> None:
    """Update the running stack, and print what has changed."""
    with console.step("Deploying the stack", "Deployed") as step:
        outcome = run(EngineStack.up)
        save_outputs(outcome.outputs)
        step.result = summary(outcome)
    # Not for the first deployment, which creates everything.
    if set(outcome.changed.values()) != {"create"}:
        print_changes(outcome)


def run(command: Callable[[EngineStack], Outcome]) -> Outcome:
    """Run the command for the running stack; raises CommandError if it fails."""
    return succeeded(command(stack_of(load_provider())))


def stack_of(provider: RunningProvider) -> EngineStack:
    """Return the stack with the current config of the program."""
    config = read_config(provider.directory)
    return EngineStack(
        program_of(provider.directory),
        folder=provider.folder,
        directory=provider.directory,
        port=provider.port,
        project=config.project,
        stack=config.stack,
        config=config.values,
    )


def program_of(directory: Path) -> Callable[[], None]:
    """Return the program, whose functions run in this Python."""

    def run() -> None:
        with program_environment(directory), install_for(Target.host()):
            runpy.run_path(str(directory / "__main__.py"))

    return run


def succeeded(outcome: Outcome) -> Outcome:
    """Return the outcome; raises CommandError with the engine's errors."""
    if outcome.succeeded:
        return outcome
    # The engine ends with a line that repeats the error, or adds no reason.
    errors = [error.strip() for error in outcome.errors]
    reasons = [error for error in errors if not error.startswith(REPEATED)] or errors
    raise CommandError(
        "The stack cannot be updated:\n" + "\n".join(reasons),
        code="engine-failed",
        errors=reasons,
    )


REPEATED = ("an unhandled error occurred", "update failed", "preview failed")


def summary(outcome: Outcome) -> str:
    """Return the number of resources by operation."""
    counts = Counter(outcome.changed.values())
    parts = [f"{count} {DONE.get(operation, operation)}" for operation, count in counts.items()]
    unchanged = sum(operation in UNCHANGED for operation in outcome.steps.values())
    return ", ".join([*parts, f"{unchanged} unchanged"])


def print_changes(outcome: Outcome) -> None:
    """Print warnings, and each changed resource with its changed inputs."""
    for warning in outcome.warnings:
        console.print_line(f"warning: {warning.strip()}", "yellow")
    for urn, operation in outcome.steps.items():
        if operation not in UNCHANGED:
            inputs = ", ".join(outcome.inputs.get(urn, []))
            name = urn.split("::")[-1]
            console.print_line(f"  {operation:<8} {name}{f': {inputs}' if inputs else ''}")
