"""Delivery streams, from a put to objects and error records."""

import datetime
import re
import time
import zoneinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError

from streaming_etl.stack.clients import Clients
from tests.local.builders import ROLE
from tests.local.ministack_patches.firehose.streams import DYNAMIC, Stream, raw_data

pytestmark = pytest.mark.e2e


def test_a_record_with_processing_failed_becomes_a_complete_error_record(aws: Clients) -> None:
    stream = Stream(aws)
    before = int(time.time() * 1000)
    good, bad = stream.put({"do": "ok", "text": "row\n"}, {"do": "fail", "text": "secret"})

    [(key, _)] = stream.objects("errors/").items()
    [error] = stream.errors()
    stamps = [error.pop("arrivalTimestamp"), error.pop("attemptEndingTimestamp")]

    assert raw_data(error) == bad != good
    del error["rawData"]
    assert error == {
        "attemptsMade": 1,
        "errorCode": "Lambda.ProcessingFailedStatus",
        "errorMessage": "ProcessingFailed status set for record",
        "lambdaARN": f"{stream.function_arn}:$LATEST",
    }
    assert before <= stamps[0] <= stamps[1] <= time.time() * 1000
    today = f"{datetime.datetime.now(datetime.UTC):%Y/%m/%d/%H}"
    assert re.fullmatch(rf"errors/processing-failed/{today}/{stream.name}-1-.*", key)
    assert stream.rows() == [b"row\n"]


def test_a_transform_that_requeues_records_does_not_wait_for_itself(
    aws: Clients,
) -> None:
    stream = Stream(aws)

    stream.put({"do": "requeue", "text": "second try\n"}, {"do": "ok", "text": "first try\n"})

    assert sorted(stream.rows(2)) == [b"first try\n", b"second try\n"]


def test_the_records_of_one_call_share_one_compressed_object(
    aws: Clients,
) -> None:
    stream = Stream(aws, CompressionFormat="GZIP", FileExtension=".csv.gz")

    stream.put(*({"do": "ok", "text": f"{number}\n"} for number in range(300)))

    [(key, body)] = stream.objects("data/").items()
    assert key.endswith(".csv.gz")
    assert body == b"".join(b"%d\n" % number for number in range(300))
    assert stream.invocations() == 1


def test_a_dropped_record_is_not_delivered(aws: Clients) -> None:
    stream = Stream(aws)

    stream.put({"do": "drop"}, {"do": "ok", "text": "kept\n"})

    assert list(stream.objects("").values()) == [b"kept\n"]


def test_prefixes_have_the_ingestion_time_in_the_streams_time_zone(aws: Clients) -> None:
    zone = "Pacific/Kiritimati"  # 14 hours ahead: the day differs from UTC's most of the time.
    prefix = "data/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    stream = Stream(aws, Prefix=prefix, CustomTimeZone=zone)

    before = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    stream.put({"do": "ok", "text": "row\n"})

    [key] = stream.objects("data/")
    after = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    folders = {f"{now:data/day=%Y-%m-%d/hour=%H}" for now in (before, after)}
    assert key.rpartition("/")[0] in folders


def test_rows_go_to_the_prefix_of_their_partition_keys(aws: Clients) -> None:
    stream = Stream(aws, **DYNAMIC)

    stream.put(
        {"do": "keys", "keys": {"carrier": "yamato"}, "text": "1\n"},
        {"do": "keys", "keys": {"carrier": "sagawa"}, "text": "2\n"},
        {"do": "keys", "keys": {"carrier": "yamato"}, "text": "3\n"},
    )

    assert stream.rows_by_carrier() == {"carrier=yamato": b"1\n3\n", "carrier=sagawa": b"2\n"}


def test_a_row_without_its_partition_key_becomes_an_error_record(aws: Clients) -> None:
    stream = Stream(aws, **DYNAMIC)

    stream.put({"do": "keys", "keys": {"other": "x"}, "text": "lost?\n"})

    [error] = stream.errors()
    assert error["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"
    assert raw_data(error) == b"lost?\n"


def test_a_failing_transform_is_invoked_four_times_before_its_batch_is_dead_lettered(
    aws: Clients,
) -> None:
    stream = Stream(aws)

    batch = stream.put({"do": "ok", "text": "row"}, {"do": "raise"})

    errors = stream.errors()
    assert [raw_data(error) for error in errors] == batch
    assert {(error["errorCode"], error["attemptsMade"]) for error in errors} == {
        ("Lambda.FunctionError", 4)
    }
    assert stream.invocations() == 4


def test_an_invalid_response_is_final_for_its_record_and_affects_no_other(aws: Clients) -> None:
    stream = Stream(aws)
    codes = {
        "omit": "Lambda.MissingRecordId",
        "repeat": "Lambda.DuplicatedRecordId",
        "unknown result": "Lambda.JsonProcessingException",
        "no data": "Lambda.JsonProcessingException",
        "invalid data": "Lambda.JsonProcessingException",
    }

    *invalid, _ = stream.put(*({"do": action} for action in (*codes, "ok")))

    errors = [(raw_data(error), error["errorCode"]) for error in stream.errors()]
    assert errors == list(zip(invalid, codes.values(), strict=True))
    assert stream.rows() == [b""]
    assert stream.invocations() == 1


def test_a_response_over_six_megabytes_is_a_function_error(aws: Clients) -> None:
    stream = Stream(aws)

    stream.put({"do": "large"})

    [error] = stream.errors()
    assert error["errorCode"] == "Lambda.FunctionError"


def test_converts_rows_to_parquet_and_dead_letters_only_those_that_do_not_fit(
    aws: Clients, tmp_path: Path
) -> None:
    aws("glue").create_database(DatabaseInput={"Name": "parquet"})
    aws("glue").create_table(
        DatabaseName="parquet",
        TableInput={
            "Name": "rows",
            "StorageDescriptor": {
                "Columns": [
                    {"Name": "n", "Type": "int"},
                    {"Name": "price", "Type": "decimal(38,10)"},
                ]
            },
        },
    )
    price = "1234567890123456789012345678.0123456789"
    stream = Stream(aws, DataFormatConversionConfiguration=to_parquet("parquet", "rows"))

    stream.put(
        {"do": "ok", "text": '{"n": 1}\n'},
        {"do": "ok", "text": '{"n": "many"}\n'},
        {"do": "ok", "text": f'{{"n": 2, "price": {price}}}\n{{"n": 3}}\n'},
    )

    [(key, body)] = stream.objects("data/").items()
    assert key.endswith(".parquet")
    file = tmp_path / "rows.parquet"
    file.write_bytes(body)
    with duckdb.connect() as database:
        rows = database.read_parquet(str(file)).fetchall()
    assert rows == [(1, None), (2, Decimal(price)), (3, None)]
    [error_key] = stream.objects("errors/")
    [error] = stream.errors()
    assert error_key.startswith("errors/format-conversion-failed/")
    assert error["errorCode"] == "DataFormatConversion.MalformedData"
    assert error["dataCatalogTable"]["tableName"] == "rows"
    assert raw_data(error) == b'{"n": "many"}\n'


def test_a_struct_in_parquet_may_be_empty(aws: Clients, tmp_path: Path) -> None:
    nested = "struct<a:int,m:map<string,struct<b:int>>,l:array<struct<c:int>>>"
    aws("glue").create_database(DatabaseInput={"Name": "structs"})
    columns = [{"Name": "s", "Type": nested}, {"Name": "m", "Type": "map<string,int>"}]
    table = {"Name": "rows", "StorageDescriptor": {"Columns": columns}}
    aws("glue").create_table(DatabaseName="structs", TableInput=table)
    stream = Stream(aws, DataFormatConversionConfiguration=to_parquet("structs", "rows"))

    values = ["{}", '{"m": {"k": {}}, "l": [{}, {"c": 1}]}', '{"a": 1}', "null"]
    stream.put(*({"do": "ok", "text": f'{{"s": {each}, "m": {{}}}}\n'} for each in values))

    [body] = stream.objects("data/").values()
    file = tmp_path / "rows.parquet"
    file.write_bytes(body)
    with duckdb.connect() as database:
        rows = database.read_parquet(str(file)).fetchall()
    assert rows == [
        ({"a": None, "m": None, "l": None}, {}),
        ({"a": None, "m": {"k": {"b": None}}, "l": [{"c": None}, {"c": 1}]}, {}),
        ({"a": 1, "m": None, "l": None}, {}),
        (None, {}),
    ]


def to_parquet(database: str, table: str) -> dict[str, Any]:
    return {
        "Enabled": True,
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        "SchemaConfiguration": {"DatabaseName": database, "TableName": table, "RoleARN": ROLE},
    }


@pytest.mark.parametrize("sizes", [[1_024_001], [1_000_000] * 5], ids=["record", "call"])
def test_rejects_a_put_over_the_limits_of_aws(aws: Clients, sizes: list[int]) -> None:
    stream = Stream(aws)

    with pytest.raises(ClientError) as rejected:
        stream.put_data(*(b"x" * size for size in sizes))

    assert rejected.value.response["Error"]["Code"] == "InvalidArgumentException"


def test_rejects_a_put_to_an_unknown_stream(aws: Clients) -> None:
    with pytest.raises(aws("firehose").exceptions.ResourceNotFoundException):
        aws("firehose").put_record(DeliveryStreamName="unknown", Record={"Data": b"x"})
