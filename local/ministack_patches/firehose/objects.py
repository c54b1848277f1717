"""Firehose, third part: rows and errors into S3 objects below the evaluated prefixes."""

import base64
import datetime
import gzip
import json
import time
import zoneinfo
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import firehose, s3

from local.ministack_patches.firehose.processor import Failure, Good, Record

EXTENSIONS = {"GZIP": ".gz", "UNCOMPRESSED": ""}


class Objects:
    """The objects that one batch becomes."""

    def __init__(self, stream: Mapping[str, Any], config: Mapping[str, Any], arrived: float):
        self._config = config
        self._bucket = firehose._s3_bucket_from_arn(config["BucketARN"])
        zone = zoneinfo.ZoneInfo(config.get("CustomTimeZone") or "UTC")
        self._time = datetime.datetime.fromtimestamp(arrived, zone).timetuple()
        stamp = firehose._java_time("yyyy-MM-dd-HH-mm-ss", self._time)
        self._stem = f"{stream['name']}-{stream.get('version', 1)}-{stamp}"
        conversion = config.get("DataFormatConversionConfiguration") or {}
        self._conversion = conversion if conversion.get("Enabled", True) else {}
        self._compression = config.get("CompressionFormat") or "UNCOMPRESSED"

    def write_rows(self, rows: list[Good]) -> list[Failure]:
        """One object for each folder; returns what cannot be placed or converted."""
        failures: list[Failure] = []
        folders: dict[str, list[Good]] = defaultdict(list)
        for row in rows:
            try:
                folders[self._folder(row.keys)].append(row)
            except firehose._DeliveryError as error:
                code = "DynamicPartitioning.MetadataExtractionFailed"
                failures.append(Failure(after_transform(row), code, error.message))
        for folder, placed in folders.items():
            body, refused = self._body(placed)
            failures += refused
            if len(refused) < len(placed):
                self._put(folder, body, self._extension())
        return failures

    def write_errors(self, failures: list[Failure]) -> None:
        """One object of JSON lines for each kind of error."""
        kinds: dict[str, list[Failure]] = defaultdict(list)
        for failure in failures:
            kinds[failure.kind].append(failure)
        for kind, failed in kinds.items():
            lines = "".join(json.dumps(error_line(failure)) + "\n" for failure in failed)
            self._put(self._error_folder(kind), lines.encode(), "")

    def _folder(self, keys: Mapping[str, str]) -> str:
        dynamic = (self._config.get("DynamicPartitioningConfiguration") or {}).get("Enabled")
        prefix = self._config.get("Prefix", "")
        lambda_keys = keys if dynamic else None
        return str(firehose._evaluate_prefix(prefix, self._time, lambda_keys=lambda_keys))

    def _error_folder(self, kind: str) -> str:
        prefix = self._config.get("ErrorOutputPrefix")
        if not prefix:
            prefix = f"{self._config.get('Prefix', '')}{kind}/"
        return str(firehose._evaluate_prefix(prefix, self._time, error_type=kind))

    def _extension(self) -> str:
        own = ".parquet" if self._conversion else EXTENSIONS[self._compression]
        return self._config.get("FileExtension") or own

    def _body(self, rows: list[Good]) -> tuple[bytes, list[Failure]]:
        """The object's bytes, and the records that do not fit the Glue table."""
        joined = b"".join(row.data for row in rows)
        if not self._conversion:
            return gzip.compress(joined) if self._compression == "GZIP" else joined, []
        try:
            return firehose._convert_to_parquet(self._conversion, joined), []
        except firehose._DeliveryError as error:
            if len(rows) == 1:
                return b"", [self._conversion_failure(rows[0], error)]
        # One by one: a record that does not fit must not hold up the others.
        failures = [failure for row in rows for failure in self._body([row])[1]]
        refused = {failure.record.id for failure in failures}
        fitting = [row for row in rows if row.record.id not in refused]
        return (self._body(fitting)[0] if fitting else b""), failures

    def _conversion_failure(self, row: Good, error: Any) -> Failure:
        schema = self._conversion.get("SchemaConfiguration") or {}
        table = {
            "catalogId": schema.get("CatalogId") or get_account_id(),
            "databaseName": schema.get("DatabaseName"),
            "tableName": schema.get("TableName"),
            "region": schema.get("Region") or get_region(),
            "versionId": schema.get("VersionId", "LATEST"),
        }
        extra = {"dataCatalogTable": table}
        return Failure(
            after_transform(row), error.code, error.message, error.output_type, extra=extra
        )

    def _put(self, folder: str, body: bytes, extension: str) -> None:
        key = f"{folder}{self._stem}-{new_uuid()}{extension}"
        headers = {"content-type": "application/octet-stream"}
        status, _, answer = s3._put_object(self._bucket, key, body, headers)
        if status >= 300:
            raise RuntimeError(f"S3 refused an object of Firehose: {answer!r}")


def after_transform(row: Good) -> Record:
    """What fails behind the transform lies in the error prefix as the transform left it."""
    return row.record._replace(data=row.data)


def error_line(failure: Failure) -> dict[str, Any]:
    """An error object's line, as AWS writes it.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": int(failure.record.arrived * 1000),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(failure.record.data).decode(),
        **failure.extra,
    }
