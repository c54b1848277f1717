"""A stand-in for Pulumi's engine that sends resources to the pack.

The messages are those of the program's own registrations; outputs come from the recorder, not
from the AWS provider.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import grpc
from google.protobuf import json_format
from pulumi.runtime import proto
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policy.rules.resources import Resource, plain
from streaming_etl.stack import recorder
from tests.support.pipelines import ROOT

Registered = tuple[Any, Any]
"""A registration request and its response."""

Violation = tuple[str, str]
"""The rule and the resource's name."""


def registered(build: Callable[[], object]) -> list[Registered]:
    """Every registration of a program that runs under the recorder."""
    registrations: list[Registered] = []

    class Monitor(recorder.RecordingMonitor):
        def RegisterResource(self, request: Any) -> Any:  # noqa: N802
            response = super().RegisterResource(request)
            registrations.append((request, response))
            return response

    with patch.object(recorder, "RecordingMonitor", Monitor):
        build()
    # Threads register resources in any order.
    return sorted(registrations, key=lambda pair: pair[1].urn)


@contextlib.contextmanager
def running_pack() -> Iterator[AnalyzerStub]:
    """The pack in a separate process, in its own folder."""
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:0", "."]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with subprocess.Popen(
        command, cwd=ROOT / "policy", env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield AnalyzerStub(channel)
        finally:
            process.terminate()


def violations(pack: AnalyzerStub, sent: list[Registered]) -> list[Violation]:
    """Violations of single resources before creation, then of the complete stack."""
    responses = [pack.Analyze(before_creation(*pair)) for pair in sent]
    resources = [after_creation(*pair) for pair in sent]
    responses.append(pack.AnalyzeStack(proto.AnalyzeStackRequest(resources=resources)))
    return sorted(
        (diagnostic.policyName, diagnostic.urn.split("::")[-1])
        for response in responses
        for diagnostic in response.diagnostics
    )


def before_creation(request: Any, response: Any) -> Any:
    return proto.AnalyzeRequest(
        type=request.type, name=request.name, urn=response.urn, properties=request.object
    )


def after_creation(request: Any, response: Any) -> Any:
    """Inputs and outputs; what only AWS knows is unknown."""
    resource = proto.AnalyzerResource(
        type=request.type,
        name=request.name,
        urn=response.urn,
        properties=response.object,
        parent=request.parent,
        dependencies=request.dependencies,
        propertyDependencies={
            key: proto.AnalyzerPropertyDependencies(urns=value.urns)
            for key, value in request.propertyDependencies.items()
        },
    )
    for key in recorder.provider_outputs(request.type, request.name, {}):
        if request.custom and key not in resource.properties:
            resource.properties[key] = UNKNOWN_STRING_VALUE
    return resource


def as_resources(sent: list[Registered]) -> list[Resource]:
    """The registered resources as the rules receive them."""
    return [
        Resource(
            request.type,
            response.urn,
            plain(json_format.MessageToDict(response.object)),
            {key: list(value.urns) for key, value in request.propertyDependencies.items()},
        )
        for request, response in sent
    ]
