"""What must stand before what: IAM is eventually consistent, and the first batch needs it all."""

import pytest

from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines

# Beside what their inputs name, with which Pulumi waits by itself.
WAITS = {
    # S3 answers 409 when a policy and the public access block are written at once.
    "shop-lake-policy": ["shop-lake-bucket", "shop-lake-public-access"],
    # S3 refuses rules for noncurrent versions of a bucket that has none yet.
    "shop-lake-lifecycle": ["shop-lake-bucket", "shop-lake-versioning"],
    "shop-transform-function": [
        "shop-transform-log-policy",
        "shop-transform-logs",
        "shop-transform-role",
    ],
    "shop-forwarder-function": [
        "shop-delivery-stream",
        "shop-forwarder-log-policy",
        "shop-forwarder-logs",
        "shop-forwarder-role",
    ],
    "shop-delivery-stream": [
        "shop-catalog-database",
        "shop-delivery-log-stream",
        "shop-delivery-logs",
        "shop-delivery-policy",
        "shop-delivery-role",
        "shop-lake-bucket",
        "shop-transform-function",
    ],
    # The first change goes all the way: read, put, written, and set aside if it must be.
    "shop-forwarder-mapping": [
        "shop-forwarder-function",
        "shop-forwarder-policy",
        "shop-lake-bucket",
        "shop-lake-encryption",
        "shop-lake-lifecycle",
        "shop-lake-ownership",
        "shop-lake-policy",
        "shop-lake-public-access",
        "shop-lake-versioning",
        "shop-source-table",
        "shop-transform-put-back-policy",
    ],
}


@pytest.mark.parametrize("name", WAITS)
def test_a_resource_waits_for_these(minimal: Graph, name: str) -> None:
    assert minimal[name].depends_on == WAITS[name]


def test_a_crawler_waits_for_the_policy_of_its_role(pipelines: Pipelines) -> None:
    crawler = pipelines.build(catalog="crawler")["shop-catalog-crawler"]
    assert crawler.depends_on == [
        "shop-catalog-crawler-policy",
        "shop-catalog-crawler-role",
        "shop-catalog-database",
        "shop-catalog-table",
    ]


def test_parquet_waits_for_the_table_that_tells_its_columns(pipelines: Pipelines) -> None:
    stream = pipelines.build(format="parquet")["shop-delivery-stream"]
    assert "shop-catalog-table" in stream.depends_on


def test_only_the_mapping_is_deleted_before_it_is_replaced(minimal: Graph) -> None:
    # AWS refuses a second mapping of the same stream and function.
    assert [node.name for node in minimal.nodes if node.delete_before_replace] == [
        "shop-forwarder-mapping"
    ]
