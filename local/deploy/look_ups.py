"""Look-ups of the Pulumi program: account, region, partition and existing tables."""

from collections.abc import Mapping
from typing import Any

from local.deploy.existing_tables import Definitions, described
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError


def look_up(
    clients: Clients,
    token: str,
    arguments: Mapping[str, Any],
    definitions: Definitions,
    stack: str,
) -> dict[str, Any]:
    """Return the result of one look-up.

    definitions: of existing tables, which are created on the first look-up. stack: for messages.
    Raises CommandError for an unknown look-up, or a table without a definition.
    """
    match token:
        case "aws:index/getCallerIdentity:getCallerIdentity":
            arn = f"arn:aws:iam::{ACCOUNT}:root"
            return {"id": ACCOUNT, "accountId": ACCOUNT, "arn": arn, "userId": ACCOUNT}
        case "aws:index/getRegion:getRegion":
            return {"id": clients.region, "region": clients.region, "name": clients.region}
        case "aws:index/getPartition:getPartition":
            return {"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com"}
        case "aws:dynamodb/getTable:getTable":
            return existing_table(clients, arguments["name"], definitions, stack)
    raise CommandError(
        f"The embedded AWS does not support the call {token}. Add it to local/deploy/look_ups.py.",
        code="unknown-call",
        token=token,
    )


def existing_table(
    clients: Clients, name: str, definitions: Definitions, stack: str
) -> dict[str, Any]:
    """Return what getTable returns for a DynamoDB table."""
    table = described(clients, name, definitions, stack)
    stream = table.get("StreamSpecification", {})
    backups = clients("dynamodb").describe_continuous_backups(TableName=name)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    key = table.get("SSEDescription", {}).get("KMSMasterKeyArn", "")
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    return {
        "id": name,
        "name": name,
        "hashKey": keys["HASH"],
        "rangeKey": keys.get("RANGE", ""),
        "attributes": [
            {"name": one["AttributeName"], "type": one["AttributeType"]}
            for one in table["AttributeDefinitions"]
        ],
        "arn": table["TableArn"],
        "pointInTimeRecovery": {
            "enabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED",
            "recoveryPeriodInDays": recovery.get("RecoveryPeriodInDays", 0),
        },
        "serverSideEncryption": {"enabled": key != "", "kmsKeyArn": key},
        "streamArn": table.get("LatestStreamArn", ""),
        "streamEnabled": stream.get("StreamEnabled", False),
        "streamViewType": stream.get("StreamViewType", ""),
    }
