"""A stack of a hundred tables, and the quotas that docs/many-tables.md lists."""

import json
from collections import Counter
from typing import Any

from streaming_etl.stack.program import program_graph
from tests.components.test_graph_rules import pipeline_of
from tools.docs.many_tables_page import QUOTAS, counted, least_and_most


def test_each_quota_counts_resources_and_the_scarcest_is_first() -> None:
    _, most = least_and_most()
    assert [quota.what for quota in QUOTAS if counted(most, quota) == 0] == []
    enough = [quota.default // counted(most, quota) for quota in QUOTAS[:2] if quota.default]
    assert enough == sorted(enough)
    others = [quota.default // counted(most, quota) for quota in QUOTAS[2:] if quota.default]
    assert min(others) >= max(enough)


def test_a_hundred_tables_are_a_hundred_equal_pipelines() -> None:
    defaults = {"table_name": "t", "transform_module": "transforms/orders.py", "partitions": {}}
    tables = {f"t{number}": {"table_name": f"table-{number}"} for number in range(100)}
    del defaults["table_name"]
    values: dict[str, Any] = {"streaming-etl:tables": tables, "streaming-etl:defaults": defaults}
    # One dashboard of all pipelines belongs to none.
    values["streaming-etl:stack_dashboard"] = False
    graph = program_graph({key: json.dumps(value) for key, value in values.items()})
    counted = Counter(pipeline_of(node, graph) for node in graph.custom)
    assert set(counted) == set(tables)
    assert len(set(counted.values())) == 1
