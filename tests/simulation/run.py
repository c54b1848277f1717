"""One run of a seed, from its parts to its checks."""

from collections import Counter
from dataclasses import dataclass

from streaming_etl.handlers import forwarder as forwarder_handler
from streaming_etl.handlers import transform as transform_handler
from tests.simulation.backfill import Backfill
from tests.simulation.checks import CHECKS, Run
from tests.simulation.delivery import Delivery
from tests.simulation.expected import FAILING
from tests.simulation.functions import Function, handlers_in
from tests.simulation.lake import Lake
from tests.simulation.mapping import Mapping
from tests.simulation.processing import Processing
from tests.simulation.puts import Client
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.table import UNREADABLE, Table
from tests.simulation.world import EndlessError, World


@dataclass(frozen=True)
class Result:
    """Result of a run, as plain data."""

    seed: int
    violations: list[tuple[str, str]]
    """Failed checks, each with its sentence."""
    faults: Counter[str]
    events: Counter[str]
    trace_hash: str
    trace: list[str]


def simulate(seed: int, keep_trace: bool = False) -> Result:
    """Run a seed and check it."""
    scenario = scenario_of(seed)
    world = World(seed, scenario.spells)
    if keep_trace:
        world.keep = [str(scenario)]
    run = execute(world, scenario)
    violations = [("everything_ended", run.endless)] if run.endless else violations_of(run)
    if not run.endless:
        count_content(run)
    return Result(seed, violations, world.faults, world.events, world.trace_hash, world.keep or [])


def violations_of(run: Run) -> list[tuple[str, str]]:
    """Return the violations of all checks."""
    try:
        run.read()
        return [(check.__name__, text) for check in CHECKS for text in check(run)]
    except Exception as error:
        # An unreadable object was not written correctly.
        return [("nothing_else_is_there", f"unreadable: {type(error).__name__}: {error}"[:200])]


def execute(world: World, scenario: Scenario) -> Run:
    """Connect the parts, and run all scheduled actions."""
    settings = scenario.args
    lake = Lake(scenario.table)
    forwarder = Function(world, "forwarder", forwarder_handler, settings.forwarder.timeout_seconds)
    transform = Function(world, "transform", transform_handler, settings.transform.timeout_seconds)
    delivery = Delivery(world, scenario, lake)
    processing = Processing(world, scenario, transform, delivery)
    mapping = Mapping(world, scenario, forwarder, lake)
    table = Table(world, scenario, mapping.publish)
    client = Client(world, processing.accept)
    backfill = Backfill(world, scenario, table, client)
    run = Run(world, scenario, table, backfill, lake)
    with handlers_in(world, scenario, client):
        try:
            world.run()
        except EndlessError as error:
            run.endless = str(error)
    world.events["changes"] += len(table.changes)
    world.events["snapshots"] += len(backfill.snapshots)
    world.events["forwarder invocations"] += forwarder.invocations
    world.events["transform invocations"] += transform.invocations
    world.events["objects"] += len(lake.objects)
    return run


def count_content(run: Run) -> None:
    """Count the changes' scripts and sizes among the faults."""
    for change in run.changes.values():
        image = change.new or change.old or {}
        if image.get("number") is UNREADABLE:
            run.world.faults["change cannot be read"] += 1
        elif run.outcomes[change.event_id].fails and image.get("do") not in (*FAILING, "widen"):
            run.world.faults["change has names that Athena cannot read"] += 1
        elif "do" in image:
            run.world.faults[f"change script: {image['do']}"] += 1
        if change.size > 1_000_000:
            kind = "is too large" if change.fits_no_record else "fits only compressed"
            run.world.faults[f"change {kind}"] += 1
    events = run.world.events
    last_numbers: dict[str, int] = {}
    for event_id, rows in run.landed.items():
        if event_id in run.changes:
            change = run.changes[event_id]
            events["rows repeated"] += len(rows) - len(run.outcomes[event_id].rows)
            number = int(change.sequence_number)
            late = number < last_numbers.setdefault(change.key, number)
            kind = "snapshots" if change.kind == "SNAPSHOT" else "changes"
            events[f"{kind} that arrive after a later change of their item"] += late
            last_numbers[change.key] = max(number, last_numbers[change.key])
