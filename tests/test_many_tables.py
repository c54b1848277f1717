"""The page on many tables tells what the graph holds; a hundred tables are a hundred pipelines."""

import json
from collections import Counter

from streaming_etl.stack.program import program_graph
from tests.components.test_dev_stack_rules import pipeline_of
from tools.docs.many_tables_page import BLOCKS, PAGE, QUOTAS, counted, least_and_most
from tools.docs.marked_blocks import told_anew


def test_the_page_counts_what_a_pipeline_makes() -> None:
    text = PAGE.read_text()
    assert told_anew(text, BLOCKS) == text, "run `make readme`"


def test_every_quota_is_of_something_that_a_pipeline_makes_and_the_scarcest_stands_first() -> None:
    _, most = least_and_most()
    assert [quota.what for quota in QUOTAS if counted(most, quota) == 0] == []
    enough = [quota.default // counted(most, quota) for quota in QUOTAS[:2] if quota.default]
    assert enough == sorted(enough)
    others = [quota.default // counted(most, quota) for quota in QUOTAS[2:] if quota.default]
    assert min(others) >= max(enough)


def test_a_stack_of_a_hundred_tables_is_a_hundred_pipelines_of_the_same_resources() -> None:
    given = {"table_name": "t", "transform_module": "transforms/orders.py", "partitions": {}}
    tables = {f"t{number}": {"table_name": f"table-{number}"} for number in range(100)}
    del given["table_name"]
    values = {"streaming-etl:tables": tables, "streaming-etl:defaults": given}
    graph = program_graph({key: json.dumps(value) for key, value in values.items()})
    counted = Counter(pipeline_of(node, graph) for node in graph.custom)
    assert set(counted) == set(tables)
    assert len(set(counted.values())) == 1
