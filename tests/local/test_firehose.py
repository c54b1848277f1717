import datetime
import re
import time
import zoneinfo
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError
from ministack.services import firehose as ministack_firehose

from local.ministack_patches.firehose import intake as firehose
from streaming_etl.stack.clients import Clients
from tests.local.delivery_streams import ROLE, Stream, raw

pytestmark = pytest.mark.e2e

DYNAMIC = {
    "Prefix": "data/carrier=!{partitionKeyFromLambda:carrier}/!{timestamp:yyyy}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


def test_a_record_marked_failed_becomes_an_error_object_that_holds_it_whole(aws: Clients) -> None:
    stream = Stream(aws)
    before = int(time.time() * 1000)
    good, bad = stream.put({"do": "ok", "text": "row\n"}, {"do": "fail", "text": "secret"})

    [(key, _)] = stream.objects("errors/").items()
    [error] = stream.errors()
    stamps = [error.pop("arrivalTimestamp"), error.pop("attemptEndingTimestamp")]

    assert raw(error) == bad != good
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
    assert list(stream.objects("data/").values()) == [b"row\n"]


def test_a_transform_that_puts_records_back_while_it_runs_does_not_wait_for_itself(
    aws: Clients,
) -> None:
    stream = Stream(aws)

    stream.put({"do": "put back", "text": "second try\n"}, {"do": "ok", "text": "first try\n"})

    assert sorted(stream.objects("data/", 2).values()) == [b"first try\n", b"second try\n"]


def test_the_records_of_one_call_share_one_object_compressed_and_named_as_asked(
    aws: Clients,
) -> None:
    stream = Stream(aws, CompressionFormat="GZIP", FileExtension=".csv.gz")

    stream.put(*({"do": "ok", "text": f"{number}\n"} for number in range(300)))

    [(key, body)] = stream.objects("data/").items()
    assert key.endswith(".csv.gz")
    assert body == b"".join(b"%d\n" % number for number in range(300))
    assert stream.invocations() == 1


def test_what_the_transform_drops_is_nowhere(aws: Clients) -> None:
    stream = Stream(aws)

    stream.put({"do": "drop"}, {"do": "ok", "text": "kept\n"})

    assert list(stream.objects("").values()) == [b"kept\n"]


def test_folders_follow_the_time_of_arrival_in_the_streams_own_zone(aws: Clients) -> None:
    zone = "Pacific/Kiritimati"  # 14 hours ahead: the day differs from UTC's most of the time.
    prefix = "data/day=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    stream = Stream(aws, Prefix=prefix, CustomTimeZone=zone)

    before = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    stream.put({"do": "ok", "text": "row\n"})

    [key] = stream.objects("data/")
    after = datetime.datetime.now(zoneinfo.ZoneInfo(zone))
    folders = {f"{now:data/day=%Y-%m-%d/hour=%H}" for now in (before, after)}
    assert key.rpartition("/")[0] in folders


def test_rows_go_to_the_folder_of_their_partition_keys(aws: Clients) -> None:
    stream = Stream(aws, **DYNAMIC)

    stream.put(
        {"do": "keys", "keys": {"carrier": "yamato"}, "text": "1\n"},
        {"do": "keys", "keys": {"carrier": "sagawa"}, "text": "2\n"},
        {"do": "keys", "keys": {"carrier": "yamato"}, "text": "3\n"},
    )

    found = stream.objects("data/", 2)
    assert {key.split("/")[1]: body for key, body in found.items()} == {
        "carrier=yamato": b"1\n3\n",
        "carrier=sagawa": b"2\n",
    }


def test_a_row_without_its_partition_key_goes_to_the_error_prefix(aws: Clients) -> None:
    stream = Stream(aws, **DYNAMIC)

    stream.put({"do": "keys", "keys": {"other": "x"}, "text": "lost?\n"})

    [error] = stream.errors()
    assert error["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"
    assert raw(error) == b"lost?\n"


def test_a_failing_transform_is_tried_four_times_then_the_whole_batch_is_set_aside(
    aws: Clients,
) -> None:
    stream = Stream(aws)

    batch = stream.put({"do": "ok", "text": "innocent"}, {"do": "raise"})

    errors = stream.errors()
    assert [raw(error) for error in errors] == batch
    assert {(error["errorCode"], error["attemptsMade"]) for error in errors} == {
        ("Lambda.FunctionError", 4)
    }
    assert stream.invocations() == 4


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ("forget", "Lambda.MissingRecordId"),
        ("repeat", "Lambda.DuplicatedRecordId"),
        ("unknown", "Lambda.JsonProcessingException"),
        ("no data", "Lambda.JsonProcessingException"),
        ("bad data", "Lambda.JsonProcessingException"),
    ],
)
def test_a_wrong_answer_is_final_for_its_record_and_harms_no_other(
    aws: Clients, wish: str, code: str
) -> None:
    stream = Stream(aws)

    bad, _ = stream.put({"do": wish, "text": "row\n"}, {"do": "ok", "text": "other\n"})

    [error] = stream.errors()
    assert (error["errorCode"], raw(error)) == (code, bad)
    assert list(stream.objects("data/").values()) == [b"other\n"]
    assert stream.invocations() == 1


def test_an_answer_over_six_megabytes_fails_as_the_lambda_service_fails_it(aws: Clients) -> None:
    stream = Stream(aws)

    stream.put({"do": "many"})

    [error] = stream.errors()
    assert error["errorCode"] == "Lambda.FunctionError"
    assert "6 MB" in error["errorMessage"]


def test_rows_become_parquet_and_one_that_fits_no_column_is_set_aside_alone(
    aws: Clients, tmp_path: Path
) -> None:
    aws("glue").create_database(DatabaseInput={"Name": "parquet"})
    aws("glue").create_table(
        DatabaseName="parquet",
        TableInput={
            "Name": "rows",
            "StorageDescriptor": {"Columns": [{"Name": "n", "Type": "int"}]},
        },
    )
    stream = Stream(aws, DataFormatConversionConfiguration=to_parquet("parquet", "rows"))

    stream.put(
        {"do": "ok", "text": '{"n": 1}\n'},
        {"do": "ok", "text": '{"n": "many"}\n'},
        {"do": "ok", "text": '{"n": 2}\n{"n": 3}\n'},
    )

    [(key, body)] = stream.objects("data/").items()
    assert key.endswith(".parquet")
    file = tmp_path / "rows.parquet"
    file.write_bytes(body)
    with duckdb.connect() as database:
        assert database.read_parquet(str(file)).fetchall() == [(1,), (2,), (3,)]
    [error_key] = stream.objects("errors/")
    [error] = stream.errors()
    assert error_key.startswith("errors/format-conversion-failed/")
    assert error["errorCode"] == "DataFormatConversion.MalformedData"
    assert error["dataCatalogTable"]["tableName"] == "rows"
    assert raw(error) == b'{"n": "many"}\n'


def to_parquet(database: str, table: str) -> dict[str, Any]:
    return {
        "Enabled": True,
        "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
        "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
        "SchemaConfiguration": {"DatabaseName": database, "TableName": table, "RoleARN": ROLE},
    }


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([b"x" * 1_024_001], id="a record over 1,000 KiB"),
        pytest.param([b"x" * 1_000_000] * 5, id="a call over 4 MiB"),
    ],
)
def test_a_put_over_the_limits_of_aws_is_refused(aws: Clients, records: list[bytes]) -> None:
    stream = Stream(aws)

    with pytest.raises(ClientError) as refused:
        aws("firehose").put_record_batch(
            DeliveryStreamName=stream.name, Records=[{"Data": data} for data in records]
        )

    assert refused.value.response["Error"]["Code"] == "InvalidArgumentException"


def test_a_put_on_a_stream_that_is_not_there_says_so(aws: Clients) -> None:
    with pytest.raises(aws("firehose").exceptions.ResourceNotFoundException):
        aws("firehose").put_record(DeliveryStreamName="nobody", Record={"Data": b"x"})


def test_a_ministack_that_lacks_a_borrowed_part_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(ministack_firehose, "_convert_to_parquet")

    with pytest.raises(SystemExit, match=r"firehose\._convert_to_parquet.*pinned"):
        firehose.install()
