"""`preview` and `up`: changes of the running stack."""

import dataclasses
import runpy
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from local import console
from local.deploy.deploy import Deployment, Resource, Resources, previewed, update
from local.deploy.existing_tables import with_local_streams
from local.deploy.secrets import with_local_secrets
from local.emulator.state import (
    RunningProgram,
    load_program,
    load_resources,
    load_running,
    save,
)
from local.engine.workspace import UNCHANGED, EngineStack, Outcome
from streaming_etl.components.packaging.dependencies import Target, install_for
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig, read_config, validated
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.program import program_environment

DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}


def preview() -> None:
    """Print what `up` would change."""
    program = load_program()
    with console.step("Previewing", "Previewed") as step:
        if program.port is None:
            outcome = run_program(program, previewed)
        else:
            outcome = succeeded(stack_of(program).preview())
        step.result = summary(outcome)
    print_changes(outcome)


def up() -> None:
    """Update the running stack, and print what has changed."""
    program = load_program()
    with console.step("Deploying the stack", "Deployed") as step:
        if program.port is None:
            outcome = run_program(program, updated)
        else:
            outcome = succeeded(stack_of(program).up())
        save(outputs=outcome.outputs)
        step.result = summary(outcome)
    # Not for the first deployment, which creates everything.
    if set(outcome.changed.values()) != {"create"}:
        print_changes(outcome)


def updated(
    directory: Path, config: StackConfig, clients: Clients, previous: Resources
) -> Deployment:
    """Update the stack, and its resources in the state file."""
    return update(directory, config, clients, previous, save_resources)


def run_program(
    program: RunningProgram,
    command: Callable[[Path, StackConfig, Clients, Resources], Deployment],
) -> Outcome:
    """Run a command without the engine; raises CommandError if it fails."""
    config = local_config(program)
    clients = Clients(load_running().endpoint, config.region)
    previous = {urn: Resource(**values) for urn, values in load_resources().items()}
    deployment = validated(
        f"Pulumi.{config.stack}.yaml",
        lambda: command(program.directory, config, clients, previous),
    )
    return Outcome(
        steps=deployment.steps,
        inputs={urn: names for urn, names in deployment.inputs.items() if names},
        outputs=deployment.outputs,
    )


def local_config(program: RunningProgram) -> StackConfig:
    """Return the program's current config, with local streams and secrets."""
    config = read_config(program.directory, program.stack)
    clients = Clients(load_running().endpoint, config.region)
    return with_local_secrets(with_local_streams(config, clients), clients)


def save_resources(resources: Mapping[str, Resource]) -> None:
    """Write the stack's resources to the state file, for the next update."""
    save(resources={urn: dataclasses.asdict(one) for urn, one in resources.items()})


def stack_of(program: RunningProgram) -> EngineStack:
    """Return the engine's stack with the current config of the program."""
    config = local_config(program)
    assert program.port is not None
    return EngineStack(
        program_of(program.directory),
        folder=program.folder,
        directory=program.directory,
        port=program.port,
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
