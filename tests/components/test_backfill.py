"""The stage for large tables: its place in the graph, its state machine, and what it refuses."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from streaming_etl.ops.backfill.export_runs import EXPORT_STATE

from streaming_etl import BackfillArgs, LakeArgs, SourceArgs
from streaming_etl.components.stages.backfill_state_machine import FILES_LABEL
from streaming_etl.handlers.export.progress import Progress
from streaming_etl.stack.recorder import Graph
from tests.components.backfill_cases import MADE
from tests.components.backfill_machine import BUCKET, DEFINITION, PATH
from tests.components.differences import state
from tests.components.pipelines import Pipelines, existing_table
from tests.components.states_language import refusals

ON = BackfillArgs(enabled=True)
KEY = "arn:aws:kms:ap-northeast-1:123456789012:key/k"


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    return pipelines.build(backfill=ON)


def test_the_stage_hangs_below_its_pipeline_and_all_it_makes_below_the_stage(graph: Graph) -> None:
    stage = graph["shop-backfill"]
    assert (stage.type, stage.parent) == ("streaming-etl:index:Backfill", "shop")
    made = {node.name: node.parent for node in graph.custom if "shop-backfill" in node.name}
    assert made == {f"shop-backfill-{name}": "shop-backfill" for name in MADE}


def test_the_stage_tells_the_state_machine_and_the_place_of_its_exports(graph: Graph) -> None:
    arn = "arn:aws:states:ap-northeast-1:123456789012:stateMachine:shop-backfill-state-machine"
    location = f"s3://{BUCKET}/{PATH}/"
    outputs = graph.exports["pipeline"]
    assert outputs["backfill_state_machine_arn"] == f"{arn}-0000000"
    assert outputs["backfill_location"] == location
    assert graph["shop-backfill"].outputs == {
        "stateMachineArn": f"{arn}-0000000",
        "location": location,
    }


def test_a_run_waits_for_every_right_and_for_the_closed_bucket(graph: Graph) -> None:
    assert graph["shop-backfill-state-machine"].depends_on == [
        "shop-backfill-function",
        "shop-backfill-policy",
        "shop-backfill-states-policy",
        "shop-backfill-states-role",
        "shop-catalog-database",
        "shop-lake-bucket",
        "shop-lake-encryption",
        "shop-lake-lifecycle",
        "shop-lake-ownership",
        "shop-lake-policy",
        "shop-lake-public-access",
        "shop-lake-versioning",
        "shop-source-table",
        "shop-transform-put-back-policy",
    ]
    assert graph["shop-backfill-function"].depends_on == [
        "shop-backfill-log-policy",
        "shop-backfill-logs",
        "shop-backfill-role",
        "shop-catalog-database",
        "shop-delivery-stream",
    ]


def test_the_state_machine_is_one_that_step_functions_takes(graph: Graph) -> None:
    assert refusals(state(graph)["shop-backfill-state-machine"]["definition"]) == []


def spoil(place: str, *keys: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    """A definition without `keys` and with `values` at `place`."""

    def change(machine: dict[str, Any]) -> None:
        found: Any = machine
        for name in filter(None, place.split("/")):
            found = found[int(name) if isinstance(found, list) else name]
        for key in keys:
            del found[key]
        found.update(values)

    return change


IN_FILES = "States/Files/ItemProcessor/States"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (spoil("", StartAt="Nowhere"), "StartAt: there is no state Nowhere"),
        (spoil("States/Wait", Next="Nowhere"), "Wait: there is no state Nowhere"),
        (spoil("States/Listed", Default="Files"), "List: is never reached"),
        (spoil("States/Wait", "Next"), "Wait: needs one of Next and End"),
        (spoil("States/Wait", End=True), "Wait: needs one of Next and End"),
        (spoil("States/Wait", Type="Sleep"), "Wait: Sleep is no type of state"),
        (spoil("States/Wait", Secs=1), "Wait: Secs is unknown to Wait"),
        (spoil("States/Files", Parameters={}), "Files: Parameters is unknown to Map"),
        (spoil("States/Export", "Resource"), "Export: Resource is missing"),
        (spoil("States/Given/Choices/0", IsMissing=True), "is no condition"),
        (spoil("States/Given/Choices/0", "IsPresent"), "is no condition"),
        (spoil("States/Export/Retry/0", Jitter="FULL"), "Export: Jitter is unknown to Retry"),
        (spoil("States/Describe/Parameters", **{"ExportArn.$": "export_arn"}), "holds no path"),
        (spoil("States/Count/Parameters", MapRunArn="$.results"), "takes it for text"),
        (spoil("States/Files/ItemProcessor/ProcessorConfig", Mode="INLINE"), "is not distributed"),
        (spoil("States/Files/ItemReader/ReaderConfig", InputType="NDJSON"), "unknown format"),
        (spoil("States/Files", ToleratedFailurePercentage=101), "is no percentage"),
        (spoil(f"{IN_FILES}/Ended", Default="Done"), "Files/Ended: there is no state Done"),
        (spoil(IN_FILES, Spare={"Type": "Succeed"}), "Files/Spare: is never reached"),
        (spoil(f"{IN_FILES}/Ended/Choices/0", Next="File"), "Files/: never ends"),
        (spoil("", Timeout=1), ": Timeout is unknown"),
    ],
)
def test_the_check_of_state_machines_finds_what_is_wrong(
    change: Callable[[dict[str, Any]], None], refusal: str
) -> None:
    spoilt = copy.deepcopy(DEFINITION)
    change(spoilt)
    assert any(refusal in found for found in refusals(spoilt))


def test_the_state_machine_hands_on_what_the_function_reads() -> None:
    handed = DEFINITION["States"]["Files"]["ItemSelector"]
    read = {"bucket", "key", "export_time", *Progress.__dataclass_fields__}
    assert {name.removesuffix(".$") for name in handed} == read


def test_the_command_looks_for_a_state_that_there_is() -> None:
    assert EXPORT_STATE in DEFINITION["States"]


def test_the_children_that_may_be_watched_are_those_of_the_map() -> None:
    assert DEFINITION["States"]["Files"]["Label"] == FILES_LABEL


def test_with_a_customer_key_the_export_is_encrypted_and_everyone_may_use_it(
    pipelines: Pipelines,
) -> None:
    found = state(pipelines.build(backfill=ON, lake=LakeArgs(kms_key_arn=KEY)))
    asked = found["shop-backfill-state-machine"]["definition"]["States"]["Export"]["Parameters"]
    assert (asked["S3SseAlgorithm"], asked["S3SseKmsKeyId"]) == ("KMS", KEY)
    use_key = {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": [KEY],
        "Condition": {"StringEquals": {"kms:ViaService": "s3.ap-northeast-1.amazonaws.com"}},
    }
    for name in ("policy", "states-policy"):
        statements = found[f"shop-backfill-{name}"]["policy"]["Statement"]
        assert statements == [*MADE[name]["policy"]["Statement"], use_key]


def keys_told(found: Graph) -> str:
    variables = found["shop-backfill-function"].inputs["environment"]["variables"]
    return variables["KEY_NAMES"]


def test_the_function_knows_the_keys_of_a_new_table(pipelines: Pipelines) -> None:
    source = SourceArgs(hash_key='a"b', range_key="at")
    assert keys_told(pipelines.build(backfill=ON, source=source)) == '["a\\"b", "at"]'


def test_the_function_knows_the_keys_of_an_existing_table(pipelines: Pipelines) -> None:
    [(name, told)] = existing_table().items()
    tables = {name: {**told, "hashKey": "pk", "rangeKey": "sk"}}
    source = SourceArgs(use_existing=True)
    found = pipelines.build(backfill=ON, source=source, tables=tables)
    assert keys_told(found) == '["pk", "sk"]'
    # Without a sort key AWS's answer holds an empty text.
    tables = {name: {**told, "hashKey": "pk", "rangeKey": ""}}
    assert keys_told(pipelines.build(backfill=ON, source=source, tables=tables)) == '["pk"]'


def test_in_a_given_bucket_nothing_is_deleted_and_all_lies_below_the_tables_own_path(
    pipelines: Pipelines,
) -> None:
    found = pipelines.build(backfill=ON, lake=LakeArgs(bucket_name="theirs"))
    assert "shop-lake-lifecycle" not in {node.name for node in found.nodes}
    policies = [found[f"shop-backfill-{name}policy"].policy() for name in ("", "states-")]
    paths = {
        path
        for document in policies
        for statement in document["Statement"]
        for path in statement["Resource"]
        if path.startswith("arn:aws:s3:::")
    }
    own = r"arn:aws:s3:::theirs/(backfill/shop_test/orders/\w+|errors/.+/backfill-failed)/\*"
    assert paths
    assert [path for path in paths if not re.fullmatch(own, path)] == []
