"""What a pipeline has made of the changes: folders, rows, current state, refused changes."""

import base64
import gzip
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

from local.emulator.athena import Answer, query, saved_query
from local.emulator.crawl import hive_folder
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.outputs import Pipeline


@dataclass(frozen=True)
class Refused:
    """A change in the error prefix, without its content."""

    event_id: str
    error_code: str
    error_message: str
    key: str


class Lake:
    """Reads one pipeline's lake, through S3 and Athena as a user would."""

    def __init__(self, clients: Clients, pipeline: Pipeline) -> None:
        self._clients = clients
        self.pipeline = pipeline

    def query(self, sql: str) -> Answer:
        return query(self._clients, sql, self.pipeline.workgroup, self.pipeline.database)

    def current_state(self) -> Answer:
        return self.query(saved_query(self._clients, self.pipeline.current_state_query_id))

    def location(self) -> str:
        table = self._clients("glue").get_table(
            DatabaseName=self.pipeline.database, Name=self.pipeline.table
        )["Table"]
        return str(table["StorageDescriptor"]["Location"])

    def folders(self) -> dict[str, tuple[int, int]]:
        """Partition folder below the table's location: its objects and their bytes."""
        prefix = urlparse(self.location()).path.lstrip("/")
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for key, size in self._objects(prefix):
            folder = hive_folder(key[len(prefix) :])
            counts[folder] += 1
            sizes[folder] += size
        return {folder: (counts[folder], sizes[folder]) for folder in sorted(counts)}

    def rows_per_folder(self) -> dict[str, int]:
        """The same folders, as Athena sees them: how many rows each holds."""
        answer = self.query(self._saved(f"{self.pipeline.name}-rows-per-partition"))
        *keys, rows = answer.columns
        return {
            "/".join(f"{key}={row[key]}" for key in keys): int(row[rows] or 0)
            for row in answer.rows
        }

    def event_ids(self) -> set[str]:
        """The changes that are rows of the lake."""
        table = f'"{self.pipeline.database}"."{self.pipeline.table}"'
        answer = self.query(f'SELECT DISTINCT "_event_id" FROM {table}')
        return {row["_event_id"] or "" for row in answer.rows}

    def refused(self) -> list[Refused]:
        """The changes that lie in the error prefix."""
        prefix = urlparse(self.pipeline.errors_location).path.lstrip("/")
        found = []
        for key, _ in self._objects(prefix):
            body = self._clients("s3").get_object(Bucket=self.pipeline.bucket, Key=key)["Body"]
            for line in body.read().splitlines():
                error = json.loads(line)
                for change in changes_of(base64.b64decode(error["rawData"])):
                    event_id = str(change.get("eventID"))
                    code, message = error["errorCode"], error["errorMessage"]
                    found.append(Refused(event_id, code, message, key))
        return found

    def refusal_log(self, event_id: str) -> str | None:
        """The transform's own log line of a refused change."""
        for group in self._clients("logs").describe_log_groups()["logGroups"]:
            events = self._clients("logs").filter_log_events(
                logGroupName=group["logGroupName"], filterPattern='"change failed"'
            )["events"]
            for event in events:
                if event_id in event["message"]:
                    return str(event["message"])
        return None

    def _saved(self, name: str) -> str:
        athena = self._clients("athena")
        listed = athena.list_named_queries(WorkGroup=self.pipeline.workgroup)["NamedQueryIds"]
        queries = athena.batch_get_named_query(NamedQueryIds=listed)["NamedQueries"]
        return str(next(saved["QueryString"] for saved in queries if saved["Name"] == name))

    def _objects(self, prefix: str) -> list[tuple[str, int]]:
        pages = self._clients("s3").get_paginator("list_objects_v2")
        return [
            (found["Key"], found["Size"])
            for page in pages.paginate(Bucket=self.pipeline.bucket, Prefix=prefix)
            for found in page.get("Contents", [])
        ]


def changes_of(record: bytes) -> list[dict[str, Any]]:
    """The changes in one Firehose record: a JSON object per line, each maybe compressed."""
    changes = []
    for line in record.splitlines():
        change = json.loads(line)
        if set(change) == {"gzip"}:
            change = json.loads(gzip.decompress(base64.b64decode(change["gzip"])))
        changes.append(change)
    return changes
