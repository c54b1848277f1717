"""The stage of large backfills: state machine, permissions and table keys."""

import copy
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming_etl import BackfillArgs, LakeArgs, LakeTableArgs, PartitionArgs, SourceArgs
from streaming_etl.components.stages.backfill_state_machine import FILES_LABEL
from streaming_etl.handlers.export.progress import Progress
from streaming_etl.ops.backfill.export_runs import EXPORT_STATE
from streaming_etl.ops.firehose_writer import routes_to
from streaming_etl.stack.outputs import DeployedPipeline
from streaming_etl.stack.recorder import ACCOUNT_ID, REGION, Graph
from tests.support.pipelines import KEY, Pipelines, existing_table, several_lake_tables
from tests.support.states_language import invalid_parts

ENABLED = BackfillArgs(enabled=True)
ON_CREATE = BackfillArgs(enabled=True, on_create=True)


@pytest.fixture(scope="module")
def definition(pipelines: Pipelines) -> dict[str, Any]:
    graph = pipelines.build(backfill=ENABLED)
    machine: dict[str, Any] = json.loads(graph["shop-backfill-state-machine"].inputs["definition"])
    return machine


def test_step_functions_accepts_the_state_machine(definition: dict[str, Any]) -> None:
    assert invalid_parts(definition) == []


def change(path: str, *removed: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that removes and sets fields below a path."""

    def apply(definition: dict[str, Any]) -> None:
        target: Any = definition
        for name in filter(None, path.split("/")):
            target = target[int(name) if isinstance(target, list) else name]
        for key in removed:
            del target[key]
        target.update(values)

    return apply


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        (change("States/Wait", Next="Nowhere"), "Wait"),
        (change("States/Listed", Default="Files"), "List"),
        (change("States/Wait", "Next"), "Wait"),
        (change("States/Wait", Secs=1), "Wait"),
        (change("States/Export", "Resource"), "Export"),
        (change("States/ChooseExport/Choices/0", IsMissing=True), "ChooseExport"),
        (change("States/Describe/Parameters", **{"ExportArn.$": "export_arn"}), "Describe"),
        (change("States/Files", ToleratedFailurePercentage=101), "Files"),
        (change("States/Files/ItemProcessor/States/Ended/Choices/0", Next="File"), "Files/"),
    ],
)
def test_the_check_of_state_machines_finds_an_invalid_state(
    definition: dict[str, Any], edit: Callable[[dict[str, Any]], None], state: str
) -> None:
    edited = copy.deepcopy(definition)
    edit(edited)
    assert state in {part.path for part in invalid_parts(edited)}


def test_the_state_machine_passes_the_fields_that_the_function_reads(
    definition: dict[str, Any],
) -> None:
    files = definition["States"]["Files"]
    passed = {name.removesuffix(".$") for name in files["ItemSelector"]}
    fields = Progress.__dataclass_fields__
    assert passed == {"bucket", "key", "export_time", "lake_tables", *fields}
    assert asdict(Progress()) == {name: files["ItemSelector"][name] for name in fields}
    # The policy of the child executions contains the label.
    assert files["Label"] == FILES_LABEL
    # The command reads the export's ARN from the output of this state.
    assert EXPORT_STATE in definition["States"]


@pytest.fixture(scope="module")
def several(pipelines: Pipelines) -> Graph:
    """A pipeline with two lake tables."""
    module = pipelines.module()
    tables = {
        key: LakeTableArgs(transform_module=module, partitions=PartitionArgs())
        for key in ("orders", "customers")
    }
    return pipelines.build(
        backfill=ENABLED, lake_tables=tables, transform_module=None, partitions=None
    )


def test_an_execution_has_the_lake_tables_of_its_input_or_all(several: Graph) -> None:
    definition = json.loads(several["shop-backfill-state-machine"].inputs["definition"])
    assert invalid_parts(definition) == []
    states = definition["States"]
    assert states["AllLakeTables"]["Result"] == ["customers", "orders"]
    selector, marker = states["Files"]["ItemSelector"], states["Mark"]["Parameters"]["Payload"]
    assert {selector["lake_tables.$"], marker["lake_tables.$"]} == {"$.lake_tables"}
    # These states replace the data of the execution.
    replaced = {
        name: state["Parameters"]
        for name, state in states.items()
        if "Parameters" in state and state["Type"] == "Pass" and "ResultPath" not in state
    }
    assert set(replaced) == {"Started", "List"}
    assert all(each["lake_tables.$"] == "$.lake_tables" for each in replaced.values())
    tasks = [state for state in states.values() if state["Type"] in ("Task", "Map")][:-1]
    assert all("ResultPath" in state for state in tasks)


def test_the_function_sends_to_the_delivery_stream_of_each_lake_table(several: Graph) -> None:
    variables = several["shop-backfill-function"].inputs["environment"]["variables"]
    streams = json.loads(variables["DELIVERY_STREAMS"])
    assert set(streams) == {"orders", "customers"}
    [arns] = [
        statement["Resource"]
        for statement in several["shop-backfill-policy"].policy()["Statement"]
        if statement["Action"] == ["firehose:PutRecordBatch"]
    ]
    assert {arn.rpartition("/")[2] for arn in arns} == set(streams.values())


def test_only_on_create_has_a_schedule(pipelines: Pipelines) -> None:
    graph = pipelines.build(backfill=ON_CREATE)
    created = {node.name for node in graph.nodes} - {
        node.name for node in pipelines.build(backfill=ENABLED).nodes
    }
    assert created == {
        "shop-backfill-start",
        "shop-backfill-start-role",
        "shop-backfill-start-policy",
    }


def test_the_schedule_starts_one_execution_at_once(
    pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: datetime(2026, 11, 30, 23, 59, tzinfo=UTC).timestamp())
    inputs = Pipelines(pipelines.folder).build(backfill=ON_CREATE)["shop-backfill-start"].inputs
    assert "startDate" not in inputs
    # The end is later than the creation of the schedule and before its second time.
    assert (inputs["scheduleExpression"], inputs["endDate"]) == (
        "rate(10 days)",
        "2026-12-02T00:00:00Z",
    )
    arn = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine"
    assert inputs["target"]["arn"] == "arn:aws:scheduler:::aws-sdk:sfn:startExecution"
    assert json.loads(inputs["target"]["input"]) == {
        "StateMachineArn": f"{arn}:shop-backfill-state-machine-0000000",
        "Name": "run-1",
        "Input": "{}",
    }


def test_no_later_update_changes_the_schedule(pipelines: Pipelines) -> None:
    """An update of the schedule could start it again."""
    graph = pipelines.build(backfill=ON_CREATE, kms_key_arn=KEY)
    schedule = graph["shop-backfill-start"]
    assert set(schedule.options["ignoreChanges"]) == set(schedule.inputs)


def test_the_schedule_may_only_start_the_state_machine(pipelines: Pipelines) -> None:
    graph = pipelines.build(backfill=ON_CREATE)
    [statement] = graph["shop-backfill-start-policy"].policy()["Statement"]
    target = json.loads(graph["shop-backfill-start"].inputs["target"]["input"])
    assert statement == {
        "Effect": "Allow",
        "Action": ["states:StartExecution"],
        "Resource": [target["StateMachineArn"]],
    }


def test_the_run_is_the_one_that_the_command_would_start(pipelines: Pipelines) -> None:
    settings = several_lake_tables(pipelines)
    graph = pipelines.build(**settings)
    target = json.loads(graph["shop-backfill-start"].inputs["target"]["input"])
    deployed = DeployedPipeline.from_outputs("shop", graph.exports["pipeline"])
    # The command compares the lists.
    names = [route.name for route in routes_to(deployed)]
    assert len(names) == 3
    assert json.loads(target["Input"]) == {"lake_tables": names}


def key_names(graph: Graph) -> list[str]:
    variables = graph["shop-backfill-function"].inputs["environment"]["variables"]
    names: list[str] = json.loads(variables["KEY_NAMES"])
    return names


def test_the_function_gets_the_keys_of_a_new_table(pipelines: Pipelines) -> None:
    source = SourceArgs(hash_key='a"b', range_key="at")
    assert key_names(pipelines.build(backfill=ENABLED, source=source)) == ['a"b', "at"]


@pytest.mark.parametrize(("range_key", "names"), [("sk", ["pk", "sk"]), ("", ["pk"])])
def test_the_function_gets_the_keys_of_an_existing_table(
    pipelines: Pipelines, range_key: str, names: list[str]
) -> None:
    [table] = existing_table().values()
    tables = {"orders": {**table, "hashKey": "pk", "rangeKey": range_key}}
    source = SourceArgs(use_existing=True)
    assert key_names(pipelines.build(backfill=ENABLED, source=source, tables=tables)) == names


def test_in_a_shared_bucket_permissions_are_limited_to_the_paths_of_the_table(
    pipelines: Pipelines,
) -> None:
    graph = pipelines.build(backfill=ENABLED, lake=LakeArgs(bucket_name="shared"))
    objects = [
        resource
        for name in ("shop-backfill-policy", "shop-backfill-states-policy")
        for statement in graph[name].policy()["Statement"]
        for resource in statement["Resource"]
        if resource.startswith("arn:aws:s3:::")
    ]
    own = r"arn:aws:s3:::shared/(backfill/shop_test/orders/\w+|errors/.+/backfill-failed)/\*"
    assert objects
    assert [path for path in objects if not re.fullmatch(own, path)] == []
