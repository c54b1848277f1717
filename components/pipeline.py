"""The component StreamingEtlPipeline, which joins the stages."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi
from pulumi.provider.experimental.util import camel_case

from streaming_etl.components.aliases import all_names, former_resources
from streaming_etl.components.deletion_options import deletion_options
from streaming_etl.components.lake_table import LakeTableComponent
from streaming_etl.components.monitoring.monitoring import (
    MonitoredLakeTable,
    MonitoredResources,
    Monitoring,
)
from streaming_etl.components.packaging.dependencies import Packages, Target, ensure_dependencies
from streaming_etl.components.pipeline_guard import guarded_inputs, pipeline_guard
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.components.settings.protection import resolve_protection
from streaming_etl.components.settings.stack_config import args_from_config
from streaming_etl.components.settings.validation import SettingsError, invalid, raise_if_any
from streaming_etl.components.stack_traces import short_stack_traces
from streaming_etl.components.stages.backfill import Backfill
from streaming_etl.components.stages.catalog import create_database
from streaming_etl.components.stages.forwarder import Forwarder
from streaming_etl.components.stages.iam import configured_region, look_up_account
from streaming_etl.components.stages.lake import Lake
from streaming_etl.components.stages.merge import create_merge_workgroup
from streaming_etl.components.stages.query import create_query_workgroup, save_queries
from streaming_etl.components.stages.references import LakeTableContext, PipelineContext
from streaming_etl.components.stages.roles import Roles
from streaming_etl.components.stages.source import Source
from streaming_etl.components.table.lake_table import ResolvedLakeTable, resolve
from streaming_etl.components.table.layout_messages import GUARD_OFF, Place
from streaming_etl.components.transform_guard import require_code


class StreamingEtlPipeline(pulumi.ComponentResource):
    """Everything between a DynamoDB table and a lake table that Athena queries.

    name: at most 35 of a-z 0-9 -, unique in the stack; the prefix of every resource's name.
    args: the settings; as a dict when the program is in another language.

    Raises SettingsError before any resource is created when settings or transform module are
    invalid.
    """

    bucket: pulumi.Output[str]
    """Name of the lake's bucket."""
    database: pulumi.Output[str]
    """Glue database."""
    lake_tables: Optional[pulumi.Output[dict[str, dict[str, Optional[str]]]]]
    """With `lake_tables`, by name: `table`, `view`, `current_state_query_id`, `delivery_stream`,
    `transform_function`, `errors_location`, `crawler`, `merged_table` and
    `merge_state_machine_arn`, which are outputs of a pipeline with one lake table."""
    table: Optional[pulumi.Output[str]]
    """Glue table with the rows of all changes; none with `lake_tables`."""
    view: Optional[pulumi.Output[str]]
    """Athena view of the current state; none without COLUMNS, with `query.current_state: false`, or
    if it would read partitions of an injected key, and none with `lake_tables`."""
    workgroup: pulumi.Output[str]
    """Athena workgroup to query in."""
    current_state_query_id: Optional[pulumi.Output[str]]
    """Saved query of the current state; none with `query.current_state: false`, nor with a view
    unless `query.saved_queries`, nor with `lake_tables`."""
    delivery_stream: Optional[pulumi.Output[str]]
    """Name of the Firehose delivery stream; none with `lake_tables`."""
    transform_function: Optional[pulumi.Output[str]]
    """Name of the transform function; none with `lake_tables`."""
    forwarder_function: pulumi.Output[str]
    """Name of the forwarder."""
    source_table: pulumi.Output[str]
    """Name of the DynamoDB table."""
    source_table_arn: pulumi.Output[str]
    """ARN of the DynamoDB table."""
    source_stream_arn: pulumi.Output[str]
    """ARN of its stream."""
    failed_batches_location: pulumi.Output[str]
    """S3 location of failed batches, complete."""
    errors_location: Optional[pulumi.Output[str]]
    """S3 location of error records of the transform and of Firehose, complete; none with
    `lake_tables`."""
    alarm_topic_arn: Optional[pulumi.Output[str]]
    """SNS topic of the alarms; none with `monitoring.alarms: none`."""
    alarm_names: pulumi.Output[list[str]]
    """Names of the CloudWatch alarms; empty with `monitoring.alarms: none`."""
    failure_events_topic_arn: pulumi.Output[str]
    """SNS topic with a message for each dead-lettered object, failed crawl and failed merge; it has
    no subscription."""
    dashboard: Optional[pulumi.Output[str]]
    """Name of the CloudWatch dashboard; none with `monitoring.dashboard: false`."""
    crawler: Optional[pulumi.Output[str]]
    """Glue crawler; none with projection or `lake_tables`."""
    merged_table: Optional[pulumi.Output[str]]
    """Iceberg table with the rows of each item's last change; none without `merge`, nor with
    `lake_tables`."""
    merge_state_machine_arn: Optional[pulumi.Output[str]]
    """State machine of `streaming-etl merge`; none without `merge`, nor with `lake_tables`."""
    backfill_state_machine_arn: Optional[pulumi.Output[str]]
    """State machine of `streaming-etl backfill --export`; none without backfill."""
    backfill_location: Optional[pulumi.Output[str]]
    """Location of exports and of the results of their files; none without backfill."""
    backfill_errors_location: Optional[pulumi.Output[str]]
    """S3 location of the exported items that cannot be read, complete; none without backfill."""
    role_policies: Optional[pulumi.Output[dict[str, dict[str, str]]]]
    """What each role of `iam.role_arns` needs: `service`, which assumes it, and JSON texts of its
    trust policy `trust` and its permissions `policy`. Patterns match the names that Pulumi will
    generate, so that a preview before the first update shows the texts; none without such roles."""
    region: pulumi.Output[str]
    """AWS region."""
    settings: pulumi.Output[dict[str, Any]]
    """Every setting with its value, defaults included, nested as in the stack's config; the
    commands read it."""

    @short_stack_traces()
    def __init__(
        self,
        name: str,
        args: StreamingEtlPipelineArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
    ) -> None:
        if isinstance(args, Mapping):
            args = args_from_config(name, args)
        if not isinstance(args, StreamingEtlPipelineArgs):
            raise SettingsError(invalid("args", args, "type", kind="StreamingEtlPipelineArgs(...)"))
        resolved = resolve(name, args)
        # Last, because missing packages are downloaded.
        packages = {each.key: packages_of(args, each) for each in resolved}
        former_lake_tables = {key: each.former_names for key, each in args.lake_tables.items()}
        of_children = [
            former_resources(self, name, args.former_names, former_lake_tables),
            deletion_options(resolve_protection(args)),
        ]
        own = pulumi.ResourceOptions(
            transformations=of_children,
            hooks=pulumi.ResourceHookBinding(before_update=[pipeline_guard(name)]),
        )
        opts = pulumi.ResourceOptions.merge(opts, own)
        # An input, which Pulumi keeps in the stack's state, for the guard. All other resources are
        # updated after it has passed.
        inputs = guarded_inputs(args)
        super().__init__("streaming-etl:index:StreamingEtlPipeline", name, inputs, opts)

        raise_if_any(args.region_problems(configured_region(self)))
        for each in resolved:
            if each.args.allow_layout_change:
                place = Place(pulumi.get_stack(), name, each.key)
                pulumi.log.warn(GUARD_OFF.format(pipeline=place))
        account, tags = look_up_account(self), {"streaming-etl:pipeline": name, **args.tags}
        pipeline = PipelineContext(
            name=name,
            args=args,
            forwarder_packages=next(iter(packages.values())).forwarder,
            account=account,
            tags=tags,
            roles=Roles(name, args, account, tags),
            names_of=lambda each: all_names(each, name, args.former_names, former_lake_tables),
        )
        source = Source(pipeline, self)
        lake = Lake(pipeline, self)
        database_name = create_database(pipeline, self)
        contexts = {
            each.key: LakeTableContext(
                pipeline=pipeline,
                key=each.key,
                args=each.args,
                module=each.module,
                table=each.table,
                packages=packages[each.key].transform,
            )
            for each in resolved
        }
        merge_workgroup = None
        if any(each.table.merge for each in resolved):
            merge_workgroup = create_merge_workgroup(pipeline, lake.bucket, self)
        of_pipeline = pulumi.ResourceOptions(parent=self)
        lake_tables = {
            key: LakeTableComponent(
                context, database_name, lake.bucket, merge_workgroup, of_pipeline
            )
            for key, context in contexts.items()
        }
        streams = {key: lake_table.stream for key, lake_table in lake_tables.items()}
        forwarder = Forwarder(
            pipeline, source.stream, source.kms_key_arns, lake.bucket, streams, self
        )
        backfill = None
        if args.backfill.enabled:
            backfill = Backfill(
                pipeline,
                source.table,
                source.stream.arn,
                source.key_names,
                source.kms_key_arns,
                lake.bucket,
                streams,
                forwarder.mapping,
                self,
            )
        workgroup = create_query_workgroup(pipeline, lake.bucket, self)
        query_ids = {
            key: save_queries(context, workgroup, lake_tables[key].entry, self)
            for key, context in contexts.items()
        }
        resources = MonitoredResources(
            forwarder=forwarder.function,
            mapping_id=forwarder.mapping_id,
            lake_tables={
                key: MonitoredLakeTable(
                    transform=lake_table.transform,
                    stream_name=lake_table.stream.name,
                    crawler_name=lake_table.crawler_name,
                    merge_state_machine_arn=lake_table.merge_state_machine_arn,
                )
                for key, lake_table in lake_tables.items()
            },
            bucket=lake.bucket,
            failed_batches_path=forwarder.failed_batches_path,
            state_machine_arn=backfill.state_machine_arn if backfill else None,
            merge_workgroup=merge_workgroup,
        )
        # For a dashboard of several pipelines; not an output.
        self.monitoring = monitoring = Monitoring(pipeline, resources, self)

        outputs_by_key: dict[str, dict[str, Any]] = {
            key: {
                "table": lake_table.entry.table_name,
                "view": lake_table.view_name,
                "current_state_query_id": query_ids[key],
                "delivery_stream": lake_table.stream.name,
                "transform_function": lake_table.transform.resource.name,
                "errors_location": lake_table.errors_location,
                "crawler": lake_table.crawler_name,
                "merged_table": lake_table.merged_table,
                "merge_state_machine_arn": lake_table.merge_state_machine_arn,
            }
            for key, lake_table in lake_tables.items()
        }
        self.lake_tables = None
        if args.lake_tables:
            self.lake_tables = pulumi.Output.from_input(outputs_by_key)
        only = {} if args.lake_tables else outputs_by_key[ONLY_LAKE_TABLE]
        self.table = only.get("table")
        self.view = only.get("view")
        self.current_state_query_id = only.get("current_state_query_id")
        self.delivery_stream = only.get("delivery_stream")
        self.transform_function = only.get("transform_function")
        self.errors_location = only.get("errors_location")
        self.crawler = only.get("crawler")
        self.merged_table = only.get("merged_table")
        self.merge_state_machine_arn = only.get("merge_state_machine_arn")
        self.bucket = lake.bucket.name
        self.database = next(iter(lake_tables.values())).entry.database_name
        self.workgroup = workgroup
        self.forwarder_function = forwarder.function.resource.name
        self.source_table = source.table_name
        self.source_table_arn = source.table.arn
        self.source_stream_arn = source.stream.arn
        self.failed_batches_location = forwarder.failed_batches_location
        self.alarm_topic_arn = monitoring.alarm_topic_arn
        self.alarm_names = monitoring.alarm_names
        self.failure_events_topic_arn = monitoring.failure_events_topic_arn
        self.dashboard = monitoring.dashboard_name
        self.backfill_state_machine_arn = backfill.state_machine_arn if backfill else None
        self.backfill_location = backfill.location if backfill else None
        self.backfill_errors_location = backfill.errors_location if backfill else None
        self.role_policies = pipeline.roles.policies
        self.region = pulumi.Output.from_input(pipeline.account.region)
        self.settings = pulumi.Output.from_input(plain_data(args))
        # The SDKs of other languages read camelCase names. The settings, the largest output, are in
        # the state once, if the program exports them.
        shown = {key: value for key, value in self.outputs.items() if key != "settings"}
        self.register_outputs({camel_case(key): value for key, value in shown.items()})

    @property
    def outputs(self) -> dict[str, Optional[pulumi.Output[Any]]]:
        """All outputs by name, for `pulumi.export`; None without the resource."""
        return {name: getattr(self, name) for name in inspect.get_annotations(StreamingEtlPipeline)}


def packages_of(args: StreamingEtlPipelineArgs, lake_table: ResolvedLakeTable) -> Packages:
    """Download a lake table's packages; check its module's imports."""
    target = Target.lambda_(args.runtime, args.architecture)
    packages = ensure_dependencies(target, lake_table.args.transform.requirements)
    if lake_table.module.code is not None:
        require_code(lake_table.module.code, packages.transform, lake_table.args.transform)
    return packages


def plain_data(value: Any) -> Any:
    """Return settings as dicts and lists, for `args_from_config`."""
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain_data(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: plain_data(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain_data(item) for item in value]
    return value
