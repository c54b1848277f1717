"""Glue databases, tables and crawlers."""

import json
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case, pascal_case
from local.deploy.resources.resource_type import Properties, ResourceType, State, update_tags
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients


class Database(ResourceType):
    token = "aws:glue/catalogDatabase:CatalogDatabase"
    replace = ("name", "catalogId")
    max_name = 255
    computed = ("arn", "catalogId")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.take("tags", {})
        definition = {"Name": name, **inputs.remaining()}
        clients("glue").create_database(DatabaseInput=definition, Tags=tags)
        arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:database/{name}"
        return {"id": f"{ACCOUNT}:{name}", "name": name, "catalogId": ACCOUNT, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        database = clients("glue").get_database(Name=state["name"])["Database"]
        keys = ("Description", "LocationUri", "Parameters")
        properties: Properties = camel_case({key: database.get(key) or None for key in keys})
        return {**properties, "tags": read_tags(clients, state)}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        tags, name = inputs.take("tags", {}), state["name"]
        definition = {"Name": name, **inputs.remaining()}
        clients("glue").update_database(Name=name, DatabaseInput=definition)
        write_tags(clients, state, tags)

    def delete(self, clients: Clients, state: State) -> None:
        # Deletes the tables, too.
        clients("glue").delete_database(Name=state["name"])


class Table(ResourceType):
    token = "aws:glue/catalogTable:CatalogTable"
    replace = (
        "name",
        "databaseName",
        "catalogId",
        "openTableFormatInput.icebergInput.metadataOperation",
        "openTableFormatInput.icebergInput.version",
        "partitionIndices",
    )
    max_name = 255
    computed = ("arn", "catalogId")
    removable = ("parameters", "partitionKeys")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, database = inputs.name(), inputs.take("databaseName")
        if open_format := inputs.take("openTableFormatInput"):
            take_iceberg_table_type(inputs)
            clients("glue").create_table(
                DatabaseName=database, Name=name, OpenTableFormatInput=iceberg_input(open_format)
            )
        else:
            clients("glue").create_table(DatabaseName=database, TableInput=definition(name, inputs))
        arn = f"arn:aws:glue:{clients.region}:{ACCOUNT}:table/{database}/{name}"
        id_ = f"{ACCOUNT}:{database}:{name}"
        return {"id": id_, "name": name, "catalogId": ACCOUNT, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        table = clients("glue").get_table(DatabaseName=state["databaseName"], Name=state["name"])
        if "openTableFormatInput" in state:
            # As in the provider, the input stays as it is. What Glue derives from it is omitted.
            return {}
        keys = (
            "Description",
            "Owner",
            "Parameters",
            "PartitionKeys",
            "StorageDescriptor",
            "TableType",
            "ViewExpandedText",
            "ViewOriginalText",
        )
        found = {key: table["Table"].get(key) or None for key in keys}
        properties: Properties = camel_case(found, serDeInfo="SerdeInfo")
        return properties

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        database, name = state["databaseName"], state["name"]
        if open_format := inputs.take("openTableFormatInput"):
            take_iceberg_table_type(inputs)
            clients("glue").update_table(
                DatabaseName=database,
                Name=name,
                UpdateOpenTableFormatInput=iceberg_update(open_format),
            )
        else:
            clients("glue").update_table(DatabaseName=database, TableInput=definition(name, inputs))

    def delete(self, clients: Clients, state: State) -> None:
        clients("glue").delete_table(DatabaseName=state["databaseName"], Name=state["name"])


def definition(name: str, inputs: Inputs) -> dict[str, Any]:
    """Return a TableInput; ministack keeps what an update does not contain."""
    rest = inputs.remaining(serDeInfo="SerdeInfo")
    return {"Name": name, "Parameters": {}, "PartitionKeys": [], **rest}


def take_iceberg_table_type(inputs: Inputs) -> None:
    """Ignore the table type, which the provider does not send."""
    if inputs.take("tableType", "EXTERNAL_TABLE") != "EXTERNAL_TABLE":
        raise ValueError("an Iceberg table is an EXTERNAL_TABLE")


def iceberg_input(open_format: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenTableFormatInput."""
    iceberg = open_format["icebergInput"]
    rest = {key: value for key, value in iceberg.items() if key != "icebergTableInput"}
    table = iceberg_table_input(iceberg["icebergTableInput"])
    return {"IcebergInput": {**pascal_case(rest), "CreateIcebergTableInput": table}}


def iceberg_update(open_format: dict[str, Any]) -> dict[str, Any]:
    """Return an UpdateOpenTableFormatInput with all of the table's input."""
    update = iceberg_table_input(open_format["icebergInput"]["icebergTableInput"])
    return {"UpdateIcebergInput": {"UpdateIcebergTableInput": {"Updates": [update]}}}


def iceberg_table_input(table: dict[str, Any]) -> dict[str, Any]:
    """Return the input with documents as data; boto3 rejects unknown keys."""
    properties = {"Properties": table["properties"]} if "properties" in table else {}
    fields = [
        {**pascal_case(field), "Type": json.loads(field["type"])}
        for field in table["schema"]["fields"]
    ]
    rest = {key: value for key, value in table.items() if key not in ("properties", "schema")}
    schema = {**pascal_case(table["schema"]), "Fields": fields}
    return {**pascal_case(rest), **properties, "Schema": schema}


class Crawler(ResourceType):
    token = "aws:glue/crawler:Crawler"
    max_name = 255
    removable = ("catalogTargets", "s3Targets", "securityConfiguration", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.take("tags", {})
        clients("glue").create_crawler(
            Name=name, Targets=targets(inputs), **inputs.remaining(**CRAWLER_RENAMED)
        )
        outputs = {"name": name, "arn": f"arn:aws:glue:{clients.region}:{ACCOUNT}:crawler/{name}"}
        # ministack loses the tags of CreateCrawler.
        write_tags(clients, outputs, tags)
        return {"id": name, **outputs}

    def read(self, clients: Clients, state: State) -> Properties:
        crawler = clients("glue").get_crawler(Name=state["name"])["Crawler"]
        keys = (
            "Configuration",
            "CrawlerSecurityConfiguration",
            "DatabaseName",
            "Description",
            "Role",
            "SchemaChangePolicy",
        )
        found = {key: crawler.get(key) or None for key in keys}
        properties: Properties = camel_case({**found, **crawler["Targets"]}, **CRAWLER_RENAMED)
        return {
            **properties,
            "schedule": crawler.get("Schedule", {}).get("ScheduleExpression"),
            "tags": read_tags(clients, state),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        tags = inputs.take("tags", {})
        clients("glue").update_crawler(
            Name=state["name"],
            Targets=targets(inputs),
            # Glue removes the configuration of an empty name.
            **{"CrawlerSecurityConfiguration": "", **inputs.remaining(**CRAWLER_RENAMED)},
        )
        write_tags(clients, state, tags)

    def delete(self, clients: Clients, state: State) -> None:
        clients("glue").delete_crawler(Name=state["name"])


CRAWLER_RENAMED = {"securityConfiguration": "CrawlerSecurityConfiguration"}


def targets(inputs: Inputs) -> dict[str, Any]:
    return {
        "S3Targets": pascal_case(inputs.take("s3Targets", [])),
        "CatalogTargets": pascal_case(inputs.take("catalogTargets", [])),
    }


def read_tags(clients: Clients, state: State) -> dict[str, str] | None:
    return clients("glue").get_tags(ResourceArn=state["arn"])["Tags"] or None


def write_tags(clients: Clients, state: State, tags: dict[str, str]) -> None:
    glue, arn = clients("glue"), state["arn"]
    update_tags(
        state.get("tags"),
        tags,
        lambda tags: glue.tag_resource(ResourceArn=arn, TagsToAdd=tags),
        lambda keys: glue.untag_resource(ResourceArn=arn, TagsToRemove=keys),
    )


class SecurityConfiguration(ResourceType):
    token = "aws:glue/securityConfiguration:SecurityConfiguration"
    replace = ("name", "encryptionConfiguration")
    max_name = 255
    computed = ()

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, modes = inputs.name(), inputs.take("encryptionConfiguration")
        # The API has a list of modes for S3.
        configuration = {**modes, "s3Encryption": [modes["s3Encryption"]]}
        clients("glue").create_security_configuration(
            Name=name, EncryptionConfiguration=pascal_case(configuration, **MODES)
        )
        return {"id": name, "name": name}

    def read(self, clients: Clients, state: State) -> Properties:
        found = clients("glue").get_security_configuration(Name=state["name"])
        modes = camel_case(
            found["SecurityConfiguration"]["EncryptionConfiguration"],
            **MODES,
        )
        return {"encryptionConfiguration": {**modes, "s3Encryption": modes["s3Encryption"][0]}}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        """Change nothing: every input replaces the configuration."""

    def delete(self, clients: Clients, state: State) -> None:
        clients("glue").delete_security_configuration(Name=state["name"])


MODES = {
    "cloudwatchEncryption": "CloudWatchEncryption",
    "cloudwatchEncryptionMode": "CloudWatchEncryptionMode",
}

TYPES = (Database(), Table(), Crawler(), SecurityConfiguration())
