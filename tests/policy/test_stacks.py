"""The policy pack over whole stacks, asked as Pulumi asks it."""

from typing import Any

import pytest
from pulumi.runtime.proto.analyzer_pb2_grpc import AnalyzerStub

from streaming_etl import (
    BackfillArgs,
    ForwarderArgs,
    LakeArgs,
    MonitoringArgs,
    PartitionArgs,
    SourceArgs,
    TransformArgs,
)
from streaming_etl.stack.program import program_graph, stack_graph
from tests.components.pipelines import TRANSFORM, Pipelines, dev_config, existing_table
from tests.policy.engine import registered, violations

KEY = "arn:aws:kms:ap-northeast-1:123456789012:key/k"


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_the_example_stack_breaks_no_rule(pack: AnalyzerStub, preview: bool) -> None:
    sent = registered(lambda: stack_graph("dev", preview=preview))
    assert len(sent) > 100
    assert violations(pack, sent) == []


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"source": SourceArgs(use_existing=True), "tables": existing_table()},
        {"lake": LakeArgs(bucket_name="theirs", kms_key_arn=KEY)},
        {"lake": LakeArgs(kms_key_arn=KEY, versioning=False)},
        {"catalog": "crawler", "module": TRANSFORM},
        {"format": "parquet", "partitions": PartitionArgs(dynamic_partition_keys={"store_id": []})},
        {"monitoring": MonitoringArgs(alarm_topic_arn="arn:aws:sns:::theirs", dashboard=False)},
        {"backfill": BackfillArgs(enabled=True)},
        {
            "forwarder": ForwarderArgs(
                maximum_retry_attempts=0, maximum_record_age_seconds=60, timeout_seconds=30
            ),
            "transform": TransformArgs(timeout_seconds=60),
        },
        {
            "forwarder": ForwarderArgs(
                maximum_retry_attempts=100, maximum_record_age_seconds=86_400, timeout_seconds=900
            ),
            "transform": TransformArgs(timeout_seconds=300),
        },
    ],
    ids=[
        "defaults",
        "existing table",
        "given bucket and key",
        "own bucket with a key",
        "crawler without columns",
        "parquet with a row key",
        "given topic",
        "backfill",
        "least tries and times",
        "most tries and times",
    ],
)
def test_a_pipeline_breaks_no_rule_whatever_its_settings(
    pack: AnalyzerStub, tmp_path: Any, settings: dict[str, Any], preview: bool
) -> None:
    sent = registered(lambda: Pipelines(tmp_path).build(preview=preview, **settings))
    assert violations(pack, sent) == []


@pytest.mark.parametrize("preview", [False, True], ids=["update", "preview"])
def test_the_example_stack_called_prod_breaks_the_rules_of_production(
    pack: AnalyzerStub, preview: bool
) -> None:
    sent = registered(lambda: program_graph(dev_config(), stack="prod", preview=preview))
    table = (
        "deletionProtectionEnabled=false in a production stack: one `pulumi destroy` deletes the"
        " table; set it to true."
    )
    destroyed = (
        "forceDestroy=true in a production stack: one `pulumi destroy` deletes it with all that is"
        " in it; drop it."
    )
    assert violations(pack, sent) == [
        ("production-data-kept", "orders-lake-bucket", destroyed),
        ("production-data-kept", "orders-query-workgroup", destroyed),
        ("production-data-kept", "orders-source-table", table),
        ("production-data-kept", "shipments-lake-bucket", destroyed),
        ("production-data-kept", "shipments-query-workgroup", destroyed),
        ("production-data-kept", "shipments-source-table", table),
    ]
