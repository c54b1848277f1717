"""One run of a seed, from its parts to its checks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from streaming_etl.handlers import forwarder as forwarder_handler
from streaming_etl.handlers import transform as transform_handler
from tests.simulation.backfill import Backfill
from tests.simulation.checks import merge_violations_of, violations_of
from tests.simulation.delivery import Delivery
from tests.simulation.finished import Run
from tests.simulation.functions import Function, handlers_in
from tests.simulation.lake import Lake
from tests.simulation.mapping import Mapping
from tests.simulation.merging import MergeStage
from tests.simulation.processing import Processing
from tests.simulation.puts import Client
from tests.simulation.replay import Replay
from tests.simulation.scenario import Scenario, scenario_of
from tests.simulation.table import UNREADABLE, Table
from tests.simulation.user_module import FAILING
from tests.simulation.world import STREAM_FAULTS, EndlessError, World


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
            runs = parts.finish()
            violations = check(runs)
            has_failures = any(run.errors or run.failed for run in runs)
            if scenario.replays_after is not None and has_failures and not violations:
                runs = parts.replay_failures(scenario.replays_after)
                violations = [
                    (f"{name}", f"after the replay, {text}") for name, text in check(runs)
                ]
            if not violations:
                violations = finish_merges(runs)
            count_content(runs)
        except EndlessError as error:
            violations = [("everything_ended", str(error))]
    parts.count()
    return Result(seed, violations, world.faults, world.events, world.trace_hash, world.keep or [])


def check(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return the violations of all checks."""
    try:
        for run in runs:
            run.read()
        return list(violations_of(runs))
    except Exception as error:
        # An unreadable object was not written correctly.
        return [("nothing_else_is_there", f"unreadable: {type(error).__name__}: {error}"[:200])]


def finish_merges(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Continue the merge stages after the last write; return their violations."""
    for run in runs:
        if run.merge is not None:
            run.merge.finish()
    return list(merge_violations_of(runs))


class Parts:
    """Parts of the simulated world, connected."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        settings = scenario.args
        self.world, self.scenario = world, scenario
        self.lakes: list[Lake] = []
        self.transforms: list[Function] = []
        self.merges: list[MergeStage | None] = []
        accept = {}
        for each in scenario.lake_tables:
            bucket = self.lakes[0].objects if self.lakes else {}
            lake = Lake(world, each.table, bucket)
            timeout = each.args.transform.timeout_seconds
            transform = Function(world, "transform", transform_handler, each, timeout)
            processing = Processing(world, each, transform, Delivery(world, each, lake))
            accept[each.stream_name] = processing.accept
            self.lakes.append(lake)
            self.transforms.append(transform)
            plan = each.merge
            self.merges.append(None if plan is None else MergeStage(world, each, lake, plan))
        self.forwarder = Function(
            world, "forwarder", forwarder_handler, scenario, settings.forwarder.timeout_seconds
        )
        if scenario.deploy is not None:
            world.after(scenario.deploy.forwarder_at - world.now, self.deploy_forwarder)
            world.after(scenario.deploy.transform_at - world.now, self.deploy_transform)
        self.mapping = Mapping(world, scenario, self.forwarder, self.lakes[0])
        self.table = Table(world, scenario, self.mapping.publish)
        failing = [it for it in scenario.lake_tables if it.name == scenario.failing_stream]
        self.client = Client(world, accept, failing[0].stream_name if failing else None)
        self.backfill = Backfill(world, scenario, self.table, self.client)
        self.replay = Replay(world, scenario, self.table, self.backfill, self.lakes, self.client)

    def finish(self) -> list[Run]:
        """Run all scheduled actions; return a run for each lake table."""
        self.world.run()
        parts = zip(self.scenario.lake_tables, self.lakes, self.merges, strict=True)
        return [
            Run(self.world, scenario, self.table, self.backfill, lake, self.mapping, merge)
            for scenario, lake, merge in parts
        ]

    def deploy_forwarder(self) -> None:
        self.world.events["deployments"] += 1
        self.world.has_new_forwarder, self.forwarder.warm = True, False

    def deploy_transform(self) -> None:
        self.world.has_extra = True
        for transform in self.transforms:
            transform.warm = False

    def replay_failures(self, seconds: float) -> list[Run]:
        """Remove the causes of failures, and replay some time later."""
        world = self.world
        world.is_fixed = True
        world.end_faults(*STREAM_FAULTS)
        for transform in self.transforms:
            transform.warm = False
        world.now = max(world.now, self.scenario.calm_at)
        world.after(seconds, self.replay.run)
        runs = self.finish()
        for run in runs:
            name = run.scenario.name
            run.recovered, run.gone = self.replay.recovered[name], self.replay.gone.get(name, set())
        return runs

    def count(self) -> None:
        """Count what happened in the run."""
        events = self.world.events
        events["changes"] += len(self.table.changes)
        events["snapshots"] += len(self.backfill.snapshots)
        events["forwarder invocations"] += self.forwarder.invocations
        events["transform invocations"] += sum(it.invocations for it in self.transforms)
        events["objects"] += len(self.lakes[0].objects)


def count_content(runs: Sequence[Run]) -> None:
    """Count the contents of changes and rows."""
    counted: set[str] = set()
    for run in runs:
        count_changes(run, counted)
        count_rows(run)
    count_routes(runs)


def count_changes(run: Run, counted: set[str]) -> None:
    """Count the changes' scripts and sizes among the faults, each change once."""
    for change in run.changes.values():
        if change.event_id in counted:
            continue
        counted.add(change.event_id)
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


def count_rows(run: Run) -> None:
    """Count repeated rows and those in another order than the changes."""
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


def count_routes(runs: Sequence[Run]) -> None:
    """Count what the conditions of the lake tables do."""
    scenario, events = runs[0].scenario, runs[0].world.events
    if not scenario.has_routes:
        return
    events[f"runs with conditions, lake tables: {len(runs)}"] += 1
    events["runs with conditions, no old images"] += not scenario.has_old_images
    lasting = [it for name, it in scenario.spells.items() if name in STREAM_FAULTS]
    events["runs with a stream that fails until the replay"] += any(it.end == inf for it in lasting)
    for name, written in runs[0].written.items():
        routes = [run.changes[name] for run in runs if name in run.changes]
        is_marker = written.kind == "BACKFILL"
        events["changes in several lake tables"] += len(routes) > 1 and not is_marker
        events[f"changes unmatched, {scenario.unmatched}"] += not routes
        for change in routes:
            events["changes that enter a lake table"] += change.kind == "INSERT" != written.kind
            events["changes that leave a lake table"] += change.kind == "REMOVE" != written.kind
        kinds = {change.kind for change in routes}
        events["changes that move between lake tables"] += {"INSERT", "REMOVE"} <= kinds
