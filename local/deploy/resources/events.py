"""EventBridge rules and their targets."""

from local.deploy.inputs import Inputs, Outputs, camel_case, pascal_case, tag_list
from local.deploy.resources.resource_type import (
    GoneError,
    Properties,
    ResourceType,
    State,
    tag_map,
    update_tags,
)
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError


class Rule(ResourceType):
    token = "aws:cloudwatch/eventRule:EventRule"
    replace = ("name", "eventBusName")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.tags()
        created = clients("events").put_rule(Name=name, Tags=tags, **inputs.remaining())
        return {"id": name, "name": name, "arn": created["RuleArn"]}

    def read(self, clients: Clients, state: State) -> Properties:
        events = clients("events")
        rule = events.describe_rule(Name=state["name"])
        keys = ("Description", "EventPattern", "ScheduleExpression")
        properties: Properties = camel_case({key: rule.get(key) or None for key in keys})
        tags = events.list_tags_for_resource(ResourceARN=state["arn"])["Tags"]
        return {**properties, "tags": tag_map(tags)}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        events, tags = clients("events"), inputs.take("tags", {})
        events.put_rule(Name=state["name"], **inputs.remaining())
        update_tags(
            state.get("tags"),
            tags,
            lambda tags: events.tag_resource(ResourceARN=state["arn"], Tags=tag_list(tags)),
            lambda keys: events.untag_resource(ResourceARN=state["arn"], TagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("events").delete_rule(Name=state["name"])


class Target(ResourceType):
    token = "aws:cloudwatch/eventTarget:EventTarget"
    replace = ("rule", "targetId", "eventBusName")
    auto_name = None
    computed = ("targetId",)

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        rule, target = inputs.take("rule"), inputs.take("targetId") or inputs.logical_name
        put_target(clients, rule, target, inputs)
        return {"id": f"{rule}-{target}", "targetId": target}

    def read(self, clients: Clients, state: State) -> Properties:
        targets = clients("events").list_targets_by_rule(Rule=state["rule"])["Targets"]
        for target in targets:
            if target["Id"] == state["targetId"]:
                return {
                    "arn": target["Arn"],
                    "inputTransformer": camel_case(
                        target.get("InputTransformer"), inputPaths="InputPathsMap"
                    ),
                    "retryPolicy": camel_case(target.get("RetryPolicy")),
                }
        raise GoneError

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        put_target(clients, state["rule"], state["targetId"], inputs)

    def delete(self, clients: Clients, state: State) -> None:
        clients("events").remove_targets(Rule=state["rule"], Ids=[state["targetId"]])


def put_target(clients: Clients, rule: str, target: str, inputs: Inputs) -> None:
    transformer = inputs.take("inputTransformer")
    definition = {
        "Id": target,
        "Arn": inputs.take("arn"),
        "InputTransformer": {
            "InputPathsMap": transformer["inputPaths"],
            "InputTemplate": transformer["inputTemplate"],
        },
        "RetryPolicy": pascal_case(inputs.take("retryPolicy")),
    }
    response = clients("events").put_targets(Rule=rule, Targets=[definition])
    if failures := response["FailedEntries"]:
        raise CommandError(
            f"EventBridge rejects the target {target}: {failures}",
            code="invalid-event-target",
            failures=failures,
        )


TYPES = (Rule(), Target())
