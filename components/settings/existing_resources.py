"""Names and ARNs of existing resources, as metadata of fields."""

import re
from typing import Any

REGION_AND_ACCOUNT = r"[a-z]+(-[a-z]+)+-\d+:\d{12}"

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME: dict[str, Any] = {
    "pattern": re.compile(
        r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)(?!(\d+\.){3}\d+$)"
        r"(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
        r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
    ),
    "kind": "the name of an S3 bucket, 3 to 63 of a-z 0-9 . - without s3:// or a prefix",
}
# An alias resolves in the account of the caller, and IAM policies do not accept one as resource.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
KEY_ARN: dict[str, Any] = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:kms:{REGION_AND_ACCOUNT}:key/[a-zA-Z0-9-]+"),
    "kind": "the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID and not of an alias",
}
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Stream.html
STREAM_ARN = {
    "pattern": re.compile(
        rf"arn:aws[a-z-]*:dynamodb:{REGION_AND_ACCOUNT}:table/[a-zA-Z0-9_.-]{{3,255}}/stream/[0-9T:.-]+"
    ),
    "kind": "the ARN of a table's stream, arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL",
}
# https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
MAX_LAYERS = 5
LAYER_ARN = re.compile(
    rf"arn:aws[a-z-]*:lambda:{REGION_AND_ACCOUNT}:layer:[a-zA-Z0-9_-]{{1,140}}:\d+"
)
LAYER_TEXT = "ARNs of layer versions, arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION"
# Without a version, a label or a JSON key, which are not part of the resource in IAM policies.
# Secrets Manager appends a hyphen and six characters to the name.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
# https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
SECRET_ARN = re.compile(
    rf"arn:aws[a-z-]*:(ssm:{REGION_AND_ACCOUNT}:parameter/[a-zA-Z0-9_./-]{{1,1011}}"
    rf"|secretsmanager:{REGION_AND_ACCOUNT}:secret:[a-zA-Z0-9/_+=.@!-]{{1,512}}-[a-zA-Z0-9]{{6}})"
)
# CloudWatch sends alarms to standard topics only.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
TOPIC = rf"sns:{REGION_AND_ACCOUNT}:[a-zA-Z0-9_-]{{1,256}}"
TOPIC_ARN: dict[str, Any] = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:{TOPIC}"),
    "kind": "the ARN of a standard SNS topic, arn:aws:sns:REGION:ACCOUNT:NAME",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
IAM_NAME = r"([A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]"
ROLE_ARN = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:iam::\d{{12}}:role/{IAM_NAME}{{1,64}}"),
    "kind": "the ARN of a role, arn:aws:iam::ACCOUNT:role/NAME",
}
POLICY_ARN = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:iam::(\d{{12}}|aws):policy/{IAM_NAME}{{1,128}}"),
    "kind": "the ARN of an IAM policy, arn:aws:iam::ACCOUNT:policy/NAME",
}
# The other actions of CloudWatch need a dimension InstanceId, or scale.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
OK_ACTIONS = (
    TOPIC,
    rf"lambda:{REGION_AND_ACCOUNT}:function:[a-zA-Z0-9_-]{{1,64}}(:[a-zA-Z0-9_$-]{{1,128}})?",
    rf"ssm:{REGION_AND_ACCOUNT}:opsitem:[1-4]"
    r"(#CATEGORY=(Availability|Cost|Performance|Recovery|Security))?",
    r"ssm-incidents::\d{12}:response-?plan/[a-zA-Z0-9_-]{1,200}",
)
ALARM_ACTIONS = (*OK_ACTIONS, rf"aiops:{REGION_AND_ACCOUNT}:investigation-group[/:][a-zA-Z0-9-]+")
OK_ACTION_ARN: dict[str, Any] = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:({'|'.join(OK_ACTIONS)})"),
    "kind": "the ARN of an SNS topic, a Lambda function, an OpsItem or a response plan",
}
ALARM_ACTION_ARN: dict[str, Any] = {
    "pattern": re.compile(rf"arn:aws[a-z-]*:({'|'.join(ALARM_ACTIONS)})"),
    "kind": (
        "the ARN of an SNS topic, a Lambda function, an OpsItem, a response plan or an"
        " investigation group"
    ),
}
# https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateWorkGroup.html
WORKGROUP_NAME: dict[str, Any] = {
    "pattern": re.compile(r"[a-zA-Z0-9._-]{1,128}"),
    "kind": "the name of an Athena workgroup, at most 128 of a-z A-Z 0-9 . _ -",
}
