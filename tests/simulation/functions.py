"""Lambda around the real handlers: JSON in and out, its limits, its time, its logs, its end."""

import json
import os
import random
import time
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from functools import cache, partial
from io import StringIO
from traceback import format_tb
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch
from zoneinfo import ZoneInfo

import streaming_etl.handlers.firehose.put_records
import streaming_etl.handlers.forwarder
import streaming_etl.handlers.structured_log
import streaming_etl.handlers.transform
from streaming_etl.handlers.firehose.put_records import put_records
from streaming_etl.handlers.rows.encoder import RowEncoder
from tests.simulation.scenario import Scenario
from tests.simulation.user_module import KilledError, transform
from tests.simulation.user_module import __file__ as user_file
from tests.simulation.world import EndlessError, World

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 6_291_456


class Answer(NamedTuple):
    """What the caller of a function sees."""

    ok: bool
    response: Any
    seconds: float
    struck: bool
    """Whether a fault was met in it."""


class Function:
    """One Lambda function."""

    def __init__(self, world: World, name: str, module: Any, timeout_seconds: int) -> None:
        self.world, self.name, self.module = world, name, module
        self.timeout_seconds = timeout_seconds
        self.invocations = 0
        self.ends_at = 0.0
        self.warm = False
        """Whether a container is there, with what the handler keeps in it."""

    def invoke(self, event: str) -> Answer:
        """Call it with an event as JSON text. Time inside passes as the function waits."""
        world, start = self.world, self.world.now
        world.running = self
        self.invocations += 1
        self.ends_at = start + self.timeout_seconds
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
        except Exception as error:
            # What Lambda's runtime logs of an error that a function lets through.
            trace = "".join(format_tb(error.__traceback__))
            printed.write(f"[ERROR] {type(error).__name__}: {error}\n{trace}")
            ok, response = False, None
            asks_to_halve = isinstance(error, streaming_etl.handlers.forwarder.BisectBatchError)
            if world.faults.total() == faults and not asks_to_halve:
                world.complaints.append(f"{self.name} fails by itself: {type(error).__name__}")
        world.logs.append(printed.getvalue())
        seconds = world.now - start
        world.now = start
        world.trace(self.name, "ok" if ok else "fails", len(event), f"{seconds:.6f}")
        return Answer(ok, response, seconds, world.faults.total() > faults)

    def call(self, event: str) -> Any:
        world = self.world
        if world.strikes(f"{self.name} crashes at its start"):
            raise KilledError
        world.now += 0.001 * world.chance("duration").randint(1, 400)
        if not self.warm or world.chance("containers").random() < 0.05:
            self.warm = True
            world.events[f"{self.name} starts cold"] += 1
            if self.module is streaming_etl.handlers.transform:
                streaming_etl.handlers.transform.load_runtime.cache_clear()
        context = SimpleNamespace(
            function_name=self.name, get_remaining_time_in_millis=self.remaining_milliseconds
        )
        response = json.dumps(self.module.lambda_handler(json.loads(event), context))
        if len(response) > MAX_PAYLOAD_BYTES:
            raise ResponseTooLargeError(f"{len(response)} bytes")
        if world.strikes(f"{self.name} runs, but its answer is lost"):
            raise KilledError
        return json.loads(response)

    def remaining_milliseconds(self) -> int:
        return int((self.ends_at - self.world.now) * 1000)

    def wait(self, seconds: float) -> None:
        """Let time pass inside the function, which Lambda ends at its time-out."""
        self.world.now += seconds
        if self.world.now > self.ends_at:
            self.world.complaints.append(f"{self.name} runs out of time by itself")
            raise KilledError


class ResponseTooLargeError(Exception):
    """Lambda takes no such response: to the caller, the function has failed."""


def pipeline_of(scenario: Scenario) -> Any:
    """What the transform's cold start would load from its archive."""
    settings = json.loads(json.dumps(scenario.table.transform_config))
    encoder = RowEncoder(settings, ZoneInfo(settings["time_zone"]))
    function = partial(transform, partitioned=bool(settings["dynamic_partition_keys"]))
    return streaming_etl.handlers.transform.TransformRuntime(function, user_file, encoder)


class Outside:
    """Stands where the handlers have `time` and `random`: one world's time and chances."""

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
    """The real handlers with everything outside of them replaced: AWS, time, chance, settings."""
    outside = Outside(world)
    instead = {
        time: outside,
        random: outside,
        time.monotonic: outside.monotonic,
        time.sleep: outside.sleep,
        random.random: outside.random,
    }
    with ExitStack() as patches:
        enter = patches.enter_context
        enter(patch.dict(os.environ, scenario.environment))
        enter(
            patch.object(
                streaming_etl.handlers.transform,
                "load_runtime",
                cache(partial(pipeline_of, scenario)),
            )
        )
        for module in (
            streaming_etl.handlers.forwarder,
            streaming_etl.handlers.structured_log,
            streaming_etl.handlers.firehose.put_records,
            streaming_etl.handlers.transform,
        ):
            for name, value in list(vars(module).items()):
                if name == "firehose":
                    enter(patch.object(module, name, lambda: client))
                elif isinstance(value, Hashable) and value in instead:
                    enter(patch.object(module, name, instead[value]))
        # What is bound when a function is defined.
        defaults = put_records.__kwdefaults__ or {}
        enter(
            patch.dict(
                defaults, {name: instead.get(value, value) for name, value in defaults.items()}
            )
        )
        yield
