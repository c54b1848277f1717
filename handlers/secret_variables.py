"""Secrets as environment variables of the transform's process."""

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from streaming_etl.handlers.firehose.deadline import CONNECT_SECONDS, READ_SECONDS
from streaming_etl.handlers.structured_log import log


class SecretError(Exception):
    """Secrets cannot be read, so Firehose must retry the invocation."""


def set_secret_variables() -> None:
    """Read the secrets of the setting `transform.secrets` into `os.environ`.

    Raises SecretError if any cannot be read, and sets none then.
    """
    if "STREAMING_ETL_SECRETS" not in os.environ:
        return
    # Importing boto3 takes longer than most invocations, and few transforms have secrets.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )

    create: Any = boto3.client
    client = cache(lambda service: create(service, config=config))
    os.environ.update(read_secrets(json.loads(os.environ["STREAMING_ETL_SECRETS"]), client))


def read_secrets(arns: Mapping[str, str], client: Callable[[str], Any]) -> dict[str, str]:
    """Return the values of parameters and secrets by name.

    client: returns the client of `ssm` or `secretsmanager`.
    Raises SecretError after it logs the name and the error code of each failure.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    values, failed = {}, []
    for name, arn in arns.items():
        service = arn.split(":")[2]
        try:
            values[name] = _value(client(service), service, arn)
        except ClientError as error:
            code = error.response["Error"]["Code"]
        except BotoCoreError as error:
            code = type(error).__name__
        except KeyError:
            code = "BinarySecret"
        else:
            continue
        log("ERROR", "secret not read", name=name, error=code)
        failed.append(f"{name} ({code})")
    if failed:
        raise SecretError(f"cannot read {', '.join(failed)}")
    return values


def _value(client: Any, service: str, arn: str) -> str:
    if service == "ssm":
        value = client.get_parameter(Name=arn, WithDecryption=True)["Parameter"]["Value"]
    else:
        value = client.get_secret_value(SecretId=arn)["SecretString"]
    return str(value)
