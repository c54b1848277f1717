"""Athena workgroups and named queries."""

from collections.abc import Mapping
from typing import Any

from local.deploy.inputs import Inputs, Outputs, camel_case, tag_list
from local.deploy.resources.resource_type import (
    GoneError,
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from local.emulator.process import ACCOUNT
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

RENAMED = {
    "enforceWorkgroupConfiguration": "EnforceWorkGroupConfiguration",
    "publishCloudwatchMetricsEnabled": "PublishCloudWatchMetricsEnabled",
    "kmsKeyArn": "KmsKey",
}


class Workgroup(ResourceType):
    token = "aws:athena/workgroup:Workgroup"
    max_name = 128
    removable = ("forceDestroy", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.tags()
        # Has an effect on the deletion only.
        inputs.take("forceDestroy")
        clients("athena").create_work_group(Name=name, Tags=tags, **inputs.remaining(**RENAMED))
        arn = f"arn:aws:athena:{clients.region}:{ACCOUNT}:workgroup/{name}"
        return {"id": name, "name": name, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        athena = clients("athena")
        workgroup = existing_workgroup(clients, state["name"])
        tags = athena.list_tags_for_resource(ResourceARN=state["arn"])["Tags"]
        configuration = camel_case(workgroup["Configuration"], **RENAMED)
        if managed := workgroup["Configuration"].get("ManagedQueryResultsConfiguration"):
            # The provider has another name for this key.
            configuration["managedQueryResultsConfiguration"] = camel_case(managed)
        return {
            "configuration": configuration,
            "description": workgroup.get("Description") or None,
            "tags": tag_map(tags),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        athena, arn, tags = clients("athena"), state["arn"], inputs.take("tags", {})
        inputs.take("forceDestroy")
        rest = inputs.remaining(**RENAMED)
        configuration = rest.pop("Configuration", {})
        result = configuration.pop("ResultConfiguration", None)
        managed = configuration.pop("ManagedQueryResultsConfiguration", {"Enabled": False})
        removed = {"RemoveOutputLocation": True, "RemoveEncryptionConfiguration": True}
        athena.update_work_group(
            WorkGroup=state["name"],
            ConfigurationUpdates={
                **configuration,
                "ResultConfigurationUpdates": removed if result is None else result,
                "ManagedQueryResultsConfigurationUpdates": managed,
            },
            **rest,
        )
        update_tags(
            state.get("tags"),
            tags,
            lambda tags: athena.tag_resource(ResourceARN=arn, Tags=tag_list(tags)),
            lambda keys: athena.untag_resource(ResourceARN=arn, TagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        athena, name = clients("athena"), state["name"]
        existing_workgroup(clients, name)
        force = bool(state.get("forceDestroy"))
        queries = athena.list_named_queries(WorkGroup=name)["NamedQueryIds"]
        executions = athena.list_query_executions(WorkGroup=name)["QueryExecutionIds"]
        # ministack deletes a workgroup with its content silently; AWS does so on request only.
        if not force and (queries or executions):
            raise CommandError(
                f"Athena cannot delete the workgroup {name}, which has {len(queries)} saved "
                f"queries and {len(executions)} query executions. Set `force_destroy`.",
                code="workgroup-not-empty",
                name=name,
                queries=len(queries),
                executions=len(executions),
            )
        for query in queries:
            athena.delete_named_query(NamedQueryId=query)
        athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=force)


def existing_workgroup(clients: Clients, name: str) -> Mapping[str, Any]:
    """Return a workgroup; raises GoneError if it does not exist."""
    athena = clients("athena")
    try:
        workgroup: Mapping[str, Any] = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    except athena.exceptions.InvalidRequestException:
        # Athena has no separate error code for it.
        raise GoneError from None
    return workgroup


class NamedQuery(ResourceType):
    token = "aws:athena/namedQuery:NamedQuery"
    replace = ("name", "database", "description", "query", "workgroup")
    max_name = 128
    computed = ()

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name = inputs.name()
        rest = inputs.remaining(query="QueryString", workgroup="WorkGroup")
        created = clients("athena").create_named_query(Name=name, **rest)
        return {"id": created["NamedQueryId"], "name": name}

    def read(self, clients: Clients, state: State) -> Properties:
        athena = clients("athena")
        try:
            query = athena.get_named_query(NamedQueryId=state["id"])["NamedQuery"]
        except athena.exceptions.InvalidRequestException:
            raise GoneError from None
        return {
            "database": query["Database"],
            "description": query.get("Description") or None,
            "query": query["QueryString"],
            "workgroup": query["WorkGroup"],
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        """Change nothing: every input replaces the query."""

    def delete(self, clients: Clients, state: State) -> None:
        clients("athena").delete_named_query(NamedQueryId=state["id"])


TYPES = (Workgroup(), NamedQuery())
