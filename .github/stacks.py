"""Which stacks there are, and which of them the repository's variables let the workflows preview.

Run by the runner's own Python before anything is installed: the standard library only.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What Pulumi takes as a stack's name; it becomes a word of a command line.
STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
ROLE = "AWS_PREVIEW_ROLE_ARN"
BACKEND = "PULUMI_BACKEND_URL"


def stacks(directory: Path) -> list[str]:
    """The names of the stacks that have a config file."""
    names = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in configs(directory))
    for name in names:
        if not STACK.fullmatch(name):
            raise SystemExit(
                f"Pulumi.{name}.yaml: {name!r} is no stack's name: 1 to 100 of A-Z a-z 0-9 _ . - "
                "that begin with neither a dot nor a hyphen; rename the file."
            )
    return names


def configs(directory: Path) -> list[Path]:
    return [path for path in directory.glob("Pulumi.*.yaml") if path.is_file()]


def region(directory: Path, stack: str) -> str:
    text = (directory / f"Pulumi.{stack}.yaml").read_text()
    found = re.search(r"^\s+aws:region:\s*[\"']?([a-z0-9-]+)", text, re.MULTILINE)
    if found is None:
        raise SystemExit(
            f"Pulumi.{stack}.yaml: config has no aws:region; set it, as `aws:region: eu-west-1`."
        )
    return found[1]


def role_variables(stack: str) -> tuple[str, str]:
    """The variables that may hold the preview role of a stack, its own first."""
    return f"{ROLE}_{re.sub(r'[^A-Za-z0-9]', '_', stack).upper()}", ROLE


def previews(directory: Path, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The stacks that are set up, each with its region and the role that previews it.

    Tells of each other one which variable it lacks.
    """
    ready = []
    for stack in stacks(directory):
        own, shared = role_variables(stack)
        role = variables.get(own) or variables.get(shared)
        if role and variables.get(BACKEND):
            ready.append({"stack": stack, "region": region(directory, stack), "role": role})
            continue
        lacks = [f"{shared} or {own}"] * (not role) + [BACKEND] * (not variables.get(BACKEND))
        print(
            f"::notice title=No preview of {stack}::"
            f"The repository has no variable {', and no '.join(lacks)}: see docs/pull-requests.md."
        )
    return ready


def pulumi_version(directory: Path) -> str:
    """The version of the SDK: the CLI goes with it."""
    found = re.search(
        r"^pulumi==([0-9.]+)", (directory / "requirements.txt").read_text(), re.MULTILINE
    )
    if found is None:
        raise SystemExit("requirements.txt pins no pulumi==...; run `make lock`.")
    return found[1]


def main(directory: Path) -> None:
    variables = json.loads(os.environ.get("VARIABLES") or "{}")
    with open(os.environ["GITHUB_OUTPUT"], "a") as outputs:
        print(f"stacks={json.dumps(previews(directory, variables))}", file=outputs)
        print(f"pulumi={pulumi_version(directory)}", file=outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
