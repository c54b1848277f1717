import json
import re

import pytest

from streaming_etl.stack.clients import Clients
from tests.local.delivery_streams import Stream, packed, raw

pytestmark = pytest.mark.e2e

DYNAMIC = {
    "Prefix": "data/carrier=!{partitionKeyFromLambda:carrier}/",
    "DynamicPartitioningConfiguration": {"Enabled": True},
}


@pytest.mark.parametrize("between", ["", "\n", "\r\n", " \n\n "])
def test_each_json_object_of_a_record_reaches_the_transform_alone_without_line_breaks(
    aws: Clients, between: str
) -> None:
    stream = Stream(aws, split=True)

    stream.put_data(packed({"do": "tell", "n": '1}{"\n'}, {"do": "tell"}, between=between) + b"\n")

    [body] = stream.objects("data/").values()
    assert body == b'<{"do": "tell", "n": "1}{\\"\\n"}><{"do": "tell"}>'
    assert stream.invocations() == 1


def test_without_the_processor_a_packed_record_reaches_the_transform_whole(aws: Clients) -> None:
    stream = Stream(aws)

    [data] = stream.put_data(packed({"do": "tell"}, {"do": "tell"}) + b"\n")

    assert list(stream.objects("data/").values()) == [b"<" + data + b">"]


def test_the_rows_of_a_packed_record_go_each_to_the_folder_of_its_own_keys(aws: Clients) -> None:
    stream = Stream(aws, split=True, **DYNAMIC)
    yamato, sagawa = ({"do": "keys", "keys": {"carrier": name}} for name in ("yamato", "sagawa"))

    stream.put_data(
        packed({**yamato, "text": "1\n"}, {**sagawa, "text": "2\n"}, {**yamato, "text": "3\n"})
    )

    found = stream.objects("data/", 2)
    assert {key.split("/")[1]: body for key, body in found.items()} == {
        "carrier=yamato": b"1\n3\n",
        "carrier=sagawa": b"2\n",
    }


def test_the_parts_of_all_records_have_ids_of_their_own(aws: Clients) -> None:
    stream = Stream(aws, split=True)
    wish = {"do": "tell id"}

    stream.put_data(packed(wish, wish), packed(wish), packed(wish, wish, wish))

    [body] = stream.objects("data/").values()
    ids = re.findall("<(.*?)>", body.decode())
    assert len(ids) == len(set(ids)) == 6


def test_what_is_bad_in_a_pack_fails_alone(aws: Clients) -> None:
    stream = Stream(aws, split=True)
    good, bad = {"do": "ok", "text": "row\n"}, {"do": "fail", "text": "secret"}

    stream.put_data(packed(good, bad, good))

    [error] = stream.errors()
    assert (error["errorCode"], json.loads(raw(error))) == ("Lambda.ProcessingFailedStatus", bad)
    assert list(stream.objects("data/").values()) == [b"row\nrow\n"]


@pytest.mark.parametrize(("count", "parts"), [(500, 500), (501, 1)])
def test_a_record_of_more_than_500_objects_reaches_the_transform_whole(
    aws: Clients, count: int, parts: int
) -> None:
    stream = Stream(aws, split=True)

    [data] = stream.put_data(packed(*({"do": "tell"},) * count) + b"\n")

    [body] = stream.objects("data/").values()
    assert body.count(b"<") == parts
    assert (body == b"<" + data + b">") == (parts == 1)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"do": "ok"}, {"do": "ok"}', id="something else between"),
        pytest.param(b'{"do": "ok"}\n{"do": ', id="cut short"),
        pytest.param(b"\n", id="nothing"),
        pytest.param(b'[{"do": "ok"}]', id="a list"),
        pytest.param(b'{"do": "ok"}\n7', id="a number"),
        pytest.param(b'{"do":\n"ok"}', id="an object of two lines"),
        pytest.param(b'{"do": "\xff"}', id="no text"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_a_record_of_anything_but_json_objects_is_set_aside_whole_and_harms_no_other(
    aws: Clients, data: bytes
) -> None:
    stream = Stream(aws, split=True)

    stream.put_data(data, packed({"do": "ok", "text": "row\n"}))

    [key] = stream.objects("errors/")
    [error] = stream.errors()
    assert key.startswith("errors/processing-failed/")
    assert error["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"
    assert raw(error) == data
    assert "lambdaARN" not in error
    assert list(stream.objects("data/").values()) == [b"row\n"]


def test_the_transforms_buffer_is_filled_with_the_parts(aws: Clients) -> None:
    stream = Stream(aws, split=True, buffer_mb="0.2")
    row = {"do": "ok", "text": "x" * 120_000}

    stream.put_data(packed(row, row))

    stream.objects("data/", 2)
    assert stream.invocations() == 2
