"""One run of a seed, from its parts to its checks."""

from collections import Counter
from dataclasses import dataclass

from streaming_etl.handlers import forwarder as forwarder_handler
from streaming_etl.handlers import transform as transform_handler
from tests.simulation.backfill import Backfill
from tests.simulation.checks import CHECKS
from tests.simulation.delivery import Delivery
from tests.simulation.finished import Run
from tests.simulation.functions import Function, handlers_in
from tests.simulation.lake import Lake
from tests.simulation.mapping import Mapping
from tests.simulation.processing import Processing
from tests.simulation.puts import Client
from tests.simulation.replay import Replay
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.table import UNREADABLE, Table
from tests.simulation.user_module import FAILING
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
    """Run a seed, check it, replay its failures, and check it again."""
    scenario = scenario_of(seed)
    world = World(seed, scenario.spells)
    if keep_trace:
        world.keep = [str(scenario)]
    parts = Parts(world, scenario)
    with handlers_in(world, scenario, parts.client):
        try:
            run = parts.finish()
            violations = violations_of(run)
            has_failures = bool(run.errors or run.failed)
            if scenario.replays_after is not None and has_failures and not violations:
                run = parts.replay_failures(scenario.replays_after)
                violations = [
                    (f"{name}", f"after the replay, {text}") for name, text in violations_of(run)
                ]
            count_content(run)
        except EndlessError as error:
            violations = [("everything_ended", str(error))]
    parts.count()
    return Result(seed, violations, world.faults, world.events, world.trace_hash, world.keep or [])


def violations_of(run: Run) -> list[tuple[str, str]]:
    """Return the violations of all checks."""
    try:
        run.read()
        return [(check.__name__, text) for check in CHECKS for text in check(run)]
    except Exception as error:
        # An unreadable object was not written correctly.
        return [("nothing_else_is_there", f"unreadable: {type(error).__name__}: {error}"[:200])]


class Parts:
    """Parts of the simulated world, connected."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        settings = scenario.args
        self.world, self.scenario = world, scenario
        self.lake = Lake(world, scenario.table)
        self.forwarder = Function(
            world, "forwarder", forwarder_handler, settings.forwarder.timeout_seconds
        )
        self.transform = Function(
            world, "transform", transform_handler, settings.transform.timeout_seconds
        )
        if scenario.deploy is not None:
            world.after(scenario.deploy.forwarder_at - world.now, self.deploy_forwarder)
            world.after(scenario.deploy.transform_at - world.now, self.deploy_transform)
        delivery = Delivery(world, scenario, self.lake)
        processing = Processing(world, scenario, self.transform, delivery)
        self.mapping = Mapping(world, scenario, self.forwarder, self.lake)
        self.table = Table(world, scenario, self.mapping.publish)
        self.client = Client(world, processing.accept)
        self.backfill = Backfill(world, scenario, self.table, self.client)
        self.replay = Replay(world, scenario, self.table, self.backfill, self.lake, self.client)

    def finish(self) -> Run:
        """Run all scheduled actions."""
        self.world.run()
        return Run(self.world, self.scenario, self.table, self.backfill, self.lake, self.mapping)

    def deploy_forwarder(self) -> None:
        self.world.events["deployments"] += 1
        self.world.has_new_forwarder, self.forwarder.warm = True, False

    def deploy_transform(self) -> None:
        self.world.has_extra, self.transform.warm = True, False

    def replay_failures(self, seconds: float) -> Run:
        """Fix the user's module, and replay a time after the last fault."""
        world = self.world
        world.is_fixed, self.transform.warm = True, False
        world.now = max(world.now, self.scenario.calm_at)
        world.after(seconds, self.replay.run)
        run = self.finish()
        run.recovered, run.gone = self.replay.recovered, self.replay.gone
        return run

    def count(self) -> None:
        """Count what happened in the run."""
        events = self.world.events
        events["changes"] += len(self.table.changes)
        events["snapshots"] += len(self.backfill.snapshots)
        events["forwarder invocations"] += self.forwarder.invocations
        events["transform invocations"] += self.transform.invocations
        events["objects"] += len(self.lake.objects)


def count_content(run: Run) -> None:
    """Count the changes' scripts and sizes among the faults."""
    for change in run.changes.values():
        image = change.new or change.old or {}
        if image.get("number") is UNREADABLE:
            run.world.faults["change cannot be read"] += 1
        elif run.outcomes[change.event_id][-1].fails and image.get("do") not in (*FAILING, "widen"):
            run.world.faults["change has names that Athena cannot read"] += 1
        elif "do" in image:
            run.world.faults[f"change script: {image['do']}"] += 1
        if change.size > 1_000_000:
            kind = "is too large" if change.fits_no_record else "fits only compressed"
            run.world.faults[f"change {kind}"] += 1
    events = run.world.events
    last_positions: dict[str, tuple[str, int]] = {}
    for event_id, rows in run.landed.items():
        if event_id in run.changes:
            change = run.changes[event_id]
            events["rows repeated"] += len(rows) - len(run.outcomes[event_id][-1].rows)
            late = change.position < last_positions.setdefault(change.key, change.position)
            kind = "snapshots" if change.kind == "SNAPSHOT" else "changes"
            events[f"{kind} that arrive after a later change of their item"] += late
            last_positions[change.key] = max(change.position, last_positions[change.key])
