"""Workgroups: results in the bucket or managed, and existing ones."""

import json

from streaming_etl import LakeArgs, MergeArgs, QueryArgs
from streaming_etl.stack.recorder import Graph
from tests.support.pipelines import KEY, Pipelines

MERGE = MergeArgs(enabled=True)
MANAGED = QueryArgs(managed_results=True)


def merge_statements(graph: Graph) -> list[dict[str, object]]:
    statements = json.loads(graph["shop-merge-states-policy"].inputs["policy"])["Statement"]
    return list(statements)


def expiring(graph: Graph) -> set[str]:
    return {rule["id"] for rule in graph["shop-lake-lifecycle"].inputs["rules"]}


def test_managed_results_need_no_bucket(pipelines: Pipelines) -> None:
    graph = pipelines.build(query=MANAGED, merge=MERGE)
    for name in ("query", "merge"):
        configuration = graph[f"shop-{name}-workgroup"].inputs["configuration"]
        assert configuration["managedQueryResultsConfiguration"] == {"enabled": True}
        assert "resultConfiguration" not in configuration
    assert "query-results" not in expiring(graph)
    assert "query-results" not in json.dumps(merge_statements(graph))


def test_managed_results_have_the_customer_key(pipelines: Pipelines) -> None:
    graph = pipelines.build(query=MANAGED, merge=MERGE, kms_key_arn=KEY)
    configuration = graph["shop-merge-workgroup"].inputs["configuration"]
    assert configuration["managedQueryResultsConfiguration"] == {
        "enabled": True,
        "encryptionConfiguration": {"kmsKey": KEY},
    }
    arn = "arn:aws:athena:ap-northeast-1:123456789012:workgroup/shop-test-merge"
    assert merge_statements(graph)[-2] == {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": [KEY],
        "Condition": {"StringEquals": {"kms:EncryptionContext:aws:athena:arn": arn}},
    }


def test_an_existing_workgroup_has_the_saved_queries_and_is_an_output(
    pipelines: Pipelines,
) -> None:
    query = QueryArgs(workgroup_name="analysts", saved_queries=True)
    graph = pipelines.build(query=query)
    assert graph.exports["pipeline"]["workgroup"] == "analysts"
    assert {node.inputs["workgroup"] for node in graph.of("NamedQuery")} == {"analysts"}
    assert "aws:athena/workgroup:Workgroup" not in {node.type for node in graph.custom}
    # Nothing of the pipeline writes results.
    assert "query-results" not in expiring(graph)


def test_merges_keep_their_workgroup_next_to_an_existing_one(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        query=QueryArgs(workgroup_name="analysts"),
        merge=MERGE,
        lake=LakeArgs(query_results_retention_days=3),
    )
    assert [node.name for node in graph.of("Workgroup")] == ["shop-merge-workgroup"]
    assert "query-results" in expiring(graph)
