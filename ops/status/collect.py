"""Reads the status of every pipeline from AWS; changes nothing."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Optional, TypeVar

from botocore.exceptions import ClientError

from streaming_etl.components.monitoring.alarms import alarms
from streaming_etl.components.settings.lake_table_names import lake_table_title
from streaming_etl.components.settings.monitoring import (
    data_freshness_threshold,
    iterator_age_threshold,
)
from streaming_etl.components.settings.pipeline import StreamingEtlPipelineArgs
from streaming_etl.ops.merge.runs import FAILED, MergeRuns
from streaming_etl.ops.next_command import NextCommands
from streaming_etl.ops.replay.objects import FailureObjects
from streaming_etl.ops.replay.places import places_of
from streaming_etl.ops.status.metrics import Metric, Series, read_metrics
from streaming_etl.ops.status.problems import StatusProblem, problem
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.console import counted
from streaming_etl.stack.outputs import DeployedLakeTable, DeployedPipeline, DeployedStack

Result = TypeVar("Result")

# 10 LIST requests; the complete number matters to a replay only, which lists all.
MAX_LISTED = 10_000
THREADS = 8
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
MAX_ALARMS = 100
# https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
POLLING = ("Creating", "Enabling", "Enabled", "Updating")
SUFFIX = re.compile(r"-[0-9a-f]{7}")
"""What Pulumi appends to a name by default."""


@dataclass(frozen=True)
class FailureCount:
    """Objects with failed batches or error records that are not replayed."""

    objects: int
    complete: bool = True
    """False if there are more than were listed."""
    oldest: Optional[datetime] = None
    """When the oldest of those listed was written."""

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "objects": self.objects,
            "complete": self.complete,
            "oldest": _iso(self.oldest),
        }


@dataclass(frozen=True)
class LastRun:
    """The last merge or crawl."""

    kind: str
    """`merge` or `crawl`."""
    succeeded: Optional[datetime] = None
    """Start of the last successful one, if known."""
    failed: Optional[datetime] = None
    """Start of a later one that failed."""
    running: bool = False

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "succeeded": _iso(self.succeeded),
            "failed": _iso(self.failed),
            "running": self.running,
        }


@dataclass(frozen=True, kw_only=True)
class LakeTableStatus:
    """Status of one lake table."""

    title: str
    lag_seconds: Optional[float]
    """Seconds from a change to its transform, for nine of ten changes; None without traffic."""
    data_freshness_seconds: Optional[float]
    """Age of the oldest record in Firehose; None without recent traffic."""
    records_today: Optional[int]
    """Firehose records that were written to the bucket."""
    last_delivery: Optional[datetime]
    """End of the last five-minute interval with a delivery, of the last day."""
    hourly_records: Sequence[float]
    """Records of the last 24 hours, the oldest first."""
    error_records: Optional[FailureCount]
    """None if they cannot be listed."""
    last_run: Optional[LastRun]
    """None without merge stage and crawler, or if it cannot be read."""

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "lag_seconds": self.lag_seconds,
            "data_freshness_seconds": self.data_freshness_seconds,
            "records_today": self.records_today,
            "last_delivery": _iso(self.last_delivery),
            "hourly_records": [round(value) for value in self.hourly_records],
            "error_records": self.error_records and self.error_records.as_json,
            "last_run": self.last_run and self.last_run.as_json,
        }


@dataclass(frozen=True, kw_only=True)
class PipelineStatus:
    """Status of one pipeline."""

    name: str
    alarms: int
    """Number of its alarms."""
    in_alarm: Sequence[str]
    mapping_state: Optional[str]
    """State of the event source mapping; None if it cannot be read."""
    iterator_age_seconds: Optional[float]
    """None without recent traffic."""
    changes_today: Optional[int]
    """Changes that Lambda has read from the stream."""
    failed_batches: Optional[FailureCount]
    """None if they cannot be listed."""
    backfill_errors: Optional[FailureCount]
    """Error records of a backfill of several lake tables."""
    lake_tables: Mapping[str, LakeTableStatus]
    problems: Sequence[StatusProblem]

    @property
    def state(self) -> str:
        return _state(self.problems)

    @property
    def last_delivery(self) -> Optional[datetime]:
        """The latest delivery to any lake table."""
        times = [table.last_delivery for table in self.lake_tables.values()]
        return max((time for time in times if time is not None), default=None)

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "status": self.state,
            "alarms": {"total": self.alarms, "in_alarm": [*self.in_alarm]},
            "mapping_state": self.mapping_state,
            "iterator_age_seconds": self.iterator_age_seconds,
            "changes_today": self.changes_today,
            "last_delivery": _iso(self.last_delivery),
            "failed_batches": self.failed_batches and self.failed_batches.as_json,
            "backfill_errors": self.backfill_errors and self.backfill_errors.as_json,
            "lake_tables": {key: each.as_json for key, each in self.lake_tables.items()},
            "problems": [each.as_json for each in self.problems],
        }


@dataclass(frozen=True)
class StackStatus:
    """Status of a stack's pipelines."""

    stack: str
    read_at: datetime
    pipelines: Sequence[PipelineStatus]

    @property
    def problems(self) -> list[StatusProblem]:
        return [each for pipeline in self.pipelines for each in pipeline.problems]

    @property
    def state(self) -> str:
        return _state(self.problems)

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "version": 1,
            "stack": self.stack,
            "read_at": _iso(self.read_at),
            "today_since": _iso(start_of_day(self.read_at)),
            "status": self.state,
            "pipelines": {each.name: each.as_json for each in self.pipelines},
        }


def start_of_day(now: datetime) -> datetime:
    """Return midnight in UTC."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _state(problems: Sequence[StatusProblem]) -> str:
    return "attention" if problems else "ok"


def _iso(time: Optional[datetime]) -> Optional[str]:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="seconds")


def _utc(time: Optional[datetime]) -> str:
    """Return a time for people."""
    return "unknown" if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


class StatusReader:
    """Reads the status of some pipelines of a stack."""

    def __init__(self, stack: DeployedStack, pipelines: Sequence[DeployedPipeline]) -> None:
        self._stack, self._pipelines = stack, pipelines
        regions = {pipeline.region: pipeline for pipeline in pipelines}
        self._clients = {region: stack.clients(each) for region, each in regions.items()}
        self._args = {pipeline.name: pipeline.args for pipeline in pipelines}

    def read(self, now: datetime) -> StackStatus:
        """Read metrics and alarms of each region, then each pipeline.

        A call that AWS rejects is a problem of its pipeline. Raises botocore's errors of
        connection and credentials.
        """
        regions = {region: self._region(region, now) for region in self._clients}

        def status(pipeline: DeployedPipeline) -> PipelineStatus:
            return _PipelineReader(
                pipeline,
                self._args[pipeline.name],
                self._clients[pipeline.region],
                NextCommands(self._stack, pipeline.name),
                regions[pipeline.region],
                now,
            ).read()

        with ThreadPoolExecutor(THREADS) as pool:
            return StackStatus(self._stack.name, now, [*pool.map(status, self._pipelines)])

    def _region(self, region: str, now: datetime) -> "RegionStatus":
        here = [each for each in self._pipelines if each.region == region]
        cloudwatch, tries = self._clients[region]("cloudwatch"), Tries()
        names = [name for each in here for name in each.alarm_names or ()]
        metrics = [metric for each in here for metric in metrics_of(each).values()]
        return RegionStatus(
            tries.call(lambda: _alarms(cloudwatch, names), None),
            tries.call(lambda: read_metrics(cloudwatch, metrics, now), {}),
            tries.problems,
        )


@dataclass(frozen=True)
class RegionStatus:
    """Alarms and metrics of all pipelines of a region."""

    alarms: Optional[Mapping[str, Mapping[str, Any]]]
    """Existing alarms by name; None if they cannot be read."""
    series: Mapping[Metric, Series]
    problems: Sequence[StatusProblem]
    """Calls that AWS rejects, which concern each pipeline."""


class Tries:
    """Calls whose rejection by AWS is a problem to report."""

    def __init__(self) -> None:
        self.problems: list[StatusProblem] = []

    def call(self, read: Callable[[], Result], default: Result) -> Result:
        """Return the result of a call, or the default."""
        try:
            return read()
        except ClientError as error:
            self.problems.append(
                problem(
                    "not-readable",
                    see="docs/operate.md#permissions",
                    operation=error.operation_name,
                    error=error.response["Error"].get("Code", ""),
                )
            )
            return default


def _alarms(cloudwatch: Any, names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the existing alarms by name."""
    existing: dict[str, Mapping[str, Any]] = {}
    for start in range(0, len(names), MAX_ALARMS):
        part = [*names[start : start + MAX_ALARMS]]
        response = cloudwatch.describe_alarms(AlarmNames=part, MaxRecords=MAX_ALARMS)
        existing |= {alarm["AlarmName"]: alarm for alarm in response["MetricAlarms"]}
    return existing


def metrics_of(pipeline: DeployedPipeline) -> dict[str, Metric]:
    """Return the metrics of a pipeline by a short name."""
    metrics = {
        "polled": Metric("mapping", "PolledEventCount", mapping_of(pipeline)),
    }
    # Earlier versions have no such output.
    if pipeline.forwarder_function:
        function = pipeline.forwarder_function
        metrics["age"] = Metric("forwarder", "IteratorAge", function, "Maximum")
    for key, table in pipeline.tables.items():
        stream, freshness = table.delivery_stream, "DeliveryToS3.DataFreshness"
        metrics[f"records.{key}"] = Metric("delivery_stream", "DeliveryToS3.Records", stream)
        if table.transform_function:
            function = table.transform_function
            metrics[f"lag.{key}"] = Metric("transform_counts", "ChangeLag", function, "p90")
        metrics[f"freshness.{key}"] = Metric("delivery_stream", freshness, stream, "Maximum")
    return metrics


def mapping_of(pipeline: DeployedPipeline) -> str:
    """Return the UUID of the event source mapping."""
    return pipeline.failed_batches_location.rstrip("/").rpartition("/")[2]


class _PipelineReader:
    """Reads one pipeline."""

    def __init__(
        self,
        pipeline: DeployedPipeline,
        args: StreamingEtlPipelineArgs,
        clients: Clients,
        commands: NextCommands,
        region: RegionStatus,
        now: datetime,
    ) -> None:
        self._pipeline, self._args, self._clients = pipeline, args, clients
        self._commands, self._region, self._now = commands, region, now
        self._series = {
            name: region.series.get(metric, Series())
            for name, metric in metrics_of(pipeline).items()
        }
        self._alarms = {alarm.name for alarm in alarms(args)}
        self._tries = Tries()

    def read(self) -> PipelineStatus:
        """Return the status."""
        pipeline = self._pipeline
        names = pipeline.alarm_names or ()
        mapping = self._tries.call(self._mapping_state, None)
        age = self._series.get("age", Series()).current(self._now)
        failed = self._tries.call(self._failed_batches, None)
        backfill = None
        if pipeline.lake_tables and pipeline.backfill_errors_location:
            location = pipeline.backfill_errors_location
            backfill = self._tries.call(lambda: self._listed(location), None)
        tables = {key: self._lake_table(key, table) for key, table in pipeline.tables.items()}
        in_alarm = [name for name in names if self._state(name) == "ALARM"]
        seconds = None if age is None else age / 1000
        found = [
            *self._alarm_problems(names, in_alarm),
            *self._stream_problems(mapping, seconds, in_alarm),
            *self._failure_problems(failed, backfill),
            *(
                each
                for key, table in tables.items()
                for each in self._table_problems(key, table, in_alarm)
            ),
        ]
        return PipelineStatus(
            name=pipeline.name,
            alarms=len(names),
            in_alarm=in_alarm,
            mapping_state=mapping,
            iterator_age_seconds=seconds,
            changes_today=self._series["polled"].total(start_of_day(self._now)),
            failed_batches=failed,
            backfill_errors=backfill,
            lake_tables=tables,
            problems=[*self._region.problems, *self._tries.problems, *found],
        )

    def _lake_table(self, key: str, table: DeployedLakeTable) -> LakeTableStatus:
        records = self._series[f"records.{key}"]
        return LakeTableStatus(
            title=lake_table_title(self._pipeline.name, key),
            lag_seconds=self._series.get(f"lag.{key}", Series()).current(self._now),
            data_freshness_seconds=self._series[f"freshness.{key}"].current(self._now),
            records_today=records.total(start_of_day(self._now)),
            last_delivery=records.last_positive(self._now),
            hourly_records=records.hourly(self._now),
            error_records=self._tries.call(lambda: self._listed(table.errors_location), None),
            last_run=self._tries.call(lambda: self._last_run(table), None),
        )

    def _mapping_state(self) -> Optional[str]:
        client = self._clients("lambda")
        mapping = client.get_event_source_mapping(UUID=mapping_of(self._pipeline))
        return str(mapping["State"])

    def _failed_batches(self) -> FailureCount:
        [place] = places_of(self._pipeline, "failed-batches", ())
        return self._listed(place.location)

    def _listed(self, location: str) -> FailureCount:
        objects = FailureObjects(self._clients("s3"), self._pipeline.bucket)
        written = [each.written for each in islice(objects.below(location, None, None), MAX_LISTED)]
        complete = len(written) < MAX_LISTED
        return FailureCount(len(written), complete, min(written, default=None))

    def _last_run(self, table: DeployedLakeTable) -> Optional[LastRun]:
        if table.merge_state_machine_arn:
            return self._last_merge(table.merge_state_machine_arn)
        return self._last_crawl(table.crawler) if table.crawler else None

    def _last_merge(self, machine_arn: str) -> LastRun:
        runs = MergeRuns(self._clients("stepfunctions"), machine_arn).latest()
        ended = [run for run in runs if run.status != "RUNNING"]
        last = ended[0] if ended else None
        return LastRun(
            "merge",
            next((run.started for run in ended if run.status == "SUCCEEDED"), None),
            last.started if last is not None and last.status in FAILED else None,
            running=len(ended) < len(runs),
        )

    def _last_crawl(self, name: str) -> LastRun:
        crawler = self._clients("glue").get_crawler(Name=name)["Crawler"]
        last = crawler.get("LastCrawl") or {}
        status, start = last.get("Status"), last.get("StartTime")
        return LastRun(
            "crawl",
            start if status == "SUCCEEDED" else None,
            start if status in ("FAILED", "CANCELLED") else None,
            running=crawler.get("State") in ("RUNNING", "STOPPING"),
        )

    def _state(self, name: str) -> Optional[str]:
        alarm = (self._region.alarms or {}).get(name)
        return None if alarm is None else str(alarm["StateValue"])

    def _alarm_problems(
        self, names: Sequence[str], in_alarm: Sequence[str]
    ) -> Iterator[StatusProblem]:
        for name in in_alarm:
            since = (self._region.alarms or {})[name].get("StateUpdatedTimestamp")
            section = self._section(name)
            see = f"docs/runbook.md#{section}" if section else "docs/runbook.md"
            yield problem("alarm", see=see, alarm=name, since=_utc(since))
        for name in names:
            if self._region.alarms is not None and name not in self._region.alarms:
                command = self._commands.pulumi("up", "--refresh")
                yield problem("alarm-missing", command=command, alarm=name)

    def _section(self, name: str) -> Optional[str]:
        """Return an alarm's section in the runbook, if any."""
        tail = name.rpartition("-monitoring-")[2]
        sections = (SUFFIX.sub("", tail), tail)
        return next((each for each in sections if each in self._alarms), None)

    def _stream_problems(
        self, mapping: Optional[str], seconds: Optional[float], in_alarm: Sequence[str]
    ) -> Iterator[StatusProblem]:
        if mapping is not None and mapping not in POLLING:
            uuid = mapping_of(self._pipeline)
            command = self._commands.aws("lambda", "get-event-source-mapping", "--uuid", uuid)
            see = "docs/runbook.md#not-polling"
            yield problem("not-polling", see=see, command=command, state=mapping)
        threshold = iterator_age_threshold(self._args.monitoring, self._args.forwarder)
        late = seconds is not None and seconds > threshold
        if late and not self._fires("iterator-age", in_alarm):
            see = "docs/runbook.md#iterator-age"
            yield problem("iterator-age", see=see, seconds=seconds, threshold=threshold)

    def _fires(self, section: str, in_alarm: Sequence[str]) -> bool:
        return any(self._section(name) == section for name in in_alarm)

    def _failure_problems(
        self, failed: Optional[FailureCount], backfill: Optional[FailureCount]
    ) -> Iterator[StatusProblem]:
        for code, source, count in (
            ("failed-batches", "failed-batches", failed),
            ("error-records", "errors", backfill),
        ):
            if count is not None and count.objects:
                command = self._commands.own("replay", "--from", source, "--dry-run")
                yield _failures(code, count, command)

    def _table_problems(
        self, key: str, table: LakeTableStatus, in_alarm: Sequence[str]
    ) -> Iterator[StatusProblem]:
        name = key if self._pipeline.lake_tables else None
        args, errors, run = self._args.tables[key], table.error_records, table.last_run
        seconds = table.data_freshness_seconds
        threshold = data_freshness_threshold(self._args.monitoring, args.buffers)
        late = seconds is not None and seconds > threshold
        if late and not self._fires("data-freshness", in_alarm):
            see = "docs/runbook.md#data-freshness"
            yield problem(
                "data-freshness", lake_table=name, see=see, seconds=seconds, threshold=threshold
            )
        if errors is not None and errors.objects:
            options = ("--from", "errors", "--dry-run")
            command = self._commands.own("replay", *options, lake_table=name)
            yield _failures("error-records", errors, command, name)
        if run is not None and run.failed is not None:
            time = _utc(run.failed)
            if run.kind == "merge":
                command = self._commands.own("merge", "--status", lake_table=name)
            else:
                crawler = str(self._pipeline.tables[key].crawler)
                command = self._commands.aws("glue", "get-crawler", "--name", crawler)
            code = "merge-failed" if run.kind == "merge" else "crawler-failed"
            see = f"docs/runbook.md#{code}"
            yield problem(code, lake_table=name, see=see, command=command, time=time)


def _failures(
    code: str, count: FailureCount, command: str, lake_table: Optional[str] = None
) -> StatusProblem:
    number = counted(count.objects, "object") + ("" if count.complete else " or more")
    return problem(
        code,
        lake_table=lake_table,
        see="docs/replay.md",
        command=command,
        count=number,
        oldest=_utc(count.oldest),
    )
