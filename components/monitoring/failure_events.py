"""SNS messages for each dead-lettered object, failed crawl and failed merge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from streaming_etl.components.stages import iam
from streaming_etl.components.stages.references import PipelineContext

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
OBJECT_PATHS = {"bucket": "$.detail.bucket.name", "key": "$.detail.object.key"}
# https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
CRAWLER_PATHS = {"crawler": "$.detail.crawlerName"}
# https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
EXECUTION_PATHS = {"execution": "$.detail.executionArn", "status": "$.detail.status"}

# The default is 24 hours; replay reads the objects, so a late message is of no use.
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
RETRY_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class FailureEvent:
    """The event pattern of a rule, and its message."""

    pattern: Mapping[str, Any]
    input_paths: Mapping[str, str]
    """JSON paths of the event's values, by their placeholder in the message."""
    message: str


def failure_events(
    bucket_name: pulumi.Input[str],
    dead_letter_paths: Sequence[pulumi.Input[str]],
    crawler_names: Sequence[pulumi.Input[str]],
    merge_state_machines: Sequence[pulumi.Input[str]] = (),
) -> dict[str, FailureEvent]:
    """Return the events by the name of their alarm.

    dead_letter_paths: key prefixes of failed batches and error records.
    merge_state_machines: their ARNs.
    """
    events = {
        "dead-lettered": FailureEvent(
            pattern=object_created(bucket_name, *dead_letter_paths),
            input_paths=OBJECT_PATHS,
            message="dead-lettered object s3://<bucket>/<key>",
        ),
    }
    if crawler_names:
        events["crawler-failed"] = FailureEvent(
            pattern={
                "source": ["aws.glue"],
                "detail-type": ["Glue Crawler State Change"],
                "detail": {"crawlerName": list(crawler_names), "state": ["Failed"]},
            },
            input_paths=CRAWLER_PATHS,
            message="the crawler <crawler> failed",
        )
    if merge_state_machines:
        events["merge-failed"] = FailureEvent(
            pattern={
                "source": ["aws.states"],
                "detail-type": ["Step Functions Execution Status Change"],
                "detail": {
                    "stateMachineArn": list(merge_state_machines),
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            },
            input_paths=EXECUTION_PATHS,
            message="the merge <execution> ended as <status>",
        )
    return events


def object_created(bucket_name: pulumi.Input[str], *paths: pulumi.Input[str]) -> Mapping[str, Any]:
    """Return the pattern of new objects below any of the paths."""
    keys = [{"prefix": path} for path in paths]
    return {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [bucket_name]}, "object": {"key": keys}},
    }


def create_rules(
    pipeline: PipelineContext, events: Mapping[str, FailureEvent], parent: pulumi.Resource
) -> tuple[pulumi.Output[str], dict[str, aws.cloudwatch.EventRule]]:
    """Create topic and rules; return the topic's ARN and the rules.

    The topic has no subscription: an outage dead-letters many objects, and the alarms on the rules
    notify once.
    """
    name, tags = f"{pipeline.name}-watch", dict(pipeline.tags)
    opts = pulumi.ResourceOptions(parent=parent)
    key = pipeline.args.kms_key_arn
    topic = aws.sns.Topic(f"{name}-topic", kms_master_key_id=key, tags=tags, opts=opts)
    rules = {
        event_name: aws.cloudwatch.EventRule(
            f"{name}-{event_name}",
            event_pattern=pulumi.Output.json_dumps(event.pattern),
            tags=tags,
            opts=opts,
        )
        for event_name, event in events.items()
    }
    # Without a Condition, because AWS's pages disagree whether EventBridge publishes to a topic
    # whose policy has one, and a lost message is worse than a false one: a rule of another account
    # could publish here, if its owner knew the topic's random name.
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html
    publish = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic.arn,
    }
    policy = aws.sns.TopicPolicy(
        f"{name}-topic-policy", arn=topic.arn, policy=iam.policy([publish]), opts=opts
    )
    for event_name, event in events.items():
        aws.cloudwatch.EventTarget(
            f"{name}-{event_name}-target",
            rule=rules[event_name].name,
            # The policy's ARN, so that the target waits for the policy.
            arn=policy.arn,
            input_transformer=aws.cloudwatch.EventTargetInputTransformerArgs(
                input_paths=dict(event.input_paths),
                # EventBridge requires quotes around a text.
                input_template=f'"{pipeline.name}: {event.message}"',
            ),
            retry_policy=aws.cloudwatch.EventTargetRetryPolicyArgs(
                maximum_event_age_in_seconds=RETRY_SECONDS, maximum_retry_attempts=10
            ),
            opts=opts,
        )
    return topic.arn, rules
