"""A stand-in Pulumi engine on the loopback, and the plugin it starts."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import (
    engine_pb2_grpc,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2_grpc,
)

from local.deploy.deploy import loop_of_this_thread
from streaming_etl.stack.recorder import (
    PROJECT,
    STACK,
    STACK_TYPE,
    Graph,
    Recorder,
    RecordingMonitor,
    plain,
)
from tests.support.pipelines import Tables
from tools.project import ROOT

PIPELINE = "streaming-etl:index:StreamingEtlPipeline"
STACK_URN = f"urn:pulumi:{STACK}::{PROJECT}::{STACK_TYPE}::{PROJECT}-{STACK}"

SIGNATURE, OUTPUT = rpc._special_sig_key, rpc._special_output_value_sig


def output(value: Any = None, *, secret: bool = False) -> dict[str, Any]:
    """An output as it is transmitted; without a value it is unknown."""
    known = {} if value is None else {"value": value}
    return {SIGNATURE: OUTPUT, "secret": secret, **known}


class Engine:
    """Servicer that passes all requests except the log to `monitor`."""

    monitor: RecordingMonitor

    def __getattr__(self, method: str) -> Callable[[Any, Any], Any]:
        def respond(request: Any, _context: Any) -> Any:
            if method == "Log":
                return empty_pb2.Empty()
            with loop_of_this_thread():
                return getattr(self.monitor, method)(request)

        return respond


@dataclass
class Plugin:
    """The running plugin, and the graph of what it registered last."""

    stub: Any
    address: str
    engine: Engine
    graph: Graph = field(default_factory=Graph)

    def construct(
        self,
        name: str,
        inputs: Mapping[str, Any],
        *,
        tables: Tables | None = None,
        preview: bool = False,
    ) -> dict[str, Any]:
        """Construct a pipeline as the engine does, and return its state.

        Raises grpc.RpcError when the plugin rejects it.
        """
        self.graph = Graph()
        self.engine.monitor = RecordingMonitor(Recorder(self.graph, tables or {}, preview))
        properties = struct_pb2.Struct()
        properties.update(inputs)
        request = provider_pb2.ConstructRequest(
            project=PROJECT,
            stack=STACK,
            dryRun=preview,
            parallel=16,
            monitorEndpoint=self.address,
            type=PIPELINE,
            name=name,
            parent=STACK_URN,
            inputs=properties,
        )
        state = self.stub.Construct(request, timeout=60).state
        return dict(plain(rpc.deserialize_properties(state, keep_unknowns=True)))


@contextlib.contextmanager
def running_plugin(directory: Path, log: Path) -> Iterator[Plugin]:
    """The plugin, started in `directory` as `pulumi up` does for a program there."""
    engine = Engine()
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(engine, server)  # type: ignore[arg-type]
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)  # type: ignore[arg-type]
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            # https://www.pulumi.com/docs/iac/guides/building-extending/packages/source-based-plugin/
            [sys.executable, str(ROOT / "package"), address],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log_file,
            text=True,
        )
    server.start()
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port.isdigit(), log.read_text()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            yield Plugin(stub, address, engine)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        server.stop(None).wait()
