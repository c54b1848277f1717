"""Stacks are deployed and destroyed in an order that AWS accepts.

AWS is slow here, and the engine works on many resources at a time. Each seed is a stack with other
settings, another duration of each operation, a creation that fails, and every second time also a
deletion that fails. `DEPLOYMENTS=20 make test-engine` runs more of them.

What these tests do not prove is what AWS needs: they check the rules of
tests/support/deployment_order.py.
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local.engine.provider import serving
from local.engine.workspace import Outcome, Program
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, build
from tests.engine.harness import ORDERS, Engine, config_of, deployed, run_main
from tests.engine.slow_backend import Failure, Kind, SlowBackend, random_delays
from tests.support.deployment_order import GLUE_TABLE, TABLE, earlier, unordered
from tests.support.pipelines import existing_table
from tools.project import ROOT

SEEDS = range(int(os.environ.get("DEPLOYMENTS", "7")))
PARALLEL_STACKS = 7
PARALLEL_OPERATIONS = 64
MAX_WAIT_SECONDS = 60
IDLE_SECONDS = 0.4

DEFAULTS = {"protect": False}
SHIPMENTS: dict[str, Any] = {
    "table_name": "shipments",
    "transform_module": "transforms/shipments.py",
    "format": "parquet",
    "partitions": {
        "granularity": "hour",
        "dynamic_partition_keys": {"carrier": ["yamato", "sagawa"]},
    },
}
CRAWLED = {**ORDERS, "format": "csv", "catalog": "crawler"}
SHARED: dict[str, Any] = {
    **ORDERS,
    "lake": {"bucket_name": "shared"},
    "database_name": "shared",
    "backfill": {"enabled": True},
}
ENCRYPTED: dict[str, Any] = {
    **SHIPMENTS,
    "lake": {"kms_key_arn": f"arn:aws:kms:{REGION}:{ACCOUNT_ID}:key/k"},
    "backfill": {"enabled": True},
}
EXISTING: dict[str, Any] = {
    **ORDERS,
    "source": {"use_existing": True},
    "monitoring": {"alarm_emails": ["a@example.com"], "alarms": "all"},
}
STACKS: tuple[dict[str, Any], ...] = (
    {"orders": ORDERS},
    {"orders": CRAWLED},
    {"shipments": SHIPMENTS},
    {"orders": SHARED},
    {"shipments": ENCRYPTED},
    {"orders": EXISTING},
    {"orders": CRAWLED, "shipments": SHIPMENTS},
)
TWO: dict[str, Any] = {"orders": CRAWLED, "shipments": ENCRYPTED}

program_lock = threading.Lock()


def run_main_alone() -> None:
    """Run the program; imports and the current directory belong to the process."""
    with program_lock:
        run_main()


@dataclass
class Deployment:
    """What happened to a stack from its first update to its end."""

    failures: dict[tuple[Kind, str], Failure]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    misordered: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)


def failures_of(seed: int, tables: dict[str, Any]) -> dict[tuple[Kind, str], Failure]:
    """Return a creation that fails, and for odd seeds also a deletion."""
    graph = program_graph(config_of(tables, DEFAULTS), ROOT, tables=existing_table())
    names = sorted(node.name for node in graph.custom)
    choice = random.Random(seed)
    kinds: tuple[Failure, Failure] = ("rejected", "not ready")
    failures: dict[tuple[Kind, str], Failure] = {
        ("create", choice.choice(names)): kinds[seed // 2 % 2]
    }
    if seed % 2:
        failures["delete", choice.choice(names)] = "rejected"
    return failures


def deploy(folder: Path, seed: int, failures: dict[tuple[Kind, str], Failure]) -> Deployment:
    """Create a stack with a failure, complete, preview and destroy it."""
    deployment = Deployment(dict(failures))
    backend = SlowBackend(random_delays(seed), failures, existing_table())
    # The engine's own number of parallel operations, and all at once.
    parallel = PARALLEL_OPERATIONS if seed % 2 else None
    with serving(backend) as port:
        stack = Engine(folder, port, backend).stack(
            STACKS[seed % len(STACKS)], DEFAULTS, program=run_main_alone
        )
        commands: dict[str, Callable[..., Outcome]] = {
            "failed up": stack.up,
            "up": stack.up,
            "preview": stack.preview,
            "failed destroy": stack.destroy,
            "destroy": stack.destroy,
        }
        if seed % 2 == 0:
            del commands["failed destroy"]
        for name, command in commands.items():
            backend.run += 1
            deployment.outcomes[name] = command(parallel=parallel)
    deployment.misordered = [str(pair) for pair in backend.misordered()]
    deployment.remaining = [id_ for _, id_ in backend.resources]
    return deployment


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Deployment]:
    failures = [failures_of(seed, STACKS[seed % len(STACKS)]) for seed in SEEDS]
    folders = [tmp_path_factory.mktemp(f"deployment-{seed}") for seed in SEEDS]
    # Most of the time is AWS's.
    with ThreadPoolExecutor(PARALLEL_STACKS) as pool:
        return dict(zip(SEEDS, pool.map(deploy, folders, SEEDS, failures), strict=True))


def test_nothing_is_created_or_deleted_before_what_aws_needs(
    deployments: dict[int, Deployment],
) -> None:
    assert {
        seed: result.misordered for seed, result in deployments.items() if result.misordered
    } == {}


def test_the_next_update_completes_one_that_failed(deployments: dict[int, Deployment]) -> None:
    for seed, result in deployments.items():
        [(_, failed)] = [key for key in result.failures if key[0] == "create"]
        first = result.outcomes["failed up"]
        assert any(f"{failed} is " in text for text in first.errors), (seed, failed, first.errors)
        assert result.outcomes["up"].succeeded, (seed, failed, result.outcomes["up"].errors)
        assert result.outcomes["preview"].changed == {}, (seed, failed)


def test_a_resource_that_was_not_ready_is_updated_and_kept(
    deployments: dict[int, Deployment],
) -> None:
    kinds = set()
    for seed, result in deployments.items():
        [(name, failure)] = [
            (name, failure) for (kind, name), failure in result.failures.items() if kind == "create"
        ]
        expected = "create" if failure == "rejected" else "update"
        assert result.outcomes["up"].changed[name] == expected, (seed, name)
        kinds.add(failure)
    assert kinds == {"rejected", "not ready"}


def test_the_next_destroy_completes_one_that_failed(deployments: dict[int, Deployment]) -> None:
    for seed, result in deployments.items():
        if "failed destroy" in result.outcomes:
            assert not result.outcomes["failed destroy"].succeeded, (seed, result.failures)
        assert result.outcomes["destroy"].succeeded, (seed, result.outcomes["destroy"].errors)
        assert result.remaining == [], seed


def without_dependencies(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult:
    """Remove every `depends_on`, so that only references order the resources."""
    args.opts.depends_on = []
    return pulumi.ResourceTransformationResult(args.props, args.opts)


def run_main_without_dependencies() -> None:
    pulumi.runtime.register_stack_transformation(without_dependencies)
    run_main_alone()


@pytest.fixture(scope="module")
def only_by_dependencies() -> set[tuple[str, str]]:
    """Names of resources and of what they need without a reference."""
    graph = build(run_main_without_dependencies, config=config_of(TWO, DEFAULTS))
    return {(pair.resource.name, pair.needed.name) for pair in unordered(graph)}


class UnfavorableBackend(SlowBackend):
    """Delays a creation until the resources that need it are being created.

    needed_by: names of the latter by the name of the former.
    """

    def __init__(self, needed_by: Mapping[str, set[str]]) -> None:
        super().__init__(lambda _kind, _type, _name: 0)
        self.needed_by, self.started = needed_by, set[str]()

    def wait(self, _kind: Kind, _type: str, name: str) -> None:
        self.started.add(name)
        end = time.monotonic() + MAX_WAIT_SECONDS
        while not self.needed_by.get(name, set()) <= self.started and time.monotonic() < end:
            time.sleep(0.02)


class LateBackend(SlowBackend):
    """Completes one creation at a time, when nothing else begins any more.

    dependents: their number by the name of a resource; the one with the fewest is the last.
    """

    def __init__(self, dependents: Mapping[str, int]) -> None:
        super().__init__(lambda _kind, _type, _name: 0)
        self.dependents, self.last_start = dependents, time.monotonic()
        self.waiting: list[int] = []
        self.lock = threading.Lock()

    def wait(self, _kind: Kind, _type: str, name: str) -> None:
        self.last_start = time.monotonic()
        if name not in self.dependents:
            return
        number = self.dependents[name]
        self.waiting.append(number)
        while not self.is_next(number):
            time.sleep(0.02)

    def is_next(self, number: int) -> bool:
        with self.lock:
            idle = time.monotonic() - self.last_start > IDLE_SECONDS
            if not idle or number < max(self.waiting):
                return False
            self.waiting.remove(number)
            self.last_start = time.monotonic()
            return True


def up(folder: Path, backend: SlowBackend, program: Program) -> set[tuple[str, str]]:
    """Create the stack; return pairs in a wrong order."""
    with serving(backend) as port:
        stack = Engine(folder, port, backend).stack(TWO, DEFAULTS, program=program)
        outcome = stack.up(parallel=PARALLEL_OPERATIONS)
    assert outcome.succeeded, outcome.errors
    return {(pair.resource.name, pair.needed.name) for pair in backend.misordered()}


def test_dependencies_order_what_references_do_not(
    tmp_path: Path, only_by_dependencies: set[tuple[str, str]]
) -> None:
    graph = build(run_main_alone, config=config_of(TWO, DEFAULTS))
    before = Counter(name for names in earlier(graph).values() for name in names)
    backend = LateBackend({needed: before[needed] for _, needed in only_by_dependencies})
    assert up(tmp_path, backend, run_main_alone) == set()


def test_the_rules_find_each_missing_dependency(
    tmp_path: Path, only_by_dependencies: set[tuple[str, str]]
) -> None:
    needed_by: dict[str, set[str]] = {}
    for resource, needed in only_by_dependencies:
        needed_by.setdefault(needed, set()).add(resource)
    backend = UnfavorableBackend(needed_by)
    assert up(tmp_path, backend, run_main_without_dependencies) == only_by_dependencies
    assert len(only_by_dependencies) > 20


def test_glue_tables_have_a_new_column_before_function_and_view(tmp_path: Path) -> None:
    module = tmp_path / "orders.py"
    text = (ROOT / ORDERS["transform_module"]).read_text()
    module.write_text(text)
    tables = {"orders": {**SHIPMENTS, "table_name": "orders", "transform_module": str(module)}}
    backend = SlowBackend(lambda kind, type_, _name: kind == "update" and type_ == GLUE_TABLE)
    with serving(backend) as port:
        stack = deployed(Engine(tmp_path, port, backend), tables, defaults=DEFAULTS)
        module.write_text(text.replace("COLUMNS = {", 'COLUMNS = {\n    "added": "string",'))
        backend.run += 1
        outcome = stack.up()

    assert outcome.succeeded, outcome.errors
    assert outcome.of("update") >= {
        "orders-catalog-table",
        "orders-catalog-objects",
        "orders-query-view",
        "orders-transform-function",
    }
    assert [str(pair) for pair in backend.misordered()] == []


def test_an_update_names_the_table_whose_creation_had_no_response(tmp_path: Path) -> None:
    """Pulumi does not know the table, and AWS accepts its name once."""
    backend = SlowBackend(lambda *_: 0, {("create", "orders-source-table"): "lost"})
    with serving(backend) as port:
        stack = Engine(tmp_path, port, backend).stack({"orders": ORDERS}, DEFAULTS)
        assert not stack.up().succeeded
        again = stack.up()
        assert not again.succeeded
        assert any(text.startswith("ResourceExistsError: orders") for text in again.errors)
        # By hand: the new table is empty.
        [existing] = [key for key in backend.resources if key[0] == TABLE]
        del backend.resources[existing]
        completed = stack.up()
        assert completed.succeeded, completed.errors
        assert stack.preview().changed == {}
