"""Creators of what holds data: DynamoDB, S3, Glue, Athena."""

from local.deploy.creators import Outputs, creates
from local.deploy.inputs import Inputs, pascal
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients


@creates("aws:dynamodb/table:Table")
def table(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    keys = {given.take("hashKey"): "HASH", given.take("rangeKey"): "RANGE"}
    capacity = {
        "ReadCapacityUnits": given.take("readCapacity"),
        "WriteCapacityUnits": given.take("writeCapacity"),
    }
    optional = {"ProvisionedThroughput": capacity} if capacity["ReadCapacityUnits"] else {}
    if given.take("streamEnabled"):
        view = given.take("streamViewType")
        optional["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    described = clients("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in given.take("attributes")
        ],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items() if key],
        BillingMode=given.take("billingMode", "PROVISIONED"),
        DeletionProtectionEnabled=given.take("deletionProtectionEnabled", False),
        Tags=given.tags(),
        **optional,
    )["TableDescription"]
    recovery = given.take("pointInTimeRecovery")
    if recovery:
        clients("dynamodb").update_continuous_backups(
            TableName=name,
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": recovery["enabled"]},
        )
    ttl = given.take("ttl")
    if ttl:
        specification = pascal(ttl)
        clients("dynamodb").update_time_to_live(
            TableName=name, TimeToLiveSpecification=specification
        )
    arn, stream = described["TableArn"], described.get("LatestStreamArn", "")
    return {"id": name, "name": name, "arn": arn, "streamArn": stream}


@creates("aws:s3/bucket:Bucket")
def bucket(clients: Clients, given: Inputs) -> Outputs:
    name = given.name("bucket")
    # Only a `pulumi destroy` would ask for it.
    given.take("forceDestroy")
    configuration = {"LocationConstraint": clients.region}
    location = {} if clients.region == "us-east-1" else {"CreateBucketConfiguration": configuration}
    clients("s3").create_bucket(Bucket=name, **location)
    tags = given.tags()
    if tags:
        clients("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    return {"id": name, "bucket": name, "arn": f"arn:aws:s3:::{name}"}


@creates("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def bucket_public_access_block(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    clients("s3").put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=given.rest())
    return {"id": name}


@creates("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def bucket_ownership_controls(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    controls = {"Rules": [pascal(given.take("rule"))]}
    clients("s3").put_bucket_ownership_controls(Bucket=name, OwnershipControls=controls)
    return {"id": name}


@creates("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def bucket_encryption(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    clients("s3").put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration=given.rest(
            sseAlgorithm="SSEAlgorithm", kmsMasterKeyId="KMSMasterKeyID"
        ),
    )
    return {"id": name}


@creates("aws:s3/bucketVersioning:BucketVersioning")
def bucket_versioning(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    configuration = pascal(given.take("versioningConfiguration"))
    clients("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration=configuration)
    return {"id": name}


@creates("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def bucket_lifecycle(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    configuration = given.rest(id="ID")
    clients("s3").put_bucket_lifecycle_configuration(
        Bucket=name, LifecycleConfiguration=configuration
    )
    return {"id": name}


@creates("aws:s3/bucketPolicy:BucketPolicy")
def bucket_policy(clients: Clients, given: Inputs) -> Outputs:
    name = given.take("bucket")
    clients("s3").put_bucket_policy(Bucket=name, Policy=given.take("policy"))
    return {"id": name}


@creates("aws:glue/catalogDatabase:CatalogDatabase")
def catalog_database(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    tags = given.take("tags", {})
    clients("glue").create_database(DatabaseInput={"Name": name, **given.rest()}, Tags=tags)
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:database/{name}"
    return {"id": f"{ACCOUNT}:{name}", "name": name, "catalogId": ACCOUNT, "arn": arn}


@creates("aws:glue/catalogTable:CatalogTable")
def catalog_table(clients: Clients, given: Inputs) -> Outputs:
    name, database = given.name(), given.take("databaseName")
    definition = {"Name": name, **given.rest(serDeInfo="SerdeInfo")}
    clients("glue").create_table(DatabaseName=database, TableInput=definition)
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:table/{database}/{name}"
    id_ = f"{ACCOUNT}:{database}:{name}"
    return {"id": id_, "name": name, "catalogId": ACCOUNT, "arn": arn}


@creates("aws:glue/crawler:Crawler")
def crawler(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    targets = {
        "S3Targets": pascal(given.take("s3Targets", [])),
        "CatalogTargets": pascal(given.take("catalogTargets", [])),
    }
    tags = given.take("tags", {})
    clients("glue").create_crawler(Name=name, Targets=targets, Tags=tags, **given.rest())
    arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:crawler/{name}"
    return {"id": name, "name": name, "arn": arn}


@creates("aws:athena/workgroup:Workgroup")
def workgroup(clients: Clients, given: Inputs) -> Outputs:
    name, tags = given.name(), given.tags()
    given.take("forceDestroy")
    rest = given.rest(
        enforceWorkgroupConfiguration="EnforceWorkGroupConfiguration",
        publishCloudwatchMetricsEnabled="PublishCloudWatchMetricsEnabled",
        kmsKeyArn="KmsKey",
    )
    clients("athena").create_work_group(Name=name, Tags=tags, **rest)
    arn = f"arn:aws:athena:{clients.region}:{ACCOUNT}:workgroup/{name}"
    return {"id": name, "name": name, "arn": arn}


@creates("aws:athena/namedQuery:NamedQuery")
def named_query(clients: Clients, given: Inputs) -> Outputs:
    name = given.name()
    rest = given.rest(query="QueryString", workgroup="WorkGroup")
    created = clients("athena").create_named_query(Name=name, **rest)
    return {"id": created["NamedQueryId"], "name": name}
