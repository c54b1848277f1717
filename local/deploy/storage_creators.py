"""Creators of DynamoDB, S3, Glue and Athena resources."""

from collections.abc import Callable
from typing import Any

from local.deploy.inputs import Creator, Inputs, Outputs, pascal_case
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients


def table(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name()
    keys = {inputs.take("hashKey"): "HASH", inputs.take("rangeKey"): "RANGE"}
    reads, writes = inputs.take("readCapacity"), inputs.take("writeCapacity")
    optional: dict[str, Any] = {}
    if reads:
        capacity = {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}
        optional["ProvisionedThroughput"] = capacity
    if inputs.take("streamEnabled"):
        view = inputs.take("streamViewType")
        optional["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    described = clients("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in inputs.take("attributes")
        ],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items() if key],
        BillingMode=inputs.take("billingMode", "PROVISIONED"),
        DeletionProtectionEnabled=inputs.take("deletionProtectionEnabled", False),
        Tags=inputs.tags(),
        **optional,
    )["TableDescription"]
    if recovery := inputs.take("pointInTimeRecovery"):
        clients("dynamodb").update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": recovery["enabled"]},
        )
    if ttl := inputs.take("ttl"):
        clients("dynamodb").update_time_to_live(
            TableName=name, TimeToLiveSpecification=pascal_case(ttl)
        )
    arn, stream = described["TableArn"], described.get("LatestStreamArn", "")
    return {"id": name, "name": name, "arn": arn, "streamArn": stream}


def bucket(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name("bucket")
    # Has an effect on `pulumi destroy` only.
    inputs.take("forceDestroy")
    configuration = {"LocationConstraint": clients.region}
    location = {} if clients.region == "us-east-1" else {"CreateBucketConfiguration": configuration}
    clients("s3").create_bucket(Bucket=name, **location)
    if tags := inputs.tags():
        clients("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    return {"id": name, "bucket": name, "arn": f"arn:aws:s3:::{name}"}


def bucket_setting(
    method: str, argument: str, value_of: Callable[[Inputs], Any] = Inputs.remaining
) -> Creator:
    """Build the creator of a resource for one bucket property."""

    def create(clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.take("bucket")
        getattr(clients("s3"), method)(Bucket=name, **{argument: value_of(inputs)})
        return {"id": name}

    return create


bucket_encryption = bucket_setting(
    "put_bucket_encryption",
    "ServerSideEncryptionConfiguration",
    lambda inputs: inputs.remaining(sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID"),
)
bucket_lifecycle = bucket_setting(
    "put_bucket_lifecycle_configuration",
    "LifecycleConfiguration",
    lambda inputs: inputs.remaining(id="ID"),
)
bucket_notification = bucket_setting(
    "put_bucket_notification_configuration",
    "NotificationConfiguration",
    lambda inputs: {"EventBridgeConfiguration": {}} if inputs.take("eventbridge") else {},
)
bucket_ownership_controls = bucket_setting(
    "put_bucket_ownership_controls",
    "OwnershipControls",
    lambda inputs: {"Rules": [pascal_case(inputs.take("rule"))]},
)
bucket_policy = bucket_setting("put_bucket_policy", "Policy", lambda inputs: inputs.take("policy"))
bucket_public_access_block = bucket_setting(
    "put_public_access_block", "PublicAccessBlockConfiguration"
)
bucket_versioning = bucket_setting(
    "put_bucket_versioning",
    "VersioningConfiguration",
    lambda inputs: pascal_case(inputs.take("versioningConfiguration")),
)


def catalog_database(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name()
    tags = inputs.take("tags", {})
    clients("glue").create_database(DatabaseInput={"Name": name, **inputs.remaining()}, Tags=tags)
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:database/{name}"
    return {"id": f"{ACCOUNT}:{name}", "name": name, "catalogId": ACCOUNT, "arn": arn}


def catalog_table(clients: Clients, inputs: Inputs) -> Outputs:
    name, database = inputs.name(), inputs.take("databaseName")
    definition = {"Name": name, **inputs.remaining(serDeInfo="SerdeInfo")}
    clients("glue").create_table(DatabaseName=database, TableInput=definition)
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:table/{database}/{name}"
    id_ = f"{ACCOUNT}:{database}:{name}"
    return {"id": id_, "name": name, "catalogId": ACCOUNT, "arn": arn}


def crawler(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name()
    targets = {
        "S3Targets": pascal_case(inputs.take("s3Targets", [])),
        "CatalogTargets": pascal_case(inputs.take("catalogTargets", [])),
    }
    tags = inputs.take("tags", {})
    clients("glue").create_crawler(Name=name, Targets=targets, Tags=tags, **inputs.remaining())
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:crawler/{name}"
    return {"id": name, "name": name, "arn": arn}


def workgroup(clients: Clients, inputs: Inputs) -> Outputs:
    name, tags = inputs.name(), inputs.tags()
    inputs.take("forceDestroy")
    rest = inputs.remaining(
        enforceWorkgroupConfiguration="EnforceWorkGroupConfiguration",
        publishCloudwatchMetricsEnabled="PublishCloudWatchMetricsEnabled",
        kmsKeyArn="KmsKey",
    )
    clients("athena").create_work_group(Name=name, Tags=tags, **rest)
    arn = f"arn:aws:athena:{clients.region}:{ACCOUNT}:workgroup/{name}"
    return {"id": name, "name": name, "arn": arn}


def named_query(clients: Clients, inputs: Inputs) -> Outputs:
    name = inputs.name()
    rest = inputs.remaining(query="QueryString", workgroup="WorkGroup")
    created = clients("athena").create_named_query(Name=name, **rest)
    return {"id": created["NamedQueryId"], "name": name}


CREATORS: dict[str, Creator] = {
    "aws:athena/namedQuery:NamedQuery": named_query,
    "aws:athena/workgroup:Workgroup": workgroup,
    "aws:dynamodb/table:Table": table,
    "aws:glue/catalogDatabase:CatalogDatabase": catalog_database,
    "aws:glue/catalogTable:CatalogTable": catalog_table,
    "aws:glue/crawler:Crawler": crawler,
    "aws:s3/bucket:Bucket": bucket,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": bucket_lifecycle,
    "aws:s3/bucketNotification:BucketNotification": bucket_notification,
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": bucket_ownership_controls,
    "aws:s3/bucketPolicy:BucketPolicy": bucket_policy,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": bucket_public_access_block,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        bucket_encryption
    ),
    "aws:s3/bucketVersioning:BucketVersioning": bucket_versioning,
}
