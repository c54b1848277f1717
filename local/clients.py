"""The only clients that talk to the embedded AWS; no real account is within their reach."""

import os
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES

DUMMY_KEY = "local-only"

CONFIG = Config(
    proxies={},
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "path"},
    inject_host_prefix=False,
    max_pool_connections=32,
)


class Clients:
    """boto3 clients of one endpoint, each made once."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint = endpoint
        self.region = region
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}
        self._session = isolated_session(region)

    def __call__(self, service: str) -> Any:
        # A session is not thread-safe, and Pulumi registers resources from threads.
        with self._lock:
            if service not in self._made:
                self._made[service] = self._session.client(
                    service, endpoint_url=self.endpoint, config=CONFIG
                )
            return self._made[service]


def isolated_session(region: str) -> Any:
    """A session with dummy keys that reads neither the environment nor the AWS CLI's files."""
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
