"""The engine's part: the policy pack started as Pulumi starts it, and what Pulumi sends to it.

What it sends is what the program itself registers, in the very messages; the provider's part in
them (the outputs) is the recorder's.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import grpc
from pulumi.runtime import proto
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from streaming_etl.stack import recorder
from tests.components.pipelines import ROOT

Registered = tuple[Any, Any]
"""A program's request to register a resource, and the answer."""

Violation = tuple[str, str, str]
"""The rule, the resource's name, and the message without the rule's description."""


def registered(build: Callable[[], object]) -> list[Registered]:
    """Every registration of what `build` runs under the recorder."""
    seen: list[Registered] = []

    class Monitor(recorder.RecordingMonitor):
        def RegisterResource(self, request: Any) -> Any:  # noqa: N802
            response = super().RegisterResource(request)
            seen.append((request, response))
            return response

    with patch.object(recorder, "RecordingMonitor", Monitor):
        build()
    # Threads register resources in any order.
    return sorted(seen, key=lambda pair: pair[1].urn)


@contextlib.contextmanager
def running_pack() -> Iterator[AnalyzerStub]:
    """The pack in a process of its own: in its folder, where it finds nothing but itself."""
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
    """What the pack finds in a stack: resource by resource before they are made, then in all."""
    answers = [pack.Analyze(before(*pair)) for pair in sent]
    resources = [afterwards(*pair) for pair in sent]
    answers.append(pack.AnalyzeStack(proto.AnalyzeStackRequest(resources=resources)))
    return sorted(told(found) for answer in answers for found in answer.diagnostics)


def before(request: Any, response: Any) -> Any:
    return proto.AnalyzeRequest(
        type=request.type, name=request.name, urn=response.urn, properties=request.object
    )


def afterwards(request: Any, response: Any) -> Any:
    """Inputs and outputs together; what AWS has not told as yet is unknown."""
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


def told(found: Any) -> Violation:
    description, _, message = found.message.partition("\n")
    assert description == found.description, found.message
    return found.policyName, found.urn.split("::")[-1], message
