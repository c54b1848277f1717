"""Print which stacks exist and which of them the workflows may preview.

Runs with the runner's own Python before anything is installed: standard library only.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Names that Pulumi accepts; a name becomes an argument of a command.
STACK = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
ROLE, ROLES = "AWS_PREVIEW_ROLE_ARN", "AWS_PREVIEW_ROLE_ARNS"
BACKEND = "PULUMI_BACKEND_URL"


def stacks(directory: Path) -> list[str]:
    """The stacks that have a config file."""
    files = [path.name for path in directory.glob("Pulumi.*.yaml")]
    names = sorted(name.removeprefix("Pulumi.").removesuffix(".yaml") for name in files)
    for name in names:
        if not STACK.fullmatch(name):
            raise SystemExit(
                f"The stack of Pulumi.{name}.yaml must have a name of 1 to 100 characters A-Z a-z"
                " 0-9 _ . - that begins with neither dot nor hyphen. Rename the file."
            )
    return names


def region(directory: Path, stack: str) -> str:
    """The AWS region in a stack's config."""
    text = (directory / f"Pulumi.{stack}.yaml").read_text()
    match = re.search(r"^\s+aws:region:\s*[\"']?([a-z0-9-]+)", text, re.MULTILINE)
    if match is None:
        raise SystemExit(f"Pulumi.{stack}.yaml must set aws:region, such as `eu-west-1`.")
    return match[1]


def roles_by_stack(variables: Mapping[str, str]) -> dict[str, str]:
    """The preview roles of stacks in other accounts."""
    text = variables.get(ROLES) or "{}"
    try:
        roles = json.loads(text)
    except ValueError:
        roles = None
    if not isinstance(roles, dict) or not all(isinstance(role, str) for role in roles.values()):
        raise SystemExit(f"{ROLES} must be a JSON object of stacks and role ARNs (got {text!r}).")
    return roles


def previews(directory: Path, variables: Mapping[str, str]) -> list[dict[str, str]]:
    """The configured stacks, each with region and preview role.

    Prints a notice with the missing variables for each other stack.
    """
    configured, by_stack = [], roles_by_stack(variables)
    for stack in stacks(directory):
        role = by_stack.get(stack) or variables.get(ROLE)
        missing = [] if role else [f"{ROLE} or {ROLES}"]
        missing += [] if variables.get(BACKEND) else [BACKEND]
        if role and not missing:
            region_name = region(directory, stack)
            configured.append({"stack": stack, "region": region_name, "role": role})
        else:
            print(
                f"::notice title=No preview of {stack}::Set the repository's variables"
                f" {' and '.join(missing)}: see docs/pull-requests.md."
            )
    return configured


def pulumi_version(directory: Path) -> str:
    """Pinned version of the SDK, and so of the CLI."""
    lock = (directory / "requirements.txt").read_text()
    match = re.search(r"^pulumi==([0-9.]+)", lock, re.MULTILINE)
    if match is None:
        raise SystemExit("requirements.txt must pin pulumi. Run `make lock`.")
    return match[1]


def main(directory: Path) -> None:
    """Write the outputs of the workflow step."""
    with open(os.environ["GITHUB_OUTPUT"], "a") as outputs:
        print(f"stacks={json.dumps(previews(directory, os.environ))}", file=outputs)
        print(f"pulumi={pulumi_version(directory)}", file=outputs)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
