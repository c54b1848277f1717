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
ROLES = "AWS_PREVIEW_ROLE_ARNS"
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


def own_roles(variables: Mapping[str, str]) -> dict[str, str]:
    """The preview roles of the stacks that have one of their own."""
    text = variables.get(ROLES) or "{}"
    try:
        roles = json.loads(text)
    except ValueError:
        roles = None
    if not isinstance(roles, dict) or not all(isinstance(role, str) for role in roles.values()):
        raise SystemExit(
            f"{ROLES}={text!r} is no JSON object of stacks and their roles: set the repository's "
            'variable as {"prod": "arn:aws:iam::210987654321:role/preview"}.'
        )
    return roles


def previews(directory: Path, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The stacks that are set up, each with its region and the role that previews it.

    Tells of each other one which variable it lacks.
    """
    ready, own = [], own_roles(variables)
    for stack in stacks(directory):
        role = own.get(stack) or variables.get(ROLE)
        if role and variables.get(BACKEND):
            ready.append({"stack": stack, "region": region(directory, stack), "role": role})
            continue
        lacks = [f"no {ROLE} and no {stack!r} in {ROLES}"] * (not role)
        lacks += [f"no {BACKEND}"] * (not variables.get(BACKEND))
        print(
            f"::notice title=No preview of {stack}::"
            f"The repository's variables have {', and '.join(lacks)}: see docs/pull-requests.md."
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
    with open(os.environ["GITHUB_OUTPUT"], "a") as outputs:
        print(f"stacks={json.dumps(previews(directory, os.environ))}", file=outputs)
        print(f"pulumi={pulumi_version(directory)}", file=outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
