"""Programs that are deployed to the embedded AWS."""

import gc
import json
import re
import time
from pathlib import Path
from typing import Any

import pulumi
import pytest

from local.deploy.deploy import deploy
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from streaming_etl.stack.errors import CommandError

pytestmark = pytest.mark.e2e


def program(directory: Path, text: str) -> StackConfig:
    """Write a program that is deployed from the directory."""
    (directory / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{text}")
    return StackConfig("project", "dev", {"project:greeting": "hello"})


def test_creates_the_resources_and_returns_the_outputs(aws: Clients, tmp_path: Path) -> None:
    config = program(
        tmp_path,
        """
bucket = aws.s3.Bucket("lake")
greeting = aws.s3.BucketPolicy("policy", bucket=bucket.bucket, policy=pulumi.Output.json_dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": bucket.arn}],
}))
here = [aws.get_caller_identity().account_id, aws.get_region().region]
pulumi.export("names", {"bucket": bucket.bucket, "here": here})
pulumi.export("greeting", pulumi.Config().require("greeting"))
""",
    )
    created = []

    deployed = deploy(tmp_path, config, aws, lambda type_, name: created.append((type_, name)))
    outputs = deployed.outputs

    bucket = outputs["names"]["bucket"]
    assert outputs == {
        "names": {"bucket": bucket, "here": ["000000000000", "ap-northeast-1"]},
        "greeting": "hello",
    }
    assert re.fullmatch(r"lake-[0-9a-f]{7}", bucket)
    policy = json.loads(aws("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{bucket}"
    assert created == [
        ("aws:s3/bucket:Bucket", "lake"),
        ("aws:s3/bucketPolicy:BucketPolicy", "policy"),
    ]


def delivery_stream(processor: str, partitioned: bool = False) -> str:
    """A program with one delivery stream."""
    dynamic = '"dynamic_partitioning_configuration": {"enabled": True},' if partitioned else ""
    return (
        'aws.kinesis.FirehoseDeliveryStream("s", destination="extended_s3",'
        f' extended_s3_configuration={{"bucket_arn": "arn:aws:s3:::b", "role_arn": "r", {dynamic}'
        f' "processing_configuration": {{"enabled": True, "processors": [{processor}]}}}})'
    )


def deaggregation(kind: str) -> str:
    parameter = f'{{"parameter_name": "SubRecordType", "parameter_value": "{kind}"}}'
    return f'{{"type": "RecordDeAggregation", "parameters": [{parameter}]}}'


REJECTED_PROGRAMS = {
    "an unknown type": (
        'aws.sqs.Queue("work")',
        "unknown-resource-type",
        {"type": "aws:sqs/queue:Queue", "name": "work"},
    ),
    "an unknown input": (
        'aws.dynamodb.Table("t", attributes=[{"name": "id", "type": "S"}], hash_key="id",'
        ' billing_mode="PAY_PER_REQUEST", table_class="STANDARD")',
        "unknown-inputs",
        {"type": "aws:dynamodb/table:Table", "name": "t", "inputs": ["tableClass"]},
    ),
    "an unknown nested input": (
        'aws.glue.CatalogTable("t", database_name="d", partition_keys=[{"nom": "year"}])',
        "create-failed",
        {"type": "aws:glue/catalogTable:CatalogTable", "name": "t"},
    ),
    "an error of the service": (
        'aws.s3.BucketVersioning("v", bucket="unknown",'
        ' versioning_configuration={"status": "Enabled"})',
        "create-failed",
        {"type": "aws:s3/bucketVersioning:BucketVersioning", "name": "v"},
    ),
    "an unknown call": (
        "aws.get_availability_zones()",
        "unknown-call",
        {"token": "aws:index/getAvailabilityZones:getAvailabilityZones"},
    ),
    "a duplicate name": (
        'aws.s3.Bucket("same"); aws.s3.Bucket("same")',
        "duplicate-resource",
        {"type": "aws:s3/bucket:Bucket", "name": "same"},
    ),
    "another destination": (
        'aws.kinesis.FirehoseDeliveryStream("s", destination="redshift")',
        "unsupported-destination",
        {"destination": "redshift"},
    ),
    "an unsupported processor": (
        delivery_stream('{"type": "MetadataExtraction"}'),
        "unsupported-processor",
        {"type": "MetadataExtraction", "parameters": {}},
    ),
    "an unsupported deaggregation": (
        delivery_stream(deaggregation("DELIMITED"), partitioned=True),
        "unsupported-processor",
        {"type": "RecordDeAggregation", "parameters": {"SubRecordType": "DELIMITED"}},
    ),
    "deaggregation without dynamic partitioning, which AWS rejects": (
        delivery_stream(deaggregation("JSON")),
        "deaggregation-without-partitioning",
        {},
    ),
}


@pytest.mark.parametrize(
    ("text", "code", "details"), REJECTED_PROGRAMS.values(), ids=list(REJECTED_PROGRAMS)
)
def test_rejects_what_the_embedded_aws_does_not_support(
    aws: Clients, tmp_path: Path, text: str, code: str, details: dict[str, Any]
) -> None:
    with pytest.raises(CommandError) as raised:
        deploy(tmp_path, program(tmp_path, text), aws)

    assert raised.value.code == code
    assert raised.value.details.items() >= details.items()


def test_a_failure_ends_the_deployment_and_is_reported_once(
    aws: Clients, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = program(
        tmp_path,
        """
for number in range(5):
    queue = aws.sqs.Queue(f"work{number}")
    bucket = aws.s3.Bucket(f"lake{number}", bucket=queue.name)
    pulumi.export(f"queue{number}", {"queue": queue.arn, "bucket": bucket.arn})
""",
    )

    start = time.monotonic()
    with pytest.raises(CommandError):
        deploy(tmp_path, config, aws)

    gc.collect()
    assert time.monotonic() - start < 5
    assert caplog.messages == []


def test_raises_an_exception_of_the_program(aws: Clients, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        deploy(tmp_path, program(tmp_path, "1 / 0"), aws)


def test_does_not_change_pulumis_process_wide_settings(aws: Clients, tmp_path: Path) -> None:
    config = StackConfig("temporary", "temporary", {"temporary:key": "value"})
    program(tmp_path, "")

    deploy(tmp_path, config, aws)

    assert pulumi.runtime.get_config("temporary:key") is None
    assert (pulumi.get_stack(), pulumi.get_project()) != ("temporary", "temporary")
