"""A program that breaks every rule of the pack."""

import json

import pulumi
import pulumi_aws as aws

CODE = pulumi.AssetArchive({"index.py": pulumi.StringAsset("")})
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(**statement: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def careless() -> None:
    """Create resources that break each rule at least once."""
    role = aws.iam.Role("role", assume_role_policy=document(**TRUST))
    public_topic()
    bucket = aws.s3.Bucket("raw", force_destroy=True)
    streams(role)
    delivery(role, bucket)
    topic = aws.sns.Topic("alarms", kms_master_key_id="alias/aws/sns")
    aws.cloudwatch.MetricAlarm(
        "late",
        comparison_operator="GreaterThanThreshold",
        evaluation_periods=1,
        alarm_actions=[topic.arn],
    )


def public_topic() -> None:
    everybody = document(Principal="*", Action="sns:Publish", Resource="arn:aws:sns:::t")
    aws.sns.TopicPolicy("public", arn="arn:aws:sns:::t", policy=everybody)


def streams(role: aws.iam.Role) -> None:
    table = aws.dynamodb.Table(
        "orders",
        attributes=[aws.dynamodb.TableAttributeArgs(name="id", type="S")],
        hash_key="id",
        stream_enabled=True,
        stream_view_type="NEW_IMAGE",
    )
    read = aws.lambda_.Function(
        "read", role=role.arn, code=CODE, handler="index.handler", runtime="python3.13"
    )
    failed = aws.sns.Topic("failed")
    aws.lambda_.EventSourceMapping(
        "mapping",
        event_source_arn=table.stream_arn,
        function_name=read.arn,
        starting_position="LATEST",
        destination_config=aws.lambda_.EventSourceMappingDestinationConfigArgs(
            on_failure=aws.lambda_.EventSourceMappingDestinationConfigOnFailureArgs(
                destination_arn=failed.arn
            )
        ),
    )


def delivery(role: aws.iam.Role, bucket: aws.s3.Bucket) -> None:
    reshape = aws.lambda_.Function(
        "reshape", role=role.arn, code=CODE, handler="index.handler", runtime="python3.13"
    )
    aws.kinesis.FirehoseDeliveryStream(
        "stream",
        destination="extended_s3",
        extended_s3_configuration={
            "bucket_arn": bucket.arn,
            "role_arn": role.arn,
            "prefix": "data/!{timestamp:yyyy}/",
            "error_output_prefix": "data/errors/!{firehose:error-output-type}/",
            "processing_configuration": {
                "enabled": True,
                "processors": [
                    {
                        "type": "Lambda",
                        "parameters": [
                            {
                                "parameter_name": "LambdaArn",
                                "parameter_value": pulumi.Output.concat(reshape.arn, ":$LATEST"),
                            }
                        ],
                    }
                ],
            },
        },
    )
