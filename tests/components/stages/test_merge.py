"""The merge stage: state machine, schedule, permissions and Iceberg table."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonata
import pytest

from streaming_etl import LakeArgs, MergeArgs, PartitionArgs, QueryArgs
from streaming_etl.components.table.merge import merged_state_sql
from streaming_etl.components.table.window import RecentWindow
from streaming_etl.stack.recorder import Graph
from tests.support.pipeline_settings import lake_table
from tests.support.pipelines import Pipelines

HOUR = 3_600_000
ENABLED = MergeArgs(enabled=True)


@pytest.fixture(scope="module")
def graph(pipelines: Pipelines) -> Graph:
    return pipelines.build(merge=ENABLED)


@pytest.fixture(scope="module")
def definition(graph: Graph) -> dict[str, Any]:
    machine: dict[str, Any] = json.loads(graph["shop-merge-state-machine"].inputs["definition"])
    return machine


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from expressions(item)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value


def evaluated(expression: str, input_: Any = None, **variables: Any) -> Any:
    """The value of an expression, as Step Functions binds its variables."""
    parsed = jsonata.Jsonata(expression.removeprefix("{%").removesuffix("%}"))
    frame = parsed.create_frame()
    frame.bind("states", {"input": input_, **variables.pop("states", {})})
    for name, value in variables.items():
        frame.bind(name, value)
    return parsed.evaluate(None, frame)


def test_each_expression_is_jsonata(definition: dict[str, Any]) -> None:
    found = [*expressions(definition)]
    for expression in found:
        jsonata.Jsonata(expression.removeprefix("{%").removesuffix("%}"))
    assert len(found) > 10


def test_each_state_leads_to_another_one_or_ends(definition: dict[str, Any]) -> None:
    states = definition["States"]
    targets = {definition["StartAt"]}
    for state in states.values():
        for holder in (state, *state.get("Choices", ())):
            targets |= {holder[key] for key in ("Next", "Default") if key in holder}
    assert targets == set(states)
    ends = [
        name for name, state in states.items() if "Next" not in state and "Default" not in state
    ]
    assert ends == ["Done"]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        # 50 hours and a day before the last success, an hour ago.
        ("2026-11-29T10:00:00Z", ["2026-11-26 2026-11-30"]),
        # Two hours, one run of which was missed.
        ("2026-11-29T09:00:00Z", ["2026-11-26 2026-11-30"]),
        # A week without a success: the days since then, the newest first.
        (
            "2026-11-22T01:00:00Z",
            ["2026-11-25 2026-11-30", "2026-11-20 2026-11-25", "2026-11-18 2026-11-20"],
        ),
    ],
)
def test_merges_all_days_since_the_window_before_the_last_success(
    definition: dict[str, Any], since: str, expected: list[str]
) -> None:
    ranges = definition["States"]["Days"]["Assign"]["since_last"]
    states = {"context": {"State": {"EnteredTime": "2026-11-29T11:00:00Z"}}}
    found = evaluated(ranges, since=since, states=states)
    assert [f"{one['first']} {one['last']}" for one in found] == expected


@pytest.mark.parametrize(
    ("starts", "since", "earlier"),
    [
        ([], "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        (["2026-11-29T10:00:00Z"], "2026-11-29T10:00:00Z", "2026-01-01T00:00:00Z"),
        (
            ["2026-11-29T10:00:00Z", "2026-11-29T09:00:00Z"],
            "2026-11-29T10:00:00Z",
            "2026-11-29T09:00:00Z",
        ),
    ],
)
def test_begins_with_the_creation_before_the_first_success(
    definition: dict[str, Any], starts: list[str], since: str, earlier: str
) -> None:
    state = definition["States"]["LastSuccess"]
    assert state["Arguments"]["MaxResults"] == 2
    states = {"result": {"Executions": [{"StartDate": start} for start in starts]}}
    found = {
        name: evaluated(expression, since="2026-01-01T00:00:00Z", states=states)
        for name, expression in state["Assign"].items()
    }
    assert found == {"since": since, "earlier": earlier}


def test_optimizes_every_twelfth_time_of_the_schedule(definition: dict[str, Any]) -> None:
    condition = definition["States"]["Start"]["Assign"]["optimize"]
    # The schedule's minutes and seconds are those of its creation.
    times = [f"2026-11-{day}T{hour:02}:17:43Z" for day in (28, 29) for hour in range(24)]
    found = [evaluated(condition, {"scheduled": time}) for time in times]
    assert [number for number, is_due in enumerate(found) if is_due] == [0, 12, 24, 36]


@pytest.mark.parametrize(("input_", "is_due"), [({}, False), ({"optimize": True}, True)])
def test_optimizes_on_request(
    definition: dict[str, Any], input_: dict[str, Any], is_due: bool
) -> None:
    condition = definition["States"]["Start"]["Assign"]["optimize"]
    assert evaluated(condition, input_) is is_due


@pytest.mark.parametrize(
    ("input_", "expected"),
    [
        ({}, []),
        ({"ranges": [{"first": "a"}]}, [{"first": "a"}]),
        ({"ranges": [{"first": "b"}, {"first": "a"}]}, [{"first": "b"}, {"first": "a"}]),
    ],
)
def test_takes_ranges_in_their_order(
    definition: dict[str, Any], input_: dict[str, Any], expected: list[Any]
) -> None:
    ranges = definition["States"]["Start"]["Assign"]["ranges"]
    assert evaluated(ranges, input_) == expected
    states = definition["States"]
    assert [states[name]["MaxConcurrency"] for name in ("Merge", "Ranges")] == [1, 1]


def test_a_range_is_part_of_the_sql_as_dates_only(definition: dict[str, Any]) -> None:
    state = definition["States"]["Ranges"]["ItemProcessor"]["States"]["MergeRange"]
    sql = state["Arguments"]["QueryString"]
    merge = "BETWEEN '{first}' AND '{last}', again '{first}'"
    days = {"first": "2026-10-01", "last": "2026-10-31T23:00:00Z"}
    assert evaluated(sql, days, merge=merge) == (
        "BETWEEN '2026-10-01' AND '2026-10-31', again '2026-10-01'"
    )
    with pytest.raises(ValueError, match="isoformat"):
        evaluated(sql, {"first": "' OR true --", "last": "2026-10-31"}, merge=merge)


def test_tombstones_expire_by_the_day_of_the_success_before_the_last_one(
    definition: dict[str, Any],
) -> None:
    sql = definition["States"]["Expire"]["Arguments"]["QueryString"]
    text = "DATE '{success}' - INTERVAL '41' DAY"
    assert evaluated(sql, expire=text, earlier="2026-11-29T23:59:59Z") == (
        "DATE '2026-11-29' - INTERVAL '41' DAY"
    )


def test_each_attempt_of_each_query_has_another_token(definition: dict[str, Any]) -> None:
    states = definition["States"]
    queries = {name: states[name] for name in ("Expire", "Optimize", "Vacuum")}
    for name in ("Merge", "Ranges"):
        queries |= states[name]["ItemProcessor"]["States"]
    # The first day, the attempt, the start of the same execution again, and the execution.
    attempts = [
        ("2026-11-01", 0, 0, "a"),
        ("2026-10-01", 0, 0, "a"),
        ("2026-11-01", 1, 0, "a"),
        ("2026-11-01", 0, 1, "a"),
        ("2026-11-01", 0, 0, "b"),
    ]
    tokens = []
    for name, query in queries.items():
        hashed = re.fullmatch(
            r"\{% \$hash\((.*), 'SHA-256'\) %\}", query["Arguments"]["ClientRequestToken"]
        )
        assert hashed is not None
        for first, retry, redrive, run in attempts:
            execution = {"Id": run, "RedriveCount": redrive}
            context = {"Execution": execution, "State": {"Name": name, "RetryCount": retry}}
            tokens.append(evaluated(hashed[1], {"first": first}, states={"context": context}))
    assert len(queries) == 5
    assert len(set(tokens)) == len(queries) * len(attempts)


def test_the_schedule_starts_the_state_machine_with_its_time(graph: Graph) -> None:
    schedule: Any = graph["shop-merge-schedule"].inputs
    assert schedule["scheduleExpression"] == "rate(60 minutes)"
    assert json.loads(schedule["target"]["input"]) == {
        "scheduled": "<aws.scheduler.scheduled-time>"
    }


def test_each_permission_names_its_resources(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        merge=ENABLED, lake=LakeArgs(kms_key_arn="arn:aws:kms:ap-northeast-1:123456789012:key/k")
    )
    for name in ("merge-states-policy", "merge-own-policy", "merge-schedule-policy"):
        document = json.loads(graph[f"shop-{name}"].inputs["policy"])
        for statement in document["Statement"]:
            assert all(resource != "*" for resource in statement["Resource"]), statement
            assert all("*" not in action for action in statement["Action"]), statement


def test_reads_the_default_database_for_athena_and_writes_one_table(graph: Graph) -> None:
    statements = json.loads(graph["shop-merge-states-policy"].inputs["policy"])["Statement"]
    allowed = {
        (action, resource.rpartition(":")[2])
        for statement in statements
        for action in statement["Action"]
        for resource in statement["Resource"]
    }
    created = {one for action, one in allowed if action == "glue:CreateDatabase"}
    assert created == {"catalog", "database/default"}
    read = {one for action, one in allowed if action == "glue:GetDatabase"}
    assert read == {*created, "database/shop_test", "table/shop_test/orders"}
    tables = {one for action, one in allowed if action == "glue:UpdateTable"}
    assert tables == {"catalog", "database/shop_test", "table/shop_test/orders_merged"}


def test_writes_only_below_the_merged_table(graph: Graph) -> None:
    statements = json.loads(graph["shop-merge-states-policy"].inputs["policy"])["Statement"]
    deletes = [one["Resource"] for one in statements if "s3:DeleteObject" in one["Action"]]
    assert [[one.partition("/")[2] for one in resources] for resources in deletes] == [
        ["merged/shop_test/orders/*"]
    ]


def test_the_merged_table_is_an_iceberg_table_and_nothing_else(graph: Graph) -> None:
    inputs = graph["shop-merged-table"].inputs
    assert set(inputs) == {"name", "databaseName", "openTableFormatInput"}
    assert inputs["name"] == "orders_merged"
    iceberg = inputs["openTableFormatInput"]["icebergInput"]
    assert (iceberg["metadataOperation"], iceberg["version"]) == ("CREATE", "2")
    table = iceberg["icebergTableInput"]
    assert table["location"].endswith("/merged/shop_test/orders/")
    fields = {one["name"]: (one["id"], one["type"]) for one in table["schema"]["fields"]}
    assert fields["total"] == (101, '"decimal(10, 2)"')


def test_a_pipeline_without_merge_has_none_of_it(pipelines: Pipelines) -> None:
    graph = pipelines.build()
    assert [node.name for node in graph.nodes if "merge" in node.name] == []


def test_the_change_log_expires_by_lake_table(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        **pipelines.lake_tables(
            orders={"merge": MergeArgs(enabled=True, change_log_retention_days=90)},
            customers={"merge": ENABLED},
        )
    )
    rules = graph["shop-lake-lifecycle"].inputs["rules"]
    found = [rule for rule in rules if rule["id"].startswith("data")]
    assert found == [
        {
            "id": "data-orders",
            "status": "Enabled",
            "filter": {"prefix": "data/shop_test/orders/"},
            "expiration": {"days": 90},
        }
    ]


def test_the_view_reads_the_merged_table_and_the_window(pipelines: Pipelines) -> None:
    tokyo = PartitionArgs(time_zone="Asia/Tokyo")
    graph = pipelines.build(merge=ENABLED, partitions=tokyo)
    text = graph["shop-query-view"].inputs["viewOriginalText"]
    definition = json.loads(base64.b64decode(text.removeprefix("/* Presto View: ").split()[0]))
    table = lake_table(merge=ENABLED, partitions=tokyo)
    window = RecentWindow(hours=50, time_zone="Asia/Tokyo")
    assert definition["originalSql"] == merged_state_sql("shop_test", table, window)
    # The view reads no table without partition keys, which no window would prune.
    assert not any("objects" in node.name for node in graph.nodes)


def test_the_view_reads_the_objects_until_the_first_build(pipelines: Pipelines) -> None:
    query = QueryArgs(current_state_source="objects")
    graphs = [pipelines.build(query=query, merge=merge) for merge in (MergeArgs(), ENABLED)]
    texts = [graph["shop-query-view"].inputs["viewOriginalText"] for graph in graphs]
    assert texts[0] == texts[1]
