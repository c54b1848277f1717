"""Read a lake table through S3, Glue and Athena."""

import base64
import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.emulator.athena import QueryResult, query, saved_query
from local.emulator.crawl import list_objects, partition_prefix
from streaming_etl.components.settings.lake_table_names import ONLY_LAKE_TABLE, lake_table_title
from streaming_etl.handlers.wire.routing import Where
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError
from streaming_etl.stack.outputs import DeployedPipeline

LOG_SECONDS = 10


@dataclass(frozen=True)
class FailedChange:
    """A change in an error record, without its content."""

    event_id: str
    error_code: str
    key: str


class Lake:
    """The data of one lake table."""

    def __init__(
        self, clients: Clients, pipeline: DeployedPipeline, key: str = ONLY_LAKE_TABLE
    ) -> None:
        """Open a lake table; key: its name in `lake_tables`."""
        self._clients = clients
        self.pipeline = pipeline
        self.table = pipeline.tables[key]
        self.name = lake_table_title(pipeline.name, key)
        self._settings = (
            pipeline.settings["lake_tables"][key] if pipeline.lake_tables else pipeline.settings
        )
        self.rules: Mapping[str, Any] = self._settings.get("where") or {}
        self.where = Where(self.rules)

    @property
    def transform_module(self) -> str:
        """Path of the module, relative to the program's directory."""
        return str(self._settings["transform_module"])

    def query(self, sql: str) -> QueryResult:
        return query(self._clients, sql, self.pipeline.workgroup, self.pipeline.database)

    def current_state(self) -> QueryResult:
        """Return the current state; raises CommandError when there is none."""
        return self.query(self.current_state_sql())

    @property
    def has_current_state(self) -> bool:
        """Whether the lake table has a view, or a saved query instead."""
        return self.table.view is not None or self.table.current_state_query_id is not None

    def current_state_sql(self) -> str:
        """Return SQL that reads the view, or the saved query.

        Raises CommandError when there is neither.
        """
        if self.table.view is not None:
            return f'SELECT * FROM "{self.pipeline.database}"."{self.table.view}"'
        if self.table.current_state_query_id is None:
            raise CommandError(
                f"{self.name} has no current state. "
                "Set `query.current_state: true`, or query its table.",
                code="no-current-state",
                lake_table=self.name,
            )
        return saved_query(self._clients, self.table.current_state_query_id)

    def location(self) -> str:
        return str(self._glue_table()["StorageDescriptor"]["Location"])

    def object_sizes(self) -> dict[str, list[int]]:
        """Return the sizes of the objects in each partition prefix."""
        location = self.location()
        sizes = defaultdict(list)
        for key, size in list_objects(self._clients, location).items():
            sizes[partition_prefix(location, key)].append(size)
        return dict(sorted(sizes.items()))

    def rows_per_partition(self) -> dict[str, int]:
        """Return the rows in each partition prefix, as Athena counts them."""
        keys = [key["Name"] for key in self._glue_table()["PartitionKeys"]]
        grouped = ", ".join(f'"{key}"' for key in keys)
        sql = f'SELECT {grouped}, count(*) AS "_rows" FROM {self.sql_name} GROUP BY {grouped}'
        return {
            "/".join(f"{key}={row[key]}" for key in keys): int(row["_rows"] or 0)
            for row in self.query(sql).rows
        }

    def event_types(self) -> dict[str, str]:
        """Return the event types of all rows, by event id."""
        rows = self.query(f'SELECT DISTINCT "_event_id", "_op" FROM {self.sql_name}').rows
        return {row["_event_id"] or "": row["_op"] or "" for row in rows}

    def row_counts(self) -> dict[str, int]:
        """Return the number of rows of each change, by event id.

        A table that a crawler creates has none before the crawl.
        """
        glue = self._clients("glue")
        try:
            self._glue_table()
        except glue.exceptions.EntityNotFoundException:
            return {}
        sql = f'SELECT "_event_id", count(*) AS "_rows" FROM {self.sql_name} GROUP BY "_event_id"'
        return {row["_event_id"] or "": int(row["_rows"] or 0) for row in self.query(sql).rows}

    def first_rows(self, count: int) -> QueryResult:
        """Return rows of the current state, else of the change log."""
        sql = f"SELECT * FROM {self.sql_name}"
        if self.has_current_state:
            sql = f"SELECT * FROM ({self.current_state_sql()})"
        return self.query(f"{sql} LIMIT {count}")

    def failed_changes(self) -> list[FailedChange]:
        """Return the changes in error records."""
        s3, failed = self._clients("s3"), []
        for key in list_objects(self._clients, self.table.errors_location):
            body = s3.get_object(Bucket=self.pipeline.bucket, Key=key)["Body"].read()
            for record in map(json.loads, body.splitlines()):
                for change in changes_of(base64.b64decode(record["rawData"])):
                    # Firehose converts what the transform returned: a row.
                    id_ = change.get("eventID") or change["_event_id"]
                    failed.append(FailedChange(str(id_), record["errorCode"], key))
        return failed

    def failure_log(self, event_id: str) -> str | None:
        """Return a function's log line for a failed change, if any."""
        # Firehose writes the error record at once, and the logs of the same call follow.
        end = time.monotonic() + LOG_SECONDS
        while True:
            for line in self.log_lines('"ERROR"'):
                if event_id in line:
                    return line
            if time.monotonic() > end:
                return None
            time.sleep(0.2)

    def log_lines(self, pattern: str, *, prefix: str = "", since_ms: int = 0) -> Iterator[str]:
        """Yield the log lines with a pattern.

        prefix: of the names of the log groups.
        """
        logs = self._clients("logs")
        groups = logs.get_paginator("describe_log_groups")
        filters = {"logGroupNamePrefix": prefix} if prefix else {}
        for page in groups.paginate(**filters):
            for group in page["logGroups"]:
                pages = logs.get_paginator("filter_log_events").paginate(
                    logGroupName=group["logGroupName"], filterPattern=pattern, startTime=since_ms
                )
                for events in pages:
                    yield from (str(event["message"]) for event in events["events"])

    @property
    def sql_name(self) -> str:
        return f'"{self.pipeline.database}"."{self.table.table}"'

    def _glue_table(self) -> Mapping[str, Any]:
        response = self._clients("glue").get_table(
            DatabaseName=self.pipeline.database, Name=self.table.table
        )
        return dict(response["Table"])


def lakes_of(clients: Clients, pipeline: DeployedPipeline) -> list[Lake]:
    """Return every lake table of a pipeline."""
    return [Lake(clients, pipeline, key) for key in pipeline.tables]


def unmatched_changes(clients: Clients, pipeline: DeployedPipeline) -> int:
    """Return the number of unmatched changes that the forwarder counted.

    Its log lines are those from which CloudWatch makes the metric.
    """
    logs = clients("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=f"{pipeline.name}-forwarder-logs-")
    count = 0
    for group in groups["logGroups"]:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"], filterPattern='"ChangesUnmatched"'
        )
        for page in pages:
            for event in page["events"]:
                count += json.loads(event["message"])["ChangesUnmatched"]
    return count


def changes_of(record: bytes) -> list[dict[str, Any]]:
    """Decode a Firehose record: one change per line, as JSON, possibly compressed."""
    changes = []
    for line in record.splitlines():
        change = json.loads(line)
        if set(change) == {"gzip"}:
            change = json.loads(gzip.decompress(base64.b64decode(change["gzip"])))
        changes.append(change)
    return changes
