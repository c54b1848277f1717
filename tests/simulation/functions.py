"""Lambda around the real handlers: payload limits, time-outs, logs, crashes."""

import json
import os
import random
import re
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from traceback import format_tb
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple
from unittest.mock import patch
from zoneinfo import ZoneInfo

from streaming_etl.handlers import forwarder, structured_log
from streaming_etl.handlers import transform as transform_handler
from streaming_etl.handlers.firehose import deadline, put_records
from streaming_etl.handlers.rows.encoder import RowEncoder
from streaming_etl.handlers.wire.routing import Route, routes_of
from tests.simulation.scenario import Scenario
from tests.simulation.user_module import KilledError, transform
from tests.simulation.user_module import __file__ as user_file
from tests.simulation.world import EndlessError, World

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6_291_456
# Time that some changes take. Twelve of them exceed the shortest time-out.
WAIT_SECONDS = 5
# Of the real function, which a mutation may replace.
PUT_DEFAULTS: dict[str, Any] = put_records.put_records.__kwdefaults__ or {}


# What a cold start loads, once per container.
LOADERS = {"forwarder": "load_routing", "transform": "load_runtime"}

LABEL_OF_LINE = re.compile(rb',"streamLabel":"[^"]*"')


class InvocationResult(NamedTuple):
    """Result of an invocation for its caller."""

    ok: bool
    response: Any
    seconds: float
    had_fault: bool
    """Whether a fault occurred during the invocation."""


class Function:
    """One Lambda function."""

    def __init__(
        self,
        world: World,
        name: Literal["forwarder", "transform"],
        module: Any,
        scenario: Scenario,
        timeout_seconds: int,
    ) -> None:
        self.world, self.name, self.module = world, name, module
        self.scenario = scenario
        """That of the lake table, for a transform."""
        self.timeout_seconds = timeout_seconds
        self.invocations = 0
        self.ends_at = 0.0
        self.killed = False
        """Whether the current invocation's process has ended."""
        self.warm = False
        """Whether there is a container with the handler's state."""

    def invoke(self, event: str) -> InvocationResult:
        """Invoke the function with an event as JSON text."""
        world, start = self.world, self.world.now
        world.running = self
        self.invocations += 1
        self.ends_at, self.killed = start + self.timeout_seconds, False
        faults = world.faults.total()
        printed = StringIO()
        try:
            with redirect_stdout(printed), redirect_stderr(printed):
                response = self.call(event)
            ok = True
        except EndlessError:
            raise
        except KilledError:
            ok, response, self.warm = False, None, False
            world.events[f"{self.name} killed"] += 1
        except (Exception, SystemExit) as error:
            # Lambda's runtime logs an uncaught error like this.
            trace = "".join(format_tb(error.__traceback__))
            printed.write(f"[ERROR] {type(error).__name__}: {error}\n{trace}")
            ok, response = False, None
            bisects = isinstance(error, forwarder.BisectBatchError)
            if world.faults.total() == faults and not bisects:
                world.violations.append(
                    f"{self.name} fails without a fault: {type(error).__name__}"
                )
        world.logs.append(printed.getvalue())
        self.report(ok, world.now - start, printed.getvalue())
        seconds = world.now - start
        world.now = start
        world.trace(self.name, "ok" if ok else "fails", len(event), f"{seconds:.6f}")
        return InvocationResult(ok, response, seconds, world.faults.total() > faults)

    def report(self, ok: bool, seconds: float, printed: str) -> None:
        """Add the metrics of an invocation, also those that it printed."""
        metrics, now = self.world.metrics, self.world.now
        metrics.put(self.name, "Errors", now, not ok)
        metrics.put(self.name, "Duration", now, seconds * 1000)
        for line in printed.splitlines():
            if '"_aws"' in line:
                values = json.loads(line)
                for metric in values["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                    metrics.put(f"{self.name}_counts", metric["Name"], now, values[metric["Name"]])

    def call(self, event: str) -> Any:
        world = self.world
        if world.occurs(f"{self.name} crashes at its start"):
            raise KilledError
        world.now += 0.001 * world.chance("duration").randint(1, 400)
        if not self.warm or world.chance("containers").random() < 0.05:
            self.warm = True
            world.events[f"{self.name} starts cold"] += 1
            getattr(self.module, LOADERS[self.name]).cache_clear()
        context = SimpleNamespace(
            function_name=self.name, get_remaining_time_in_millis=self.remaining_milliseconds
        )
        response = json.dumps(self.module.lambda_handler(json.loads(event), context))
        self.check_process()
        if len(response) > MAX_PAYLOAD_BYTES:
            raise ResponseTooLargeError(f"{len(response)} bytes")
        if world.occurs(f"{self.name} runs, but its response is lost"):
            raise KilledError
        return json.loads(response)

    def run_module(self, change: Any, partitioned: bool) -> Any:
        """Call the user's module, which may be slow or end the process."""
        try:
            if (change.new or change.old or {}).get("do") == "wait":
                self.wait(WAIT_SECONDS)
            world = self.world
            return transform(
                change,
                partitioned,
                world.is_fixed,
                has_extra=world.has_extra,
                has_labels=self.scenario.table.format != "csv",
            )
        except KilledError:
            # The handler catches all exceptions of the module, so it runs on until `check_process`.
            self.killed = True
            raise

    def check_process(self) -> None:
        """End the invocation if its process has ended."""
        if self.killed:
            raise KilledError

    def remaining_milliseconds(self) -> int:
        return int((self.ends_at - self.world.now) * 1000)

    def wait(self, seconds: float) -> None:
        """Wait inside the function, which Lambda ends at its time-out."""
        self.check_process()
        self.world.now += seconds
        if self.world.now > self.ends_at:
            self.world.violations.append(f"{self.name} waits until its time-out")
            raise KilledError


class ResponseTooLargeError(Exception):
    """Lambda rejects the response, so the invocation fails."""


class ColdStart:
    """Loader of a handler module, with the state of each function's container."""

    def __init__(self, world: World, load: Callable[[Scenario, World], Any]) -> None:
        self.world, self.load = world, load
        self.loaded: dict[str, Any] = {}
        """By the name of the function's scenario."""

    def __call__(self) -> Any:
        scenario = self.world.running.scenario
        if scenario.name not in self.loaded:
            self.loaded[scenario.name] = self.load(scenario, self.world)
        return self.loaded[scenario.name]

    def cache_clear(self) -> None:
        self.loaded.pop(self.world.running.scenario.name, None)


def runtime_of(scenario: Scenario, world: World) -> Any:
    """Return what the transform's cold start loads from its archive."""
    table = scenario.table if world.has_extra or not scenario.deploy else scenario.deploy.table
    settings = json.loads(json.dumps(table.transform_config))
    encoder = RowEncoder(settings, ZoneInfo(settings["time_zone"]))
    partitioned = bool(settings["dynamic_partition_keys"])

    def run_module(change: Any) -> Any:
        return world.running.run_module(change, partitioned)

    return transform_handler.TransformRuntime(run_module, {user_file: "user_module.py"}, encoder)


def routing_of(scenario: Scenario, world: World) -> forwarder.Routing:
    """Return what the forwarder's cold start loads from its archive and environment."""
    text = json.dumps(scenario.forwarder_config(world.has_new_forwarder))
    return forwarder.routing_of(json.loads(text), streams_of(scenario))


def routes_after_deployment(scenario: Scenario) -> list[Route]:
    """Return the routes that a command reads from the stack's outputs."""
    text = json.dumps(scenario.forwarder_config(is_deployed=True))
    return routes_of(json.loads(text), streams_of(scenario))


def streams_of(scenario: Scenario) -> dict[str, str]:
    """Return the delivery stream of each lake table."""
    return {each.name: each.stream_name for each in scenario.lake_tables}


def previous_line(world: World, scenario: Scenario, line: bytes) -> bytes:
    """Return the line as the version before a deployment writes it."""
    deploy = scenario.deploy
    if deploy is None or deploy.has_label or world.now >= deploy.labels_at:
        return line
    # Containers are replaced one after the other.
    is_new = world.now >= deploy.forwarder_at and world.chance("labels").random() < 0.5
    return line if is_new else LABEL_OF_LINE.sub(b"", line)


class WorldModule:
    """Replacement of `time` and `random` in the handlers."""

    def __init__(self, world: World) -> None:
        self.world = world

    def monotonic(self) -> float:
        return self.world.now

    def time_ns(self) -> int:
        return int(self.world.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.world.running.wait(seconds)

    def random(self) -> float:
        return self.world.chance("jitter").random()


@contextmanager
def handlers_in(world: World, scenario: Scenario, client: Any) -> Iterator[None]:
    """Replace AWS, time, random numbers and settings of the real handlers."""
    module = WorldModule(world)
    replacements = {
        time: module,
        random: module,
        time.monotonic: module.monotonic,
        time.sleep: module.sleep,
        random.random: module.random,
    }
    with ExitStack() as patches:
        enter = patches.enter_context
        # A mutation keeps state in the environment.
        enter(patch.dict(os.environ))
        enter(patch.object(forwarder, "load_routing", ColdStart(world, routing_of)))
        enter(patch.object(transform_handler, "load_runtime", ColdStart(world, runtime_of)))
        line_of = forwarder.change_line
        enter(
            patch.object(
                forwarder,
                "change_line",
                lambda *arguments: previous_line(world, scenario, line_of(*arguments)),
            )
        )
        for handler in (
            forwarder,
            structured_log,
            deadline,
            put_records,
            transform_handler,
        ):
            for name, value in list(vars(handler).items()):
                if name == "firehose":
                    enter(patch.object(handler, name, lambda: client))
                elif isinstance(value, Hashable) and value in replacements:
                    enter(patch.object(handler, name, replacements[value]))
        # Defaults are bound when a function is defined.
        bound = {name: replacements.get(value, value) for name, value in PUT_DEFAULTS.items()}
        enter(patch.dict(PUT_DEFAULTS, bound))
        yield
