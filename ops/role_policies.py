"""`streaming-etl role-policies`: what the existing roles of a stack need."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from streaming_etl.stack.config import read_config, validated
from streaming_etl.stack.errors import CommandError, UsageError

EPILOG = """\b
Example:
  streaming-etl role-policies --stack dev --account-id 123456789012 --into roles
"""
DOCUMENTS = ("trust", "policy")


@click.command(epilog=EPILOG, short_help="Write the policies that existing roles need.")
@click.option(
    "--stack",
    required=True,
    metavar="NAME",
    help="The Pulumi stack, whose program and config are in the current directory.",
)
@click.option("--account-id", required=True, metavar="ID", help="The AWS account, 12 digits.")
@click.option(
    "--into",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files, which is created if it is missing.",
)
def role_policies(stack: str, account_id: str, into: Path) -> None:
    """Write trust policy and permissions of each role in `iam.role_arns`.

    Runs the program as a preview does, without AWS: neither stack nor roles need to exist.
    """
    if not (account_id.isascii() and account_id.isdigit() and len(account_id) == 12):
        raise UsageError(
            f"--account-id must be 12 digits (got {account_id}). Use the number of the account.",
            code="invalid-account-id",
            value=account_id,
        )
    found = False
    for pipeline, outputs in exported(stack, account_id).items():
        if not isinstance(outputs, Mapping) or not outputs.get("role_policies"):
            continue
        found = True
        into.mkdir(parents=True, exist_ok=True)
        for role, needed in sorted(outputs["role_policies"].items()):
            click.echo(f"{outputs['settings']['iam']['role_arns'][role]} ({needed['service']}):")
            for document in DOCUMENTS:
                path = into / f"{pipeline}.{role}.{document}.json"
                path.write_text(json.dumps(json.loads(needed[document]), indent=2) + "\n")
                click.echo(f"  {path}")
    if not found:
        raise CommandError(
            f"A pipeline of the stack {stack} must have `iam.role_arns`. Write the ARNs that the "
            "roles will have.",
            code="no-existing-roles",
            stack=stack,
        )


def exported(stack: str, account_id: str) -> Mapping[str, Any]:
    """Return what the stack's program exports in a preview."""
    # Imports Pulumi, which `--help` does not need.
    from streaming_etl.stack.program import AssumedTables, program_graph

    config = read_config(Path(), stack)
    graph = validated(
        f"Pulumi.{stack}.yaml",
        lambda: program_graph(
            config.values,
            stack=stack,
            preview=True,
            tables=AssumedTables(),
            account_id=account_id,
            region=config.region,
        ),
    )
    return graph.exports
