"""DynamoDB tables."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Inputs, Outputs, pascal_case, tag_list
from local.deploy.resources.resource_type import (
    Properties,
    ResourceType,
    State,
    replacement_required,
    tag_map,
    update_tags,
)
from streaming_etl.stack.clients import Clients


class Table(ResourceType):
    token = "aws:dynamodb/table:Table"
    replace = ("name", "hashKey", "rangeKey")
    # Unless an index changes, too.
    ignored = ("attributes",)
    max_name = 255
    computed = ("arn", "streamArn")
    removable = None

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.name()
        keys = {inputs.take("hashKey"): "HASH", inputs.take("rangeKey"): "RANGE"}
        described = clients("dynamodb").create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
                for attribute in inputs.take("attributes")
            ],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in keys.items() if key
            ],
            Tags=inputs.tags(),
            **capacity(inputs),
            # ministack creates a stream for any specification.
            **(streams if (streams := stream(inputs)) != NO_STREAM else {}),
            SSESpecification=encryption(inputs),
            DeletionProtectionEnabled=inputs.take("deletionProtectionEnabled", False),
        )["TableDescription"]
        if recovery := inputs.take("pointInTimeRecovery"):
            set_recovery(clients, name, recovery)
        if ttl := inputs.take("ttl"):
            set_ttl(clients, name, ttl)
        arn, stream_arn = described["TableArn"], described.get("LatestStreamArn", "")
        return {"id": name, "name": name, "arn": arn, "streamArn": stream_arn}

    def read(self, clients: Clients, state: State) -> Properties:
        dynamodb, name = clients("dynamodb"), state["name"]
        table = dynamodb.describe_table(TableName=name)["Table"]
        backups = dynamodb.describe_continuous_backups(TableName=name)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        units = table.get("ProvisionedThroughput", {})
        streams = table.get("StreamSpecification", {})
        billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        recovers = recovery["PointInTimeRecoveryStatus"] == "ENABLED"
        expires = ttl["TimeToLiveStatus"] == "ENABLED"
        encrypted = table.get("SSEDescription", {})
        key = {"enabled": True, "kmsKeyArn": encrypted.get("KMSMasterKeyArn")}
        return {
            "billingMode": billing,
            "readCapacity": units.get("ReadCapacityUnits") or None,
            "writeCapacity": units.get("WriteCapacityUnits") or None,
            "deletionProtectionEnabled": table["DeletionProtectionEnabled"],
            "pointInTimeRecovery": {"enabled": recovers},
            "ttl": {"enabled": True, "attributeName": ttl["AttributeName"]} if expires else None,
            "serverSideEncryption": key if encrypted.get("Status") == "ENABLED" else None,
            "streamEnabled": streams.get("StreamEnabled", False),
            "streamViewType": streams.get("StreamViewType"),
            "streamArn": table.get("LatestStreamArn", ""),
            "tags": tag_map(dynamodb.list_tags_of_resource(ResourceArn=state["arn"])["Tags"]),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> Outputs:
        dynamodb, name = clients("dynamodb"), state["name"]
        changes = {"DeletionProtectionEnabled": inputs.take("deletionProtectionEnabled", False)}
        previous = Inputs(self.token, name, state)
        # The provider does not replace the table for it, and DynamoDB has no such update.
        if inputs.take("attributes") != previous.take("attributes"):
            raise replacement_required(self.token, name, ["attributes"])
        # DynamoDB rejects a capacity or a stream that remains as it is.
        if (units := capacity(inputs)) != capacity(previous):
            changes |= units
        if (new_stream := stream(inputs)) != (old_stream := stream(previous)):
            changes |= new_stream
            if old_stream != NO_STREAM and new_stream != NO_STREAM:
                # The view type of an enabled stream is fixed.
                dynamodb.update_table(TableName=name, **NO_STREAM)
        if (encrypted := encryption(inputs)) != encryption(previous):
            changes |= {"SSESpecification": encrypted}
        dynamodb.update_table(TableName=name, **changes)
        set_recovery(clients, name, inputs.take("pointInTimeRecovery") or {"enabled": False})
        old_ttl, ttl = state.get("ttl") or {}, inputs.take("ttl") or {}
        if ttl != old_ttl:
            set_ttl(clients, name, ttl or {**old_ttl, "enabled": False})
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: dynamodb.tag_resource(ResourceArn=state["arn"], Tags=tag_list(tags)),
            lambda keys: dynamodb.untag_resource(ResourceArn=state["arn"], TagKeys=keys),
        )
        table = dynamodb.describe_table(TableName=name)["Table"]
        return {"streamArn": table.get("LatestStreamArn", "")}

    def delete(self, clients: Clients, state: State) -> None:
        # With deletion protection DynamoDB rejects the call.
        clients("dynamodb").delete_table(TableName=state["name"])


NO_STREAM = {"StreamSpecification": {"StreamEnabled": False}}


def capacity(inputs: Inputs) -> dict[str, Any]:
    """Return billing mode and provisioned capacity of CreateTable and UpdateTable."""
    reads, writes = inputs.take("readCapacity"), inputs.take("writeCapacity")
    units = {"ReadCapacityUnits": reads, "WriteCapacityUnits": writes}
    return {
        "BillingMode": inputs.take("billingMode", "PROVISIONED"),
        **({"ProvisionedThroughput": units} if reads else {}),
    }


def stream(inputs: Inputs) -> dict[str, Any]:
    """Return the stream of CreateTable and UpdateTable."""
    enabled, view = inputs.take("streamEnabled"), inputs.take("streamViewType")
    specification = {"StreamEnabled": True, "StreamViewType": view}
    return {"StreamSpecification": specification} if enabled else NO_STREAM


def encryption(inputs: Inputs) -> dict[str, Any]:
    """Return the encryption of CreateTable and UpdateTable."""
    options = inputs.take("serverSideEncryption") or {"enabled": False}
    encrypted: dict[str, Any] = pascal_case(options, kmsKeyArn="KMSMasterKeyId")
    return {**encrypted, "SSEType": "KMS"} if encrypted["Enabled"] else encrypted


def set_recovery(clients: Clients, table: str, recovery: Mapping[str, Any]) -> None:
    clients("dynamodb").update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification=pascal_case(
            recovery, enabled="PointInTimeRecoveryEnabled"
        ),
    )


def set_ttl(clients: Clients, table: str, ttl: Mapping[str, Any]) -> None:
    clients("dynamodb").update_time_to_live(
        TableName=table, TimeToLiveSpecification=pascal_case(ttl)
    )


TYPES = (Table(),)
