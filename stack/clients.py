"""boto3 clients for an AWS account or for the embedded AWS."""

import os
import threading
from typing import Any, Optional
from urllib.parse import urlparse

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

from streaming_etl.stack.errors import CommandError

DUMMY_KEY = "local-only"
LOOPBACK = ("127.0.0.1", "localhost", "::1")

ACCOUNT_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=32,
)
EMBEDDED_CONFIG = ACCOUNT_CONFIG.merge(
    Config(proxies={}, s3={"addressing_style": "path"}, inject_host_prefix=False)
)


class Clients:
    """boto3 clients of one region, each created once.

    endpoint: URL of an embedded AWS on the loopback; such clients cannot reach an AWS account.
    """

    def __init__(self, endpoint: Optional[str], region: str) -> None:
        if endpoint is not None and urlparse(endpoint).hostname not in LOOPBACK:
            message = (
                f"--endpoint-url must be an embedded AWS on this machine, such as "
                f"http://127.0.0.1:4566 (got {endpoint}). Omit it to use an AWS account."
            )
            raise CommandError(message, code="endpoint-not-local", endpoint=endpoint)
        self.endpoint = endpoint
        self.region = region
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        session = boto3.Session(region_name=region) if endpoint is None else isolated(region)
        self._make_client: Any = session.client

    def __call__(self, service: str) -> Any:
        # A session is not thread-safe, and Pulumi registers resources from threads.
        with self._lock:
            if service not in self._clients:
                config = ACCOUNT_CONFIG if self.endpoint is None else EMBEDDED_CONFIG
                self._clients[service] = self._make_client(
                    service, endpoint_url=self.endpoint, config=config
                )
            return self._clients[service]


def isolated(region: str) -> boto3.Session:
    """Return a session that ignores environment and AWS CLI files."""
    core = botocore.session.Session()
    store = core.get_component("config_store")
    for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        store.set_config_variable(name, default)
    for section in ("s3", "proxies_config"):
        store.set_config_variable(section, None)
    for file in ("config_file", "credentials_file"):
        store.set_config_variable(file, os.devnull)
    store.set_config_variable("region", region)
    return boto3.Session(
        aws_access_key_id=DUMMY_KEY, aws_secret_access_key=DUMMY_KEY, botocore_session=core
    )
