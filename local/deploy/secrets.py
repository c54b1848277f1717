"""Secrets of transforms, which the embedded AWS creates before the program runs."""

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import DEFAULTS, TABLES, StackConfig
from streaming_etl.stack.errors import CommandError


def with_local_secrets(config: StackConfig, clients: Clients) -> StackConfig:
    """Replace each ARN in `transform.secrets` of the config by a local one.

    A secret that does not exist is created, with the value of the environment variable of its name
    in this process, or with a placeholder.
    """
    try:
        pipelines = config.pipelines.values()
    except CommandError:
        # The program reports its invalid settings itself.
        return config
    local: dict[str, str] = {}
    for args in pipelines:
        for lake_table in args.tables.values():
            for name, arn in lake_table.transform.secrets.items():
                if isinstance(arn, str) and arn not in local:
                    value = os.environ.get(name, f"placeholder of {name}")
                    local[arn] = local_secret(clients, arn, value)
    if not local:
        return config
    sections = {
        f"{config.project}:{key}": json.dumps(replaced(config.section(key), local))
        for key in (TABLES, DEFAULTS)
        if f"{config.project}:{key}" in config.values
    }
    return dataclasses.replace(config, values={**config.values, **sections})


def local_secret(clients: Clients, arn: str, value: str) -> str:
    """Return the ARN of a local secret; create a missing one."""
    service, resource = arn.split(":")[2], arn.split(":", 5)[5]
    if service == "ssm":
        path = resource.removeprefix("parameter")
        return local_parameter(clients, path if "/" in path[1:] else path[1:], value)
    name = resource.removeprefix("secret:").rpartition("-")[0]
    secrets_manager = clients("secretsmanager")
    try:
        return str(secrets_manager.describe_secret(SecretId=name)["ARN"])
    except secrets_manager.exceptions.ResourceNotFoundException:
        return str(secrets_manager.create_secret(Name=name, SecretString=value)["ARN"])


def local_parameter(clients: Clients, name: str, value: str) -> str:
    """Return the ARN of a parameter; create one that does not exist."""
    ssm = clients("ssm")
    try:
        ssm.put_parameter(Name=name, Value=value, Type="SecureString")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterAlreadyExists":
            raise
    return str(ssm.get_parameter(Name=name)["Parameter"]["ARN"])


def replaced(value: Any, texts: Mapping[str, str]) -> Any:
    """Return data with other texts in the place of some."""
    if isinstance(value, Mapping):
        return {key: replaced(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item, texts) for item in value]
    return texts.get(value, value) if isinstance(value, str) else value
