"""S3 buckets, and the resources that set their properties."""

from abc import abstractmethod
from typing import Any, ClassVar

from local.deploy.inputs import Inputs, Outputs, camel_case, pascal_case
from local.deploy.resources.resource_type import GoneError, Properties, ResourceType, State, tag_map
from streaming_etl.stack.clients import Clients


class Bucket(ResourceType):
    token = "aws:s3/bucket:Bucket"
    replace = ("bucket", "objectLockEnabled")
    auto_name = "bucket"
    max_name = 63
    removable = ("forceDestroy", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.name("bucket")
        # Has an effect on the deletion only.
        inputs.take("forceDestroy")
        region = {"LocationConstraint": clients.region}
        location = {} if clients.region == "us-east-1" else {"CreateBucketConfiguration": region}
        clients("s3").create_bucket(Bucket=name, **location)
        set_tags(clients, name, inputs)
        return {"id": name, "bucket": name, "arn": f"arn:aws:s3:::{name}"}

    def read(self, clients: Clients, state: State) -> Properties:
        s3, name = clients("s3"), state["bucket"]
        s3.head_bucket(Bucket=name)
        try:
            tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchTagSet":
                raise
            tags = []
        return {"tags": tag_map(tags)}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        inputs.take("forceDestroy")
        set_tags(clients, state["bucket"], inputs)

    def delete(self, clients: Clients, state: State) -> None:
        if state.get("forceDestroy"):
            delete_objects(clients, state["bucket"])
        # S3 rejects the call for a bucket with objects.
        clients("s3").delete_bucket(Bucket=state["bucket"])


def set_tags(clients: Clients, bucket: str, inputs: Inputs) -> None:
    if tags := inputs.tags():
        clients("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    else:
        clients("s3").delete_bucket_tagging(Bucket=bucket)


def delete_objects(clients: Clients, bucket: str) -> None:
    """Delete all versions and delete markers."""
    s3 = clients("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
        if keys:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})


class BucketProperty(ResourceType):
    """A resource that sets one property of a bucket."""

    replace = ("bucket",)
    auto_name = None
    computed = ()
    removable = None

    @abstractmethod
    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        """Set the property."""

    @abstractmethod
    def get(self, s3: Any, bucket: str) -> Properties:
        """Return the property; raises ClientError or GoneError if it is not set."""

    @abstractmethod
    def remove(self, s3: Any, bucket: str) -> None:
        """Reset the property to S3's default."""

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        bucket = inputs.take("bucket")
        self.put(clients("s3"), bucket, inputs)
        return {"id": bucket}

    def read(self, clients: Clients, state: State) -> Properties:
        return self.get(clients("s3"), state["bucket"])

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        self.put(clients("s3"), state["bucket"], inputs)

    def delete(self, clients: Clients, state: State) -> None:
        self.remove(clients("s3"), state["bucket"])


class Encryption(BucketProperty):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    renamed: ClassVar = {"sseAlgorithm": "SSEAlgorithm", "kmsMasterKeyId": "KMSMasterKeyID"}

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        s3.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=inputs.remaining(**self.renamed)
        )

    def get(self, s3: Any, bucket: str) -> Properties:
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        return {"rules": camel_case(encryption["Rules"], **self.renamed)}

    def remove(self, s3: Any, bucket: str) -> None:
        s3.delete_bucket_encryption(Bucket=bucket)


class Lifecycle(BucketProperty):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=inputs.remaining(id="ID")
        )

    def get(self, s3: Any, bucket: str) -> Properties:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        return {"rules": camel_case(rules, id="ID")}

    def remove(self, s3: Any, bucket: str) -> None:
        s3.delete_bucket_lifecycle(Bucket=bucket)


class Logging(BucketProperty):
    token = "aws:s3/bucketLogging:BucketLogging"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        s3.put_bucket_logging(
            Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": inputs.remaining()}
        )

    def get(self, s3: Any, bucket: str) -> Properties:
        logging = s3.get_bucket_logging(Bucket=bucket)
        if "LoggingEnabled" not in logging:
            raise GoneError
        properties: Properties = camel_case(logging["LoggingEnabled"])
        return properties

    def remove(self, s3: Any, bucket: str) -> None:
        s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})


class Notification(BucketProperty):
    token = "aws:s3/bucketNotification:BucketNotification"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        notifications: dict[str, Any] = (
            {"EventBridgeConfiguration": {}} if inputs.take("eventbridge") else {}
        )
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=notifications
        )

    def get(self, s3: Any, bucket: str) -> Properties:
        notifications = s3.get_bucket_notification_configuration(Bucket=bucket)
        if "EventBridgeConfiguration" not in notifications:
            raise GoneError
        return {"eventbridge": True}

    def remove(self, s3: Any, bucket: str) -> None:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})


class OwnershipControls(BucketProperty):
    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        rules = [pascal_case(inputs.take("rule"))]
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": rules})

    def get(self, s3: Any, bucket: str) -> Properties:
        controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
        return {"rule": camel_case(controls["Rules"][0])}

    def remove(self, s3: Any, bucket: str) -> None:
        s3.delete_bucket_ownership_controls(Bucket=bucket)


class Policy(BucketProperty):
    token = "aws:s3/bucketPolicy:BucketPolicy"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        s3.put_bucket_policy(Bucket=bucket, Policy=inputs.take("policy"))

    def get(self, s3: Any, bucket: str) -> Properties:
        return {"policy": s3.get_bucket_policy(Bucket=bucket)["Policy"]}

    def remove(self, s3: Any, bucket: str) -> None:
        s3.delete_bucket_policy(Bucket=bucket)


class PublicAccessBlock(BucketProperty):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=inputs.remaining())

    def get(self, s3: Any, bucket: str) -> Properties:
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        properties: Properties = camel_case(block)
        return properties

    def remove(self, s3: Any, bucket: str) -> None:
        s3.delete_public_access_block(Bucket=bucket)


class Versioning(BucketProperty):
    token = "aws:s3/bucketVersioning:BucketVersioning"

    def put(self, s3: Any, bucket: str, inputs: Inputs) -> None:
        configuration = pascal_case(inputs.take("versioningConfiguration"))
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)

    def get(self, s3: Any, bucket: str) -> Properties:
        status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
        if status is None:
            raise GoneError
        return {"versioningConfiguration": {"status": status}}

    def remove(self, s3: Any, bucket: str) -> None:
        # Versioning cannot be removed from a bucket, only suspended.
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


TYPES = (
    Bucket(),
    Encryption(),
    Lifecycle(),
    Logging(),
    Notification(),
    OwnershipControls(),
    Policy(),
    PublicAccessBlock(),
    Versioning(),
)
