"""What EventBridge tells of a pipeline: objects set aside and crawls that failed, one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.document import document
from streaming_etl.components.stages.references import Pipeline

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
OBJECT = {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"}
# https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
CRAWL = {"crawler": "$.detail.crawlerName"}

# A message that the topic does not take helps nobody a day later.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
RETRY_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class Happening:
    """What a rule waits for, and what it says then."""

    pattern: Mapping[str, Any]
    paths: Mapping[str, str]
    """What the message takes from the event, by the name it has there."""
    message: str


def happenings(
    bucket_name: pulumi.Input[str],
    failed_batches_path: pulumi.Input[str],
    errors_path: pulumi.Input[str],
    crawler_name: Optional[pulumi.Input[str]],
) -> dict[str, Happening]:
    """What is waited for, by the kind of its alarm."""
    found = {
        "failed-batches": Happening(
            pattern=object_created(bucket_name, failed_batches_path),
            paths=OBJECT,
            message="a batch was given up and lies whole in s3://<bucket>/<key>",
        ),
        "error-records": Happening(
            pattern=object_created(bucket_name, errors_path),
            paths=OBJECT,
            message="records were refused and lie whole in s3://<bucket>/<key>",
        ),
    }
    if crawler_name is not None:
        found["crawler-failed"] = Happening(
            pattern={
                "source": ["aws.glue"],
                "detail-type": ["Glue Crawler State Change"],
                "detail": {"crawlerName": [crawler_name], "state": ["Failed"]},
            },
            paths=CRAWL,
            message="the crawler <crawler> failed",
        )
    return found


def object_created(bucket_name: pulumi.Input[str], path: pulumi.Input[str]) -> Mapping[str, Any]:
    """An object appears below a path."""
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket_name]}, "object": {"key": [{"prefix": path}]}},
    }


def create_rules(
    pipeline: Pipeline, waited_for: Mapping[str, Happening], parent: pulumi.Resource
) -> tuple[pulumi.Output[str], dict[str, aws.cloudwatch.EventRule]]:
    """The topic that is told of each happening, its ARN, and the rules by kind.

    Nobody is subscribed to this topic: the alarms ring once on the rules' own metric, where this
    would send a message for every object of an outage.
    """
    name, tags = f"{pipeline.name}-watch", dict(pipeline.tags)
    opts = pulumi.ResourceOptions(parent=parent)
    topic = aws.sns.Topic(f"{name}-topic", tags=tags, opts=opts)
    rules = {
        kind: aws.cloudwatch.EventRule(
            f"{name}-{kind}",
            event_pattern=document(happening.pattern),
            tags=tags,
            opts=opts,
        )
        for kind, happening in waited_for.items()
    }
    policy = create_policy(f"{name}-topic-policy", topic, rules, parent)
    for kind, happening in waited_for.items():
        aws.cloudwatch.EventTarget(
            f"{name}-{kind}-target",
            rule=rules[kind].name,
            arn=topic.arn,
            input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths=dict(happening.paths),
                # EventBridge wants a text in quotes.
                input_template=f'"{pipeline.name}: {happening.message}"',
            ),
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=RETRY_SECONDS, maximum_retry_attempts=10
            ),
            opts=pulumi.ResourceOptions(parent=parent, depends_on=[policy]),
        )
    return topic.arn, rules


def create_policy(
    name: str,
    topic: aws.sns.Topic,
    rules: Mapping[str, aws.cloudwatch.EventRule],
    parent: pulumi.Resource,
) -> aws.sns.TopicPolicy:
    """These rules may publish to the topic, and nothing else.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    """
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic.arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": [rule.arn for rule in rules.values()]}},
    }
    return aws.sns.TopicPolicy(
        name,
        arn=topic.arn,
        policy=iam.policy([publish]),
        opts=pulumi.ResourceOptions(parent=parent),
    )
