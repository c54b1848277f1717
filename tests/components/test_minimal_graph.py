"""What a table name, a transform module and partitions make: every resource and where it hangs."""

from streaming_etl.stack.recorder import Graph
from tests.components.pipelines import Pipelines
from tests.package.schemas import camel

STAGES = {
    "Source": "shop-source",
    "Lake": "shop-lake",
    "Catalog": "shop-catalog",
    "Delivery": "shop-delivery",
    "Forwarder": "shop-forwarder",
    "Query": "shop-query",
    "Monitoring": "shop-monitoring",
}

ALARMS = (
    *("not-polling", "late-forwarding", "forwarder-errors", "forwarder-throttles"),
    *("given-up", "dropped", "failed-batches"),
    *("transform-errors", "transform-throttles", "transform-slow", "refused", "put-back"),
    *("throttled-records", "late-delivery", "delivery-failed", "error-records"),
)

RESOURCES = {
    "Source": {("aws:dynamodb/table:Table", "shop-source-table")},
    "Lake": {
        ("aws:s3/bucket:Bucket", "shop-lake-bucket"),
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "shop-lake-public-access"),
        ("aws:s3/bucketOwnershipControls:BucketOwnershipControls", "shop-lake-ownership"),
        ("aws:s3/bucketPolicy:BucketPolicy", "shop-lake-policy"),
        (
            "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "shop-lake-encryption",
        ),
        ("aws:s3/bucketVersioning:BucketVersioning", "shop-lake-versioning"),
        (
            "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
            "shop-lake-lifecycle",
        ),
        ("aws:s3/bucketNotification:BucketNotification", "shop-lake-events"),
    },
    "Catalog": {
        ("aws:glue/catalogDatabase:CatalogDatabase", "shop-catalog-database"),
        ("aws:glue/catalogTable:CatalogTable", "shop-catalog-table"),
    },
    "Delivery": {
        ("aws:iam/role:Role", "shop-transform-role"),
        ("aws:cloudwatch/logGroup:LogGroup", "shop-transform-logs"),
        ("aws:iam/rolePolicy:RolePolicy", "shop-transform-log-policy"),
        ("aws:iam/rolePolicy:RolePolicy", "shop-transform-put-back-policy"),
        ("aws:lambda/function:Function", "shop-transform-function"),
        ("aws:iam/role:Role", "shop-delivery-role"),
        ("aws:iam/rolePolicy:RolePolicy", "shop-delivery-policy"),
        ("aws:cloudwatch/logGroup:LogGroup", "shop-delivery-logs"),
        ("aws:cloudwatch/logStream:LogStream", "shop-delivery-log-stream"),
        ("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "shop-delivery-stream"),
    },
    "Forwarder": {
        ("aws:iam/role:Role", "shop-forwarder-role"),
        ("aws:iam/rolePolicy:RolePolicy", "shop-forwarder-log-policy"),
        ("aws:iam/rolePolicy:RolePolicy", "shop-forwarder-policy"),
        ("aws:cloudwatch/logGroup:LogGroup", "shop-forwarder-logs"),
        ("aws:lambda/function:Function", "shop-forwarder-function"),
        ("aws:lambda/eventSourceMapping:EventSourceMapping", "shop-forwarder-mapping"),
    },
    "Query": {
        ("aws:athena/workgroup:Workgroup", "shop-query-workgroup"),
        ("aws:athena/namedQuery:NamedQuery", "shop-query-current-state"),
        ("aws:athena/namedQuery:NamedQuery", "shop-query-latest-changes"),
        ("aws:athena/namedQuery:NamedQuery", "shop-query-rows-per-partition"),
        ("aws:glue/catalogTable:CatalogTable", "shop-query-view"),
    },
    "Monitoring": {
        ("aws:sns/topic:Topic", "shop-monitoring-topic"),
        ("aws:sns/topicPolicy:TopicPolicy", "shop-monitoring-topic-policy"),
        ("aws:cloudwatch/logMetricFilter:LogMetricFilter", "shop-monitoring-refused-metric"),
        *(("aws:cloudwatch/metricAlarm:MetricAlarm", f"shop-monitoring-{kind}") for kind in ALARMS),
        ("aws:cloudwatch/dashboard:Dashboard", "shop-monitoring-dashboard"),
        ("aws:sns/topic:Topic", "shop-watch-topic"),
        ("aws:sns/topicPolicy:TopicPolicy", "shop-watch-topic-policy"),
        ("aws:cloudwatch/eventRule:EventRule", "shop-watch-failed-batches"),
        ("aws:cloudwatch/eventTarget:EventTarget", "shop-watch-failed-batches-target"),
        ("aws:cloudwatch/eventRule:EventRule", "shop-watch-error-records"),
        ("aws:cloudwatch/eventTarget:EventTarget", "shop-watch-error-records-target"),
    },
}


def test_three_settings_create_these_resources_and_no_others(minimal: Graph) -> None:
    pipeline = ("streaming-etl:index:StreamingEtlPipeline", "shop")
    stages = {(f"streaming-etl:index:{kind}", name) for kind, name in STAGES.items()}
    resources = set().union(*RESOURCES.values())
    assert {(node.type, node.name) for node in minimal.nodes} == {pipeline} | stages | resources


def test_each_resource_hangs_below_its_stage(minimal: Graph) -> None:
    found = {kind: set() for kind in STAGES}
    for node in minimal.custom:
        stage = node.parent_type.removeprefix("streaming-etl:index:")
        assert node.parent == STAGES[stage]
        found[stage].add((node.type, node.name))
    assert found == RESOURCES


def test_a_person_gets_these_outputs(minimal: Graph) -> None:
    assert minimal.exports["pipeline"] == {
        "bucket": "shop-lake-bucket-0000000",
        "database": "shop_test",
        "table": "orders",
        "view": "orders_current",
        "workgroup": "shop-test",
        "current_state_query_id": "shop-query-current-state-id",
        "delivery_stream": "shop-delivery-stream-0000000",
        "source_table": "orders",
        "source_table_arn": "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders",
        "source_stream_arn": (
            "arn:aws:dynamodb:ap-northeast-1:123456789012:table/orders"
            "/stream/2026-11-23T00:00:00.000"
        ),
        "failed_batches_location": (
            "s3://shop-lake-bucket-0000000/aws/lambda/uuid-of-shop-forwarder-mapping/"
        ),
        "errors_location": "s3://shop-lake-bucket-0000000/errors/shop_test/orders/",
        "alarm_topic_arn": (
            "arn:aws:sns:ap-northeast-1:123456789012:shop-monitoring-topic-0000000"
        ),
        "failure_events_topic_arn": "arn:aws:sns:ap-northeast-1:123456789012:shop-watch-topic-0000000",
        "dashboard": "shop-test",
        "crawler": None,
        "backfill_state_machine_arn": None,
        "backfill_location": None,
    }


def test_the_component_registers_what_it_hands_out_by_the_names_of_its_schema(
    minimal: Graph,
) -> None:
    handed_out = minimal.exports["pipeline"]
    # Pulumi leaves out what is None.
    known = {camel(name): value for name, value in handed_out.items() if value is not None}
    assert minimal["shop"].outputs == known
    assert "sourceTableArn" in known


def test_every_stage_registers_its_outputs(minimal: Graph) -> None:
    stages = [node for node in minimal.nodes if node.parent == "shop"]
    assert {node.name: sorted(node.outputs or {}) for node in stages} == {
        "shop-source": ["streamArn"],
        "shop-lake": ["bucketName"],
        "shop-catalog": ["databaseName", "tableName"],
        "shop-delivery": ["errorsLocation", "streamName"],
        "shop-forwarder": ["failedBatchesLocation"],
        "shop-query": ["viewName", "workgroupName"],
        "shop-monitoring": ["topicArn", "failureEventsTopicArn"],
    }


def test_a_table_that_is_crawled_without_columns_has_no_view(pipelines: Pipelines) -> None:
    graph = pipelines.build(
        module="def transform(change):\n    return change.new\n", catalog="crawler"
    )
    outputs = graph.exports["pipeline"]
    assert outputs["view"] is None
    assert outputs["crawler"] == "shop-catalog-crawler-0000000"
    assert outputs["table"] == "orders"
    assert "shop-query-view" not in {node.name for node in graph.nodes}
    assert "shop-catalog-table" not in {node.name for node in graph.nodes}
