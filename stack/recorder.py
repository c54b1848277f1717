"""Recorder of the resources that a program registers, as plain data."""

import asyncio
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
from botocore.exceptions import UnknownRegionError
from botocore.session import get_session
from google.protobuf.json_format import MessageToDict
from pulumi.output import Unknown
from pulumi.runtime import mocks, rpc, set_all_config, set_mocks, settings
from pulumi.runtime import test as run_to_the_end
from pulumi.runtime.stack import Stack

from streaming_etl.stack.errors import CommandError

ACCOUNT_ID = "123456789012"
REGION = "ap-northeast-1"
PROJECT = "streaming-etl"
STACK = "test"
STACK_TYPE = "pulumi:pulumi:Stack"
UNKNOWN = "<unknown>"
"""Value in a preview's inputs and exports that only an update knows."""

# Options that decide how Pulumi deletes or replaces a resource.
OPTIONS = ("protect", "retainOnDelete", "replaceOnChanges", "ignoreChanges", "deletedWith")


@dataclass
class Node:
    """One registered resource.

    inputs: as the provider receives them (camelCase), as plain data; a zip file is
    {"archive": path}, see `archive_files`.
    """

    type: str
    name: str
    parent: str
    parent_type: str
    inputs: dict[str, Any]
    depends_on: list[str]
    delete_before_replace: bool
    custom: bool
    provider: str
    options: dict[str, Any] = field(default_factory=dict)
    """The OPTIONS that are set, and the names of hooks."""
    aliases: list[str] = field(default_factory=list)
    """URNs that the resource had in earlier versions of the program."""
    outputs: dict[str, Any] | None = None

    def policy(self, key: str = "policy") -> Any:
        return json.loads(self.inputs[key])


@dataclass
class Graph:
    """Nodes of one program, its look-ups as (token, provider) and its exports."""

    nodes: list[Node] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Node:
        nodes = [node for node in self.nodes if node.name == name and node.custom]
        nodes = nodes or [node for node in self.nodes if node.name == name]
        if len(nodes) != 1:
            known = ", ".join(sorted(node.name for node in self.nodes))
            raise KeyError(f"{len(nodes)} resources are named {name!r}; the names are {known}")
        return nodes[0]

    def of(self, type_suffix: str) -> list[Node]:
        nodes = [node for node in self.nodes if node.type.endswith(f":{type_suffix}")]
        if not nodes:
            raise KeyError(f"no resource of type {type_suffix!r}")
        return nodes

    @property
    def custom(self) -> list[Node]:
        return [node for node in self.nodes if node.custom]


def plain(value: Any) -> Any:
    """Return inputs as data that compares by value."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, pulumi.StringAsset):
        return {"text": value.text}
    if isinstance(value, pulumi.FileAsset):
        return {"file": str(value.path)}
    if isinstance(value, pulumi.AssetArchive):
        return plain(value.assets)
    if isinstance(value, pulumi.FileArchive):
        # Absolute: a program may run in another directory than the reader of its graph.
        return {"archive": str(Path(value.path).absolute())}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if value is not None and not isinstance(value, (str, bool, int, float)):
        raise TypeError(f"{value!r} is not plain data: name every file of an archive")
    return value


def archive_files(archive: Mapping[str, str]) -> dict[str, bytes]:
    """Return the content of each file of a recorded archive."""
    with zipfile.ZipFile(archive["archive"]) as content:
        return {name: content.read(name) for name in content.namelist()}


# AWS's ARNs, so that tests compare entire policies with literals. Other types have none.
ARNS = {
    "aws:cloudwatch/eventRule:EventRule": "arn:aws:events:{region}:{account}:rule/{name}",
    "aws:cloudwatch/logGroup:LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "aws:dynamodb/table:Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "aws:iam/role:Role": "arn:aws:iam::{account}:role{path}{name}",
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": (
        "arn:aws:firehose:{region}:{account}:deliverystream/{name}"
    ),
    "aws:lambda/function:Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "aws:s3/bucket:Bucket": "arn:aws:s3:::{name}",
    "aws:sfn/stateMachine:StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
    "aws:sns/topic:Topic": "arn:aws:sns:{region}:{account}:{name}",
}


def provider_outputs(kind: str, name: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs that AWS adds to the inputs.

    A name that Pulumi generates is the logical name with the suffix `-0000000`.
    """
    configured = inputs.get("bucket" if kind == "aws:s3/bucket:Bucket" else "name")
    physical = configured or f"{name}-0000000"
    outputs: dict[str, Any] = {"name": physical}
    if kind in ARNS:
        path = inputs.get("path") or "/"
        outputs["arn"] = ARNS[kind].format(
            region=REGION, account=ACCOUNT_ID, name=physical, path=path
        )
    if kind == "aws:s3/bucket:Bucket":
        outputs["bucket"] = physical
    elif kind == "aws:dynamodb/table:Table":
        outputs["streamArn"] = f"{outputs['arn']}/stream/2026-11-23T00:00:00.000"
    elif kind == "aws:lambda/eventSourceMapping:EventSourceMapping":
        outputs["uuid"] = f"uuid-of-{name}"
    return outputs


def options_of(request: Any) -> dict[str, Any]:
    """Return the OPTIONS that a registration sets, `replacementTrigger` and hooks."""
    options = {name: value for name in OPTIONS if (value := getattr(request, name))}
    for name, value in options.items():
        if isinstance(value, str):
            # Another resource, by its URN.
            options[name] = value.split("::")[-1]
        elif not isinstance(value, bool):
            options[name] = list(value)
    if request.HasField("replacement_trigger"):
        options["replacementTrigger"] = MessageToDict(request.replacement_trigger)
    hooks = {descriptor.name: list(names) for descriptor, names in request.hooks.ListFields()}
    return {**options, "hooks": hooks} if hooks else options


class Recorder(mocks.Mocks):
    """Provider of the mocks; an unknown look-up raises KeyError."""

    def __init__(
        self,
        graph: Graph,
        tables: Mapping[str, dict[str, Any]],
        preview: bool,
        account_id: str = ACCOUNT_ID,
        region: str = REGION,
    ) -> None:
        self.graph, self.tables, self.preview = graph, tables, preview
        self.account_id, self.region = account_id, region

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if self.preview:
            # Pulumi treats an empty id and absent outputs as unknown.
            return "", args.inputs
        outputs = provider_outputs(args.typ, args.name, args.inputs)
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        results: dict[str, Callable[[], dict[str, Any]]] = {
            "aws:index/getCallerIdentity:getCallerIdentity": lambda: {"accountId": self.account_id},
            "aws:index/getRegion:getRegion": lambda: {"region": self.region},
            "aws:index/getPartition:getPartition": lambda: {"partition": partition_of(self.region)},
            "aws:dynamodb/getTable:getTable": lambda: self.tables[args.args["name"]],
        }
        self.graph.calls.append((args.token, args.provider))
        return results[args.token](), []


@cache
def partition_of(region: str) -> str:
    """Return the partition of a region; raises CommandError for an unknown one."""
    try:
        return str(get_session().get_partition_for_region(region))
    except UnknownRegionError:
        raise CommandError(
            f"`aws:region` must be a region of AWS (got {region}). Correct it in the stack's "
            "config.",
            code="unknown-region",
            region=region,
        ) from None


class RecordingMonitor(mocks.MockMonitor):
    """Mock monitor that also records parents, options, aliases and outputs.

    Its URNs are those of Pulumi's engine. Two resources with one URN are rejected.
    """

    def __init__(self, recorder: Recorder, stack: str = STACK) -> None:
        super().__init__(recorder)
        self.stack = stack
        self.graph = recorder.graph
        self.by_urn: dict[str, Node] = {}

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return a URN with the types of all ancestors except the stack."""
        ancestors = parent.split("::")[2] if parent else STACK_TYPE
        qualified = type_ if ancestors == STACK_TYPE else f"{ancestors}${type_}"
        return f"urn:pulumi:{self.stack}::{PROJECT}::{qualified}::{name}"

    def former_urn(self, alias: Any, request: Any) -> str:
        """Return the URN of a registration's alias."""
        if alias.urn:
            return str(alias.urn)
        spec = alias.spec
        parent = "" if spec.noParent else spec.parentUrn or request.parent
        return self.make_urn(parent, spec.type or request.type, spec.name or request.name)

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        node = Node(
            request.type,
            request.name,
            request.parent.split("::")[-1],
            request.parent.split("::")[2].split("$")[-1] if request.parent else "",
            plain(rpc.deserialize_properties(request.object)),
            sorted(urn.split("::")[-1] for urn in request.dependencies),
            request.deleteBeforeReplace,
            request.custom,
            request.provider,
            options_of(request),
            [self.former_urn(alias, request) for alias in request.aliases],
        )
        if response.urn in self.by_urn:
            raise ValueError(f"two resources have the URN {response.urn}")
        if request.type != STACK_TYPE:
            self.by_urn[response.urn] = node
            self.graph.nodes.append(node)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn in self.by_urn:
            self.by_urn[request.urn].outputs = plain(rpc.deserialize_properties(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def build(
    program: Callable[[], Any],
    *,
    stack: str | None = None,
    preview: bool = False,
    tables: Mapping[str, dict[str, Any]] | None = None,
    config: dict[str, str] | None = None,
    into: Graph | None = None,
    account_id: str = ACCOUNT_ID,
    region: str = REGION,
) -> Graph:
    """Run a Pulumi program to its end and return what it registered.

    stack: the stack's name, which is part of some resource names.
    preview: outputs that AWS sets are unknown, as in `pulumi preview`.
    tables: the results of getTable, by table name.
    into: the graph to fill; it holds what was registered even when the program raises.
    account_id, region: those that the program looks up. ARNs of resources have the defaults.
    """
    graph = Graph() if into is None else into
    recorder = Recorder(graph, {} if tables is None else tables, preview, account_id, region)
    asyncio.set_event_loop(event_loop())
    # Pulumi keeps one root per process, with the name of the first stack.
    settings.ROOT.set(None)
    stack = stack or STACK
    monitor = RecordingMonitor(recorder, stack)
    set_mocks(recorder, project=PROJECT, stack=stack, preview=preview, monitor=monitor)
    set_all_config(config or {})
    run_to_the_end(lambda: run(program, graph))()  # type: ignore[no-untyped-call]
    return graph


@cache
def event_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all builds.

    Pulumi's worker threads and root resource use it until the process ends. Python 3.12 and
    later create none implicitly.
    """
    loop = asyncio.new_event_loop()
    # Pulumi raises the error of a failed program; asyncio would print it again for each pending
    # future.
    loop.set_exception_handler(lambda _loop, _context: None)
    return loop


def run(program: Callable[[], Any], graph: Graph) -> pulumi.Output[None]:
    """Run the program and record its exports in the graph."""
    root = pulumi.runtime.get_root_resource()
    assert isinstance(root, Stack)
    program()
    exports = pulumi.Output.from_input(dict(root.outputs))
    return exports.apply(lambda values: graph.exports.update(plain(values)), run_with_unknowns=True)
