"""SNS topics, their policies and subscriptions."""

import json

from local.deploy.inputs import Inputs, Outputs, tag_list
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


class Topic(ResourceType):
    token = "aws:sns/topic:Topic"
    replace = ("name", "fifoTopic")
    max_name = 256
    removable = ("kmsMasterKeyId", "tags")

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        name, tags = inputs.name(), inputs.tags()
        key = inputs.take("kmsMasterKeyId")
        attributes = {"KmsMasterKeyId": key} if key else {}
        created = clients("sns").create_topic(Name=name, Tags=tags, Attributes=attributes)
        return {"id": created["TopicArn"], "name": name, "arn": created["TopicArn"]}

    def read(self, clients: Clients, state: State) -> Properties:
        sns, arn = clients("sns"), state["id"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        return {
            "kmsMasterKeyId": attributes.get("KmsMasterKeyId") or None,
            "tags": tag_map(sns.list_tags_for_resource(ResourceArn=arn)["Tags"]),
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        sns, arn = clients("sns"), state["id"]
        sns.set_topic_attributes(
            TopicArn=arn,
            AttributeName="KmsMasterKeyId",
            AttributeValue=inputs.take("kmsMasterKeyId") or "",
        )
        update_tags(
            state.get("tags"),
            inputs.take("tags", {}),
            lambda tags: sns.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
            lambda keys: sns.untag_resource(ResourceArn=arn, TagKeys=keys),
        )

    def delete(self, clients: Clients, state: State) -> None:
        clients("sns").delete_topic(TopicArn=state["id"])


DEFAULT_POLICY_ID = "__default_policy_ID"


class TopicPolicy(ResourceType):
    token = "aws:sns/topicPolicy:TopicPolicy"
    replace = ("arn",)
    auto_name = None
    computed = ("owner",)

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        arn = inputs.take("arn")
        set_policy(clients, arn, inputs.take("policy"))
        return {"id": arn, "owner": ACCOUNT}

    def read(self, clients: Clients, state: State) -> Properties:
        attributes = clients("sns").get_topic_attributes(TopicArn=state["id"])["Attributes"]
        if json.loads(attributes["Policy"]).get("Id") == DEFAULT_POLICY_ID:
            raise GoneError
        return {"policy": attributes["Policy"]}

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        set_policy(clients, state["id"], inputs.take("policy"))

    def delete(self, clients: Clients, state: State) -> None:
        # A topic always has a policy.
        set_policy(clients, state["id"], default_policy(state["id"]))


def set_policy(clients: Clients, topic: str, policy: str) -> None:
    clients("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="Policy", AttributeValue=policy
    )


def default_policy(topic: str) -> str:
    """Return the policy of a new topic."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "SNS:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": ACCOUNT}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": DEFAULT_POLICY_ID, "Statement": [statement]})


class TopicSubscription(ResourceType):
    token = "aws:sns/topicSubscription:TopicSubscription"
    replace = ("topic", "protocol", "endpoint")
    auto_name = None

    def create(self, clients: Clients, inputs: Inputs) -> Outputs:
        created = clients("sns").subscribe(
            TopicArn=inputs.take("topic"),
            Protocol=inputs.take("protocol"),
            Endpoint=inputs.take("endpoint"),
            ReturnSubscriptionArn=True,
        )
        arn = created["SubscriptionArn"]
        return {"id": arn, "arn": arn}

    def read(self, clients: Clients, state: State) -> Properties:
        attributes = clients("sns").get_subscription_attributes(SubscriptionArn=state["id"])
        found = attributes["Attributes"]
        return {
            "endpoint": found["Endpoint"],
            "protocol": found["Protocol"],
            "topic": found["TopicArn"],
        }

    def update(self, clients: Clients, state: State, inputs: Inputs) -> None:
        """Change nothing: every input replaces the subscription."""

    def delete(self, clients: Clients, state: State) -> None:
        clients("sns").unsubscribe(SubscriptionArn=state["id"])


TYPES = (Topic(), TopicPolicy(), TopicSubscription())
