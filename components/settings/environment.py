"""Environment variables of a transform, and secrets that become some."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from streaming_etl.components.settings.existing_resources import SECRET_ARN
from streaming_etl.components.settings.validation import Problem, Related, invalid

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
MAX_BYTES = 4096
VARIABLE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
RESERVED_NAMES = frozenset(
    {
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
    }
)
OWN_PREFIX = "STREAMING_ETL_"
# Read by handlers/structured_log.py and handlers/secret_variables.py.
LOG_LEVEL_VARIABLE = f"{OWN_PREFIX}LOG_LEVEL"
SECRETS_VARIABLE = f"{OWN_PREFIX}SECRETS"

Variables = Mapping[str, pulumi.Input[str]]

# No problem has a value: it may be a secret in the wrong place.


def environment_problems(field: str, variables: object) -> Iterator[Problem]:
    """Problems of names and values of environment variables."""
    yield from name_problems(field, variables)
    for name, value in variables.items() if isinstance(variables, Mapping) else ():
        if not isinstance(value, (str, pulumi.Output)):
            yield invalid(field, None, "variable-value", item=name, got=type(value).__name__)


def secret_problems(field: str, secrets: object) -> Iterator[Problem]:
    """Problems of names and ARNs of secrets."""
    yield from name_problems(field, secrets)
    names: dict[str, str] = {}
    for name, arn in secrets.items() if isinstance(secrets, Mapping) else ():
        if isinstance(arn, pulumi.Output):
            continue
        if not isinstance(arn, str) or not SECRET_ARN.fullmatch(arn):
            yield invalid(field, None, "secret-arn", item=name)
        elif (first := names.setdefault(arn, name)) != name:
            yield invalid(field, None, "secret-twice", item=name, other=repr(first))


def name_problems(field: str, variables: object) -> Iterator[Problem]:
    """Problems of names that Lambda or the handlers do not accept."""
    if not isinstance(variables, Mapping):
        yield invalid(field, None, "variables-type", got=type(variables).__name__)
        return
    for name in variables:
        if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
            yield invalid(field, None, "variable-name", item=name)
        elif name in RESERVED_NAMES or name.startswith(OWN_PREFIX):
            yield invalid(field, None, "variable-reserved", item=name, prefix=OWN_PREFIX)


def variable_problems(environment: Variables, secrets: Variables) -> Iterator[Problem]:
    """Problems of variables and secrets together."""
    for name in secrets:
        if name in environment:
            yield invalid(
                "secrets", None, "variable-twice", Related("environment", None), item=name
            )
    if (length := environment_bytes(environment, secrets)) > MAX_BYTES:
        because = Related("secrets", None)
        yield invalid("environment", None, "too-large", because, most=MAX_BYTES, length=length)


def environment_bytes(environment: Variables, secrets: Variables) -> int:
    """Size of all variables as Lambda measures it.

    Without outputs, and with the variables that the pipeline adds.
    """
    variables = {**known(environment), LOG_LEVEL_VARIABLE: "WARNING"}
    if secrets:
        variables[SECRETS_VARIABLE] = json.dumps(known(secrets))
    return len(json.dumps(variables, ensure_ascii=False, separators=(",", ":")).encode())


def known(variables: Variables) -> dict[str, Any]:
    """Names with their texts, which are empty for outputs."""
    return {key: value if isinstance(value, str) else "" for key, value in variables.items()}
