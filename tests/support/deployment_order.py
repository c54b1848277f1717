"""Rules for what AWS needs before the creation of a resource.

A rule refers to types and inputs and not to names of the project, so it holds for every pipeline.
For deletions it holds in the reverse order.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streaming_etl.stack.recorder import Graph, provider_outputs

ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
BUCKET = "aws:s3/bucket:Bucket"
BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
CRAWLER = "aws:glue/crawler:Crawler"
DATABASE = "aws:glue/catalogDatabase:CatalogDatabase"
EVENT_RULE = "aws:cloudwatch/eventRule:EventRule"
EVENT_TARGET = "aws:cloudwatch/eventTarget:EventTarget"
FUNCTION = "aws:lambda/function:Function"
GLUE_TABLE = "aws:glue/catalogTable:CatalogTable"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOG_STREAM = "aws:cloudwatch/logStream:LogStream"
MAPPING = "aws:lambda/eventSourceMapping:EventSourceMapping"
PUBLIC_ACCESS = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
SCHEDULE = "aws:scheduler/schedule:Schedule"
SAVED_QUERY = "aws:athena/namedQuery:NamedQuery"
STATE_MACHINE = "aws:sfn/stateMachine:StateMachine"
STREAM = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
SUBSCRIPTION = "aws:sns/topicSubscription:TopicSubscription"
TABLE = "aws:dynamodb/table:Table"
TOPIC = "aws:sns/topic:Topic"
TOPIC_POLICY = "aws:sns/topicPolicy:TopicPolicy"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
WORKGROUP = "aws:athena/workgroup:Workgroup"

BUCKET_SETTINGS = (
    BUCKET_POLICY,
    LIFECYCLE,
    "aws:s3/bucketNotification:BucketNotification",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    PUBLIC_ACCESS,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    VERSIONING,
)


@dataclass(frozen=True, eq=False)
class Resource:
    """A resource of AWS; compares by identity.

    state: inputs and outputs, in camelCase, as plain data.
    """

    type: str
    name: str
    state: Mapping[str, Any]

    def values(self, path: str) -> list[Any]:
        """Return the values at a path such as `a.b`, inside lists too."""
        found: list[Any] = [self.state]
        for key in path.split("."):
            groups = [inner for inner in found if isinstance(inner, Mapping)]
            found = [value for group in groups for value in as_list(group.get(key))]
        return found

    def texts(self, path: str) -> list[str]:
        return [value for value in self.values(path) if isinstance(value, str)]


def as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


class Resources:
    """Resources of one or more stacks, by type."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.by_type: dict[str, list[Resource]] = {}
        for resource in resources:
            self.by_type.setdefault(resource.type, []).append(resource)

    def of(self, *types: str) -> Iterator[Resource]:
        for type_ in types:
            yield from self.by_type.get(type_, [])

    def where(self, type_: str, key: str, values: Iterable[str]) -> Iterator[Resource]:
        """Return the resources of a type with one of the values."""
        wanted = set(values)
        return (resource for resource in self.of(type_) if resource.state.get(key) in wanted)


Needs = Callable[[Resource, Resources], Iterable[Resource]]
"""Resources that must be complete before the creation of a resource starts."""


def role(resource: Resource, all_: Resources) -> Iterator[Resource]:
    arns = [
        *resource.texts("role"),
        *resource.texts("roleArn"),
        *resource.texts("extendedS3Configuration.roleArn"),
        *resource.texts("target.roleArn"),
    ]
    yield from all_.where(ROLE, "arn", arns)
    yield from all_.where(ROLE, "name", arns if resource.type == ROLE_POLICY else [])


def permissions(resource: Resource, all_: Resources) -> Iterator[Resource]:
    """Policies of the role, except those that contain the resource's ARN."""
    for own in role(resource, all_):
        for policy in all_.where(ROLE_POLICY, "role", [own.state["name"]]):
            if not any(arn in policy.state["policy"] for arn in resource.texts("arn")):
                yield policy


def log_group(resource: Resource, all_: Resources) -> Iterator[Resource]:
    names = [
        *resource.texts("loggingConfig.logGroup"),
        *resource.texts("logGroupName"),
        *resource.texts("extendedS3Configuration.cloudwatchLoggingOptions.logGroupName"),
    ]
    yield from all_.where(LOG_GROUP, "name", names)


def log_stream(stream: Resource, all_: Resources) -> Iterator[Resource]:
    options = "extendedS3Configuration.cloudwatchLoggingOptions"
    groups = set(stream.texts(f"{options}.logGroupName"))
    names = stream.texts(f"{options}.logStreamName")
    found = all_.where(LOG_STREAM, "name", names)
    return (resource for resource in found if resource.state["logGroupName"] in groups)


def called_function(resource: Resource, all_: Resources) -> Iterator[Resource]:
    """Functions that a mapping, a state machine or a delivery stream calls."""
    if resource.type == STATE_MACHINE:
        definition = resource.state["definition"]
        return (other for other in all_.of(FUNCTION) if other.state["arn"] in definition)
    parameters = "extendedS3Configuration.processingConfiguration.processors.parameters"
    arns = [*resource.texts("functionName"), *resource.texts(f"{parameters}.parameterValue")]
    return all_.where(FUNCTION, "arn", [arn.removesuffix(":$LATEST") for arn in arns])


def permissions_of_called_function(start: Resource, all_: Resources) -> Iterator[Resource]:
    for function in called_function(start, all_):
        yield from permissions(function, all_)


def delivery_stream(start: Resource, all_: Resources) -> Iterator[Resource]:
    """Delivery streams that the called functions send to."""
    for function in called_function(start, all_):
        names = function.texts("environment.variables.DELIVERY_STREAM")
        for streams in function.texts("environment.variables.DELIVERY_STREAMS"):
            names += json.loads(streams).values()
        yield from all_.where(STREAM, "name", names)


def permissions_of_transform(start: Resource, all_: Resources) -> Iterator[Resource]:
    for stream in delivery_stream(start, all_):
        yield from permissions_of_called_function(stream, all_)


def bucket(resource: Resource, all_: Resources) -> Iterator[Resource]:
    """Buckets that a resource configures or writes to."""
    arns = [
        *resource.texts("extendedS3Configuration.bucketArn"),
        *resource.texts("destinationConfig.onFailure.destinationArn"),
    ]
    yield from all_.where(BUCKET, "arn", arns)
    yield from all_.where(BUCKET, "bucket", resource.texts("bucket"))
    locations = [
        *resource.texts("configuration.resultConfiguration.outputLocation"),
        *resource.texts("s3Targets.path"),
        *resource.texts("storageDescriptor.location"),
    ]
    names = [location.split("/")[2] for location in locations]
    yield from all_.where(BUCKET, "bucket", names)


def bucket_settings(start: Resource, all_: Resources) -> Iterator[Resource]:
    """Settings of the buckets that the first change may be written to."""
    buckets = {*bucket(start, all_)}
    for stream in delivery_stream(start, all_):
        buckets |= {*bucket(stream, all_)}
    names = {own.state["bucket"] for own in buckets}
    return (
        resource for resource in all_.of(*BUCKET_SETTINGS) if resource.state.get("bucket") in names
    )


def same_bucket(type_: str) -> Needs:
    """Return the setting of the same bucket with this type."""

    def find(resource: Resource, all_: Resources) -> Iterator[Resource]:
        return all_.where(type_, "bucket", resource.texts("bucket"))

    return find


def started_state_machine(schedule: Resource, all_: Resources) -> Iterator[Resource]:
    target = [*schedule.texts("target.arn"), *schedule.texts("target.input")]
    for machine in all_.of(STATE_MACHINE):
        if any(machine.state["arn"] in text for text in target):
            yield machine


def permissions_of_state_machine(schedule: Resource, all_: Resources) -> Iterator[Resource]:
    """All policies of its role, also those with its ARN."""
    for machine in started_state_machine(schedule, all_):
        for own in role(machine, all_):
            yield from all_.where(ROLE_POLICY, "role", [own.state["name"]])


def mapping_of_delivery_streams(schedule: Resource, all_: Resources) -> Iterator[Resource]:
    """Mappings of the delivery streams that the state machine's functions send to."""
    for machine in started_state_machine(schedule, all_):
        streams = {*delivery_stream(machine, all_)}
        for mapping in all_.of(MAPPING):
            if streams.intersection(delivery_stream(mapping, all_)):
                yield mapping


def source_table(mapping: Resource, all_: Resources) -> Iterator[Resource]:
    return all_.where(TABLE, "streamArn", mapping.texts("eventSourceArn"))


def database(resource: Resource, all_: Resources) -> Iterator[Resource]:
    names = [*resource.texts("databaseName"), *resource.texts("catalogTargets.databaseName")]
    return all_.where(DATABASE, "name", names)


def glue_tables(
    databases: Iterable[str], names: Iterable[str], all_: Resources
) -> Iterator[Resource]:
    wanted = set(databases)
    found = all_.where(GLUE_TABLE, "name", names)
    return (table for table in found if table.state["databaseName"] in wanted)


def crawled_tables(crawler: Resource, all_: Resources) -> Iterator[Resource]:
    names, targets = crawler.texts("catalogTargets.tables"), "catalogTargets.databaseName"
    yield from glue_tables(crawler.texts(targets), names, all_)


def schema(stream: Resource, all_: Resources) -> Iterator[Resource]:
    """The Glue table by whose columns Firehose converts rows to Parquet."""
    path = "extendedS3Configuration.dataFormatConversionConfiguration.schemaConfiguration"
    names = stream.texts(f"{path}.tableName")
    yield from glue_tables(stream.texts(f"{path}.databaseName"), names, all_)


def schema_of_calling_stream(function: Resource, all_: Resources) -> Iterator[Resource]:
    for stream in all_.of(STREAM):
        if function in called_function(stream, all_):
            yield from schema(stream, all_)


def queried_tables(view: Resource, all_: Resources) -> Iterator[Resource]:
    """Tables that the SQL of an Athena view names."""
    for text in view.texts("viewOriginalText"):
        encoded = text.removeprefix("/* Presto View: ").removesuffix(" */")
        sql = json.loads(base64.b64decode(encoded))["originalSql"]
        for table in all_.where(GLUE_TABLE, "databaseName", view.texts("databaseName")):
            if table is not view and f'"{table.state["name"]}"' in sql:
                yield table


def workgroup(saved_query: Resource, all_: Resources) -> Iterator[Resource]:
    return all_.where(WORKGROUP, "name", saved_query.texts("workgroup"))


def event_rule(target: Resource, all_: Resources) -> Iterator[Resource]:
    return all_.where(EVENT_RULE, "name", target.texts("rule"))


def topic_arns(resource: Resource) -> list[str]:
    keys = {
        EVENT_TARGET: ("arn",),
        TOPIC_POLICY: ("arn",),
        SUBSCRIPTION: ("topic",),
        ALARM: ("alarmActions", "okActions"),
    }
    return [arn for key in keys[resource.type] for arn in resource.texts(key)]


def topic(resource: Resource, all_: Resources) -> Iterator[Resource]:
    return all_.where(TOPIC, "arn", topic_arns(resource))


def topic_policy(resource: Resource, all_: Resources) -> Iterator[Resource]:
    return all_.where(TOPIC_POLICY, "arn", topic_arns(resource))


@dataclass(frozen=True)
class Rule:
    """Resources of these types are created after what they need.

    reason: what AWS does otherwise.
    """

    types: tuple[str, ...]
    needs: Needs
    reason: str


STARTS = (MAPPING, STATE_MACHINE)
"""Types whose creation may be followed by the first change."""

RULES: tuple[Rule, ...] = (
    # Lambda.
    Rule(
        (FUNCTION, STREAM, STATE_MACHINE, CRAWLER),
        role,
        "The creation fails: the service cannot assume the role.",
    ),
    Rule(
        (ROLE_POLICY,),
        role,
        "NoSuchEntity; DeleteRole fails with DeleteConflict while the role has policies.",
    ),
    Rule(
        (FUNCTION, LOG_STREAM, STREAM),
        log_group,
        "Lambda has no permission to create the group; Firehose logs no error.",
    ),
    Rule((STREAM,), log_stream, "Firehose logs no error: it does not create log streams."),
    Rule(
        (FUNCTION,),
        schema_of_calling_stream,
        "Firehose drops a column that the function writes and the Glue table does not have.",
    ),
    # The first change.
    Rule(STARTS, called_function, "ResourceNotFoundException."),
    Rule(
        STARTS,
        permissions_of_called_function,
        "CreateEventSourceMapping fails: `Cannot access stream`; the first calls of the function"
        " fail.",
    ),
    Rule((MAPPING,), source_table, "ResourceNotFoundException."),
    Rule(STARTS, delivery_stream, "The function's calls fail with ResourceNotFoundException."),
    Rule(
        STARTS,
        permissions_of_transform,
        "The transform cannot log, and fails where it would requeue changes.",
    ),
    Rule(
        STARTS,
        bucket_settings,
        "The first objects are written without encryption and versioning, and those that are"
        " dead-lettered raise no event.",
    ),
    Rule((STATE_MACHINE,), permissions, "Executions fail with AccessDeniedException."),
    Rule((SCHEDULE,), started_state_machine, "The schedule starts no execution."),
    Rule((SCHEDULE,), permissions, "The schedule may not start an execution."),
    Rule((SCHEDULE,), permissions_of_state_machine, "Executions fail with AccessDeniedException."),
    Rule(
        (SCHEDULE,),
        mapping_of_delivery_streams,
        "Nothing reads the changes that are made after the export.",
    ),
    # The delivery stream.
    Rule(
        (STREAM,),
        permissions,
        "CreateDeliveryStream fails: `Access was denied when calling Glue`; deliveries fail.",
    ),
    Rule((STREAM,), called_function, "Firehose dead-letters the records of the first calls."),
    Rule((STREAM,), schema, "CreateDeliveryStream fails: the Glue table does not exist."),
    # The bucket.
    Rule(
        (*BUCKET_SETTINGS, STREAM, MAPPING, WORKGROUP, GLUE_TABLE, CRAWLER),
        bucket,
        "NoSuchBucket; DeleteBucket fails with BucketNotEmpty after a late write.",
    ),
    Rule(
        (BUCKET_POLICY,),
        same_bucket(PUBLIC_ACCESS),
        "S3 answers 409 OperationAborted to one of two concurrent calls."
        " https://github.com/hashicorp/terraform-provider-aws/issues/7628",
    ),
    Rule(
        (LIFECYCLE,),
        same_bucket(VERSIONING),
        "Rules for noncurrent versions need a bucket whose versioning is enabled or suspended."
        " https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html",
    ),
    # Glue and Athena.
    Rule(
        (GLUE_TABLE, CRAWLER),
        database,
        "EntityNotFoundException; DeleteDatabase deletes the tables, too.",
    ),
    Rule((CRAWLER,), permissions, "CreateCrawler fails: the role has no access."),
    Rule((CRAWLER,), crawled_tables, "CreateCrawler fails with EntityNotFoundException."),
    Rule(
        (GLUE_TABLE,),
        queried_tables,
        "Queries of a view fail while a table or a column that it selects is missing.",
    ),
    Rule(
        (SAVED_QUERY,),
        workgroup,
        "InvalidRequestException; DeleteWorkGroup fails while the workgroup is not empty.",
    ),
    # Events and alarms.
    Rule(
        (EVENT_TARGET,),
        event_rule,
        "ResourceNotFoundException; DeleteRule fails while the rule has targets.",
    ),
    Rule(
        (EVENT_TARGET, TOPIC_POLICY, SUBSCRIPTION, ALARM),
        topic,
        "NotFound; an alarm's action fails.",
    ),
    Rule(
        (EVENT_TARGET, ALARM),
        topic_policy,
        "SNS rejects the messages of EventBridge, which only counts that; whether a new topic"
        " accepts those of CloudWatch depends on SNS's default policy.",
    ),
)


@dataclass(frozen=True)
class Pair:
    """One resource and another one that it needs, by a rule."""

    rule: Rule
    resource: Resource
    needed: Resource

    def __str__(self) -> str:
        return f"{self.resource.name} needs {self.needed.name}: {self.rule.reason}"


def pairs(resources: Sequence[Resource]) -> list[Pair]:
    """Return everything that the rules find among the resources."""
    all_ = Resources(resources)
    return [
        Pair(rule, resource, needed)
        for rule in RULES
        for resource in all_.of(*rule.types)
        for needed in rule.needs(resource, all_)
    ]


def graph_resources(graph: Graph) -> list[Resource]:
    """Return the resources of a graph with the outputs of AWS."""
    return [
        Resource(
            node.type, node.name, node.inputs | provider_outputs(node.type, node.name, node.inputs)
        )
        for node in graph.custom
    ]


def earlier(graph: Graph) -> dict[str, set[str]]:
    """Return the names of all resources that Pulumi creates before each one."""
    direct = {node.name: node.depends_on for node in graph.custom}
    found: dict[str, set[str]] = {}

    def before(name: str) -> set[str]:
        if name not in found:
            others = direct.get(name, [])
            found[name] = {*others, *(inner for other in others for inner in before(other))}
        return found[name]

    return {name: before(name) for name in direct}


def unordered(graph: Graph) -> list[Pair]:
    """Return the pairs that Pulumi may create at the same time."""
    before = earlier(graph)
    return [
        pair
        for pair in pairs(graph_resources(graph))
        if pair.needed.name not in before[pair.resource.name]
    ]
