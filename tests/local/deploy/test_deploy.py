import gc
import io
import json
import re
import time
import zipfile
from pathlib import Path

import pulumi
import pytest

from local import LocalError
from local.deploy.deploy import deploy
from local.deploy.inputs import Inputs, pascal, zipped
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import StackConfig

e2e = pytest.mark.e2e


def program(directory: Path, text: str) -> StackConfig:
    """Write a program that is deployed from `directory`."""
    (directory / "__main__.py").write_text(f"import pulumi\nimport pulumi_aws as aws\n{text}")
    return StackConfig("project", "dev", {"project:greeting": "hello"})


@e2e
def test_a_program_stands_on_the_embedded_aws_and_its_outputs_come_back(
    aws: Clients, tmp_path: Path
) -> None:
    config = program(
        tmp_path,
        """
bucket = aws.s3.Bucket("lake")
greeting = aws.s3.BucketPolicy("policy", bucket=bucket.bucket, policy=pulumi.Output.json_dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": bucket.arn}],
}))
here = [aws.get_caller_identity().account_id, aws.get_region().region]
pulumi.export("made", {"bucket": bucket.bucket, "here": here})
pulumi.export("greeting", pulumi.Config().require("greeting"))
""",
    )
    created = []

    outputs = deploy(tmp_path, config, aws, lambda type_, name: created.append((type_, name)))

    bucket = outputs["made"]["bucket"]
    assert outputs == {
        "made": {"bucket": bucket, "here": ["000000000000", "ap-northeast-1"]},
        "greeting": "hello",
    }
    assert re.fullmatch(r"lake-[0-9a-f]{7}", bucket)
    policy = json.loads(aws("s3").get_bucket_policy(Bucket=bucket)["Policy"])
    assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{bucket}"
    assert created == [
        ("aws:s3/bucket:Bucket", "lake"),
        ("aws:s3/bucketPolicy:BucketPolicy", "policy"),
    ]


REFUSED_PROGRAMS = {
    "an unknown type": (
        'aws.sqs.Queue("work")',
        r"does not know aws:sqs/queue:Queue \(work\).*Write a creator.*local/resources_",
    ),
    "an unknown input": (
        'aws.dynamodb.Table("t", attributes=[{"name": "id", "type": "S"}], hash_key="id",'
        ' billing_mode="PAY_PER_REQUEST", table_class="STANDARD")',
        r"does not know tableClass of aws:dynamodb/table:Table \(t\).*creator",
    ),
    "an unknown input inside another": (
        'aws.glue.CatalogTable("t", database_name="d", partition_keys=[{"nom": "year"}])',
        r"refuses aws:glue/catalogTable:CatalogTable \(t\)(?s:.*)Nom(?s:.*)Mend the program",
    ),
    "a refusal of the service": (
        'aws.s3.BucketVersioning("v", bucket="nobody",'
        ' versioning_configuration={"status": "Enabled"})',
        r"refuses aws:s3/bucketVersioning:BucketVersioning \(v\).*NoSuchBucket",
    ),
    "an unknown call": (
        "aws.get_availability_zones()",
        r"does not know the call aws:index/getAvailabilityZones.*local/deploy\.py",
    ),
    "a name that stands twice": (
        'aws.s3.Bucket("same"); aws.s3.Bucket("same")',
        r"Two resources are called same \(aws:s3/bucket:Bucket\)",
    ),
    "a processor that is not emulated": (
        'aws.kinesis.FirehoseDeliveryStream("s", destination="extended_s3",'
        ' extended_s3_configuration={"bucket_arn": "arn:aws:s3:::b", "role_arn": "r",'
        ' "processing_configuration": {"enabled": True,'
        ' "processors": [{"type": "MetadataExtraction"}]}})',
        r"does not know the processor MetadataExtraction",
    ),
    "a way to split records that is not emulated": (
        'aws.kinesis.FirehoseDeliveryStream("s", destination="extended_s3",'
        ' extended_s3_configuration={"bucket_arn": "arn:aws:s3:::b", "role_arn": "r",'
        ' "dynamic_partitioning_configuration": {"enabled": True},'
        ' "processing_configuration": {"enabled": True,'
        ' "processors": [{"type": "RecordDeAggregation", "parameters": ['
        '{"parameter_name": "SubRecordType", "parameter_value": "DELIMITED"}]}]}})',
        r'does not know the processor RecordDeAggregation {"SubRecordType": "DELIMITED"}',
    ),
    "records split without partition keys, which AWS refuses": (
        'aws.kinesis.FirehoseDeliveryStream("s", destination="extended_s3",'
        ' extended_s3_configuration={"bucket_arn": "arn:aws:s3:::b", "role_arn": "r",'
        ' "processing_configuration": {"enabled": True,'
        ' "processors": [{"type": "RecordDeAggregation", "parameters": ['
        '{"parameter_name": "SubRecordType", "parameter_value": "JSON"}]}]}})',
        r"has RecordDeAggregation with dynamic partitioning only",
    ),
}


@e2e
@pytest.mark.parametrize(("text", "message"), REFUSED_PROGRAMS.values(), ids=list(REFUSED_PROGRAMS))
def test_what_the_embedded_aws_cannot_make_fails_loudly(
    aws: Clients, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(LocalError, match=message):
        deploy(tmp_path, program(tmp_path, text), aws)


@e2e
def test_a_failure_ends_the_deployment_at_once_and_is_told_once(
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

    begun = time.monotonic()
    with pytest.raises(LocalError, match="aws:sqs/queue:Queue"):
        deploy(tmp_path, config, aws)

    gc.collect()
    assert time.monotonic() - begun < 5
    assert caplog.messages == []


@e2e
def test_an_error_of_the_program_itself_comes_through(aws: Clients, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        deploy(tmp_path, program(tmp_path, "1 / 0"), aws)


@e2e
def test_a_deployment_leaves_nothing_in_pulumis_own_settings(aws: Clients, tmp_path: Path) -> None:
    config = StackConfig("left", "left", {"left:over": "yes"})
    program(tmp_path, "")

    deploy(tmp_path, config, aws)

    assert pulumi.runtime.get_config("left:over") is None
    assert (pulumi.get_stack(), pulumi.get_project()) != ("left", "left")


def test_keys_get_a_capital_but_a_map_of_free_keys_stays_as_it_is() -> None:
    given = {"bucketArn": "a", "parameters": {"projection.enabled": "true"}, "rules": [{"id": 1}]}

    assert pascal(given, bucketArn="BucketARN") == {
        "BucketARN": "a",
        "Parameters": {"projection.enabled": "true"},
        "Rules": [{"Id": 1}],
    }


def test_whole_numbers_come_back_as_such_from_pulumis_wire() -> None:
    inputs = Inputs("type", "name", {"days": 30.0, "share": 0.5, "rules": [{"days": 7.0}]})

    assert repr(inputs.rest()) == repr({"Days": 30, "Share": 0.5, "Rules": [{"Days": 7}]})


def test_the_code_is_the_archive_that_the_component_made(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("pass\n")
    archive = pulumi.AssetArchive(
        {
            "handlers/file.py": pulumi.FileAsset(str(tmp_path / "file.py")),
            "nested": pulumi.AssetArchive({"transform.json": pulumi.StringAsset("{}")}),
        }
    )

    code = zipped(archive)

    with zipfile.ZipFile(io.BytesIO(code)) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    assert contents == {"handlers/file.py": b"pass\n", "nested/transform.json": b"{}"}
    assert zipped(archive) == code
