"""Write rows and error records as S3 objects below the evaluated prefixes."""

import base64
import datetime
import gzip
import json
import time
import zoneinfo
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import duckdb
from ministack.core.responses import get_account_id, get_region, new_uuid
from ministack.services import firehose, glue, s3

from local.ministack_patches.firehose.deaggregation import json_objects
from local.ministack_patches.firehose.processor import FailedRecord, Record, TransformedRecord

EXTENSIONS = {"GZIP": ".gz", "UNCOMPRESSED": ""}


class ObjectWriter:
    """Writes the objects of one batch."""

    def __init__(self, stream: Mapping[str, Any], config: Mapping[str, Any], arrived: float):
        self._config = config
        self._bucket = firehose._s3_bucket_from_arn(config["BucketARN"])
        zone = zoneinfo.ZoneInfo(config.get("CustomTimeZone") or "UTC")
        self._time = datetime.datetime.fromtimestamp(arrived, zone).timetuple()
        timestamp = firehose._java_time("yyyy-MM-dd-HH-mm-ss", self._time)
        self._name = f"{stream['name']}-{stream.get('version', 1)}-{timestamp}"
        conversion = config.get("DataFormatConversionConfiguration") or {}
        self._conversion = conversion if conversion.get("Enabled", True) else {}
        self._compression = config.get("CompressionFormat") or "UNCOMPRESSED"

    def write_rows(self, rows: list[TransformedRecord]) -> list[FailedRecord]:
        """Write one object per prefix; return the records that fail."""
        failures: list[FailedRecord] = []
        by_prefix: dict[str, list[TransformedRecord]] = defaultdict(list)
        for row in rows:
            try:
                by_prefix[self._prefix(row.partition_keys)].append(row)
            except firehose._DeliveryError as error:
                code = "DynamicPartitioning.MetadataExtractionFailed"
                failures.append(FailedRecord(after_transform(row), code, error.message))
        for prefix, rows_of_prefix in by_prefix.items():
            body, unconverted = self._body(rows_of_prefix)
            failures += unconverted
            if len(unconverted) < len(rows_of_prefix):
                self._put(prefix, body, self._extension())
        return failures

    def write_errors(self, failures: list[FailedRecord]) -> None:
        """Write one object of JSON lines per error output type."""
        by_type: dict[str, list[FailedRecord]] = defaultdict(list)
        for failure in failures:
            by_type[failure.error_output_type].append(failure)
        for error_type, failed in by_type.items():
            lines = "".join(json.dumps(error_record(failure)) + "\n" for failure in failed)
            self._put(self._error_prefix(error_type), lines.encode(), "")

    def _prefix(self, partition_keys: Mapping[str, str]) -> str:
        dynamic = (self._config.get("DynamicPartitioningConfiguration") or {}).get("Enabled")
        prefix = self._config.get("Prefix", "")
        lambda_keys = partition_keys if dynamic else None
        return str(firehose._evaluate_prefix(prefix, self._time, lambda_keys=lambda_keys))

    def _error_prefix(self, error_type: str) -> str:
        prefix = self._config.get("ErrorOutputPrefix")
        if not prefix:
            prefix = f"{self._config.get('Prefix', '')}{error_type}/"
        return str(firehose._evaluate_prefix(prefix, self._time, error_type=error_type))

    def _extension(self) -> str:
        default = ".parquet" if self._conversion else EXTENSIONS[self._compression]
        return self._config.get("FileExtension") or default

    def _body(self, rows: list[TransformedRecord]) -> tuple[bytes, list[FailedRecord]]:
        """Return the object's bytes, and the records that cannot be converted."""
        joined = b"".join(row.data for row in rows)
        if not self._conversion:
            return gzip.compress(joined) if self._compression == "GZIP" else joined, []
        try:
            documents = firehose._json_documents(joined)
            for name, kind in self._column_types().items():
                for document in documents:
                    if name in document:
                        document[name] = with_named_fields(document[name], kind)
            return firehose._convert_to_parquet(self._conversion, documents), []
        except firehose._DeliveryError as error:
            if len(rows) == 1:
                return b"", [self._conversion_failure(rows[0], error)]
        # Converts records one by one, to find those that do not fit.
        failures = [failure for row in rows for failure in self._body([row])[1]]
        failed = {failure.record.id for failure in failures}
        fitting = [row for row in rows if row.record.id not in failed]
        return (self._body(fitting)[0] if fitting else b""), failures

    def _column_types(self) -> dict[str, Any]:
        """Return DuckDB's types of the nested columns."""
        schema = self._conversion.get("SchemaConfiguration") or {}
        table = glue._tables.get(f"{schema.get('DatabaseName')}/{schema.get('TableName')}") or {}
        columns = (table.get("StorageDescriptor") or {}).get("Columns") or []
        return {
            column["Name"]: duckdb.sqltype(firehose._hive_to_duckdb_type(column["Type"]))
            for column in columns
            if "struct<" in column.get("Type", "")
        }

    def _conversion_failure(self, row: TransformedRecord, error: Any) -> FailedRecord:
        schema = self._conversion.get("SchemaConfiguration") or {}
        table = {
            "catalogId": schema.get("CatalogId") or get_account_id(),
            "databaseName": schema.get("DatabaseName"),
            "tableName": schema.get("TableName"),
            "region": schema.get("Region") or get_region(),
            "versionId": schema.get("VersionId", "LATEST"),
        }
        fields = {"dataCatalogTable": table}
        record = after_transform(row)
        return FailedRecord(record, error.code, error.message, error.output_type, fields=fields)

    def _put(self, prefix: str, body: bytes, extension: str) -> None:
        key = f"{prefix}{self._name}-{new_uuid()}{extension}"
        headers = {"content-type": "application/octet-stream"}
        status, _, response = s3._put_object(self._bucket, key, body, headers)
        if status >= 300:
            raise RuntimeError(f"S3 rejected an object of Firehose: {response!r}")


def with_named_fields(value: Any, kind: Any) -> Any:
    """Return a value whose empty structs have a field without a value.

    kind: a type of DuckDB, which cannot convert an empty dict to a struct.
    """
    match kind.id, value:
        case "struct", {}:
            fields = dict(kind.children)
            return {
                name: with_named_fields(each, fields[name]) if name in fields else each
                for name, each in (value or dict.fromkeys([next(iter(fields))])).items()
            }
        case "list", [*items]:
            return [with_named_fields(each, kind.children[0][1]) for each in items]
        case "map", {}:
            return {
                key: with_named_fields(each, kind.children[1][1]) for key, each in value.items()
            }
    return value


def exact_documents(parse: Callable[[bytes], list[Any]], data: bytes | list[Any]) -> list[Any]:
    """Parse the rows of a Parquet object, decimals exact.

    parse: ministack's parser, which rounds decimals to 53 bits and raises the errors.
    data: rows that are parsed already are returned as they are.
    """
    if isinstance(data, list):
        return data
    parse(data)
    return [json.loads(text, parse_float=Decimal) for text in json_objects(data.decode())]


def after_transform(row: TransformedRecord) -> Record:
    """Return the record with the transform's data, as AWS stores it."""
    return row.record._replace(data=row.data)


def error_record(failure: FailedRecord) -> dict[str, Any]:
    """Build a line of an error object.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
    """
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": int(failure.record.arrived * 1000),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptEndingTimestamp": int(time.time() * 1000),
        "rawData": base64.b64encode(failure.record.data).decode(),
        **failure.fields,
    }
