"""Transform: one result per record; failed changes affect no others."""

import base64
import json
import sys

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.change.decode import RecordReader
from streaming_etl.handlers.firehose import put_records
from streaming_etl.handlers.firehose.response import MAX_RESPONSE_BYTES, Response
from streaming_etl.handlers.rows.encoder import Rows
from streaming_etl.handlers.rows.row_error import RowError
from streaming_etl.handlers.transform import RequeueError, transform_records
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.handlers.wire.snapshot import marker_record
from tests.handlers.scripted import order, scripted, wide
from tests.support.changes import STREAM_ARN, STREAM_LABEL, firehose_records, line
from tests.support.fake_aws import FakeContext, FakeDelivery, FakeFirehose, client_error
from tests.support.rows import rows_of, runtime

SCRIPTED = runtime(scripted)


def run(*contents, using=SCRIPTED, **options):
    """Results, and requeued records."""
    requeue = FakeDelivery()
    response = transform_records(firehose_records(*contents), using, requeue, **options)
    assert len(json.dumps(response)) <= options.get("max_bytes", MAX_RESPONSE_BYTES)
    return response["records"], requeue.records


def shape(results):
    """Status of each result, with the ids of its rows if any."""
    return [
        (result["result"], [row["id"] for row in rows_of(result)])
        if "data" in result
        else result["result"]
        for result in results
    ]


def logged(capsys):
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def test_the_result_of_valid_changes_is_ok_with_all_rows():
    [record] = firehose_records(line(1) + line(2))
    [result], requeued = run(line(1) + line(2))
    assert result == {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(
            b"".join(
                b'{"id":"o-%d","_op":"INSERT","_key":"{\\"id\\":{\\"S\\":\\"o-%d\\"}}","_row":0,'
                b'"_event_id":"event-%d","_stream_epoch":"2026-11-23T00:00:00.000","_sequence_number":"442158450000000001745043900%d",'
                b'"_changed_at":"2026-11-23 09:30:00"}\n' % (number, number, number, number)
                for number in (1, 2)
            )
        ).decode(),
    }
    assert requeued == []


def test_a_marker_becomes_a_row_without_the_users_function():
    marker = change_line(marker_record(1_795_426_200_000, STREAM_ARN))
    [result], _ = run(marker, using=runtime(lambda _: 1 / 0))
    [row] = rows_of(result)
    assert (row["_op"], row["_key"], row["_stream_epoch"]) == ("BACKFILL", "{}", STREAM_LABEL)


def test_ignores_blank_lines_and_the_last_line_break():
    results, _ = run(line(1).strip(), b"\n" + line(1) + b"\n\r\n" + line(2).strip())
    assert shape(results) == [("Ok", ["o-1"]), ("Ok", ["o-1", "o-2"])]


def test_drops_a_record_without_rows():
    results, requeued = run(order(1, "filter") + order(2, "filter"), b"", b"\n")
    assert [set(result) for result in results] == [{"recordId", "result"}] * 3
    assert (shape(results), requeued) == (["Dropped"] * 3, [])


def test_a_failed_single_change_record_is_dead_lettered_without_data():
    results, requeued = run(line(1), order(2, "fail"), line(3))
    assert [set(result) for result in results][1] == {"recordId", "result"}
    assert shape(results) == [("Ok", ["o-1"]), "ProcessingFailed", ("Ok", ["o-3"])]
    assert requeued == []


@pytest.mark.parametrize("garbage", [b"\xff\xfe", b"{}", b"null", b"[1]", b'{"gzip":"AAAA"}'])
def test_a_line_that_is_not_a_change_is_a_failed_change(garbage):
    results, requeued = run(garbage, line(1) + garbage + b"\n" + line(2))
    assert shape(results) == ["ProcessingFailed", ("Ok", ["o-1", "o-2"])]
    assert requeued == [garbage]


@pytest.mark.parametrize("data", ["no base64", "AAA", "é"])
def test_data_that_is_not_base64_fails_without_the_other_records(data, capsys):
    records = firehose_records(line(1), line(2))
    records[0]["data"] = data
    requeue = FakeDelivery()
    results = transform_records(records, SCRIPTED, requeue)["records"]
    assert (shape(results), requeue.records) == (["ProcessingFailed", ("Ok", ["o-2"])], [])
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change failed",
        "event_id": None,
        "sequence_number": None,
        "error": str(RowError("base64")),
    }


@pytest.mark.parametrize(
    "error",
    [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, RecursionError, MemoryError],
)
def test_any_exception_of_the_module_fails_only_its_change(error, capsys):
    def transform(change):
        if change.new["id"] == "o-2":
            raise error
        return {"id": change.new["id"]}

    results, requeued = run(line(1), line(2), line(3) + line(2), using=runtime(transform))
    assert shape(results) == [("Ok", ["o-1"]), "ProcessingFailed", ("Ok", ["o-3"])]
    assert requeued == [line(2).strip()]
    location = f"test_transform.py:{transform.__code__.co_firstlineno + 2}"
    reason = str(RowError("exception", got=error.__name__, location=location))
    assert logged(capsys)[0]["error"] == reason


def test_a_row_that_ends_the_process_while_it_is_encoded_fails_its_change():
    class Row(dict):
        def get(self, *_):
            raise SystemExit

    rows = runtime(lambda change: Row(change.keys), {"id": "string"})
    results, _ = run(line(1), using=rows)
    assert shape(results) == ["ProcessingFailed"]


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Archive whose module has this text."""
    transform.load_runtime.cache_clear()
    monkeypatch.setattr(transform, "__file__", str(tmp_path / "package/handlers/transform.py"))
    module = {"name": "transform_module", "paths": {"transform_module": "orders.py"}}
    config = {
        "module": module,
        "lazy_items": True,
        "format": "json",
        "columns": None,
        "sources": None,
    }
    keys = {"dynamic_partition_keys": {}, "partition_keys": ["dt"], "time_keys": []}
    (tmp_path / "transform.json").write_text(json.dumps(config | keys | {"time_zone": "UTC"}))
    (tmp_path / "transform_module").mkdir()
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield (tmp_path / "transform_module/orders.py").write_text
    transform.load_runtime.cache_clear()
    sys.modules.pop("transform_module", None)


@pytest.mark.parametrize("error", ["SystemExit", "KeyboardInterrupt"])
def test_a_module_that_ends_the_process_while_it_loads_fails_the_invocation(
    archive, firehose_batch, error
):
    archive(f"raise {error}\n")
    with pytest.raises(ImportError):
        transform.lambda_handler(firehose_batch, FakeContext())


def test_requeues_each_failed_change_of_an_aggregated_record_alone():
    aggregated = line(1) + order(2, "fail") + order(3, "filter") + order(4, "fail") + line(5)
    results, requeued = run(aggregated)
    assert shape(results) == [("Ok", ["o-1", "o-5"])]
    assert requeued == [order(2, "fail").strip(), order(4, "fail").strip()]


def test_drops_a_record_of_failed_changes_and_requeues_each_alone():
    results, requeued = run(order(1, "fail") + order(2, "fail"))
    assert shape(results) == ["Dropped"]
    assert requeued == [order(1, "fail").strip(), order(2, "fail").strip()]


def store(number, name):
    return line(number, store={"S": name})


def test_the_metadata_of_a_result_has_the_partition_keys():
    keyed = runtime(scripted, None, ["store"], ["year", "month"])
    results, _ = run(store(1, "a") + store(2, "a"), using=keyed)
    assert [result["metadata"] for result in results] == [
        {"partitionKeys": {"store": "a", "year": "2026", "month": "11"}}
    ]
    assert shape(results) == [("Ok", ["o-1", "o-2"])]


def test_requeues_the_changes_of_other_partitions_as_a_record_each():
    aggregated = store(1, "a") + store(2, "b") + store(3, "a") + store(4, "c") + store(5, "b")
    results, requeued = run(aggregated, using=runtime(scripted, None, ["store"]))
    assert shape(results) == [("Ok", ["o-1", "o-3"])]
    assert requeued == [(store(2, "b") + store(5, "b")).strip(), store(4, "c").strip()]


def test_a_change_with_rows_of_two_partitions_fails(capsys):
    split = runtime(lambda _: [{"store": "a"}, {"store": "b"}], None, ["store"])
    results, requeued = run(line(1), using=split)
    assert (shape(results), requeued) == (["ProcessingFailed"], [])
    assert logged(capsys)[0]["error"] == str(RowError("partition-mixed"))


def test_requeues_a_record_without_space_in_the_response():
    results, requeued = run(wide(1, 3_000_000), wide(2, 3_000_000), wide(3, 1_000_000))
    assert shape(results) == [("Ok", ["o-1"]), "Dropped", ("Ok", ["o-3"])]
    assert requeued == [wide(2, 3_000_000).strip()]


@pytest.mark.parametrize(("count", "middle"), [(2, 1), (5, 2)])
def test_requeues_halves_of_a_record_too_large_for_any_response(count, middle):
    lines = [wide(number, 2_500_000) for number in range(count)]
    results, requeued = run(b"".join(lines), line(6))
    assert shape(results) == ["Dropped", ("Ok", ["o-6"])]
    assert requeued == [b"".join(lines[:middle]).strip(), b"".join(lines[middle:]).strip()]


def test_a_change_too_large_for_any_response_fails_and_is_not_requeued(capsys):
    results, requeued = run(wide(1, 4_500_000), line(2))
    assert (shape(results), requeued) == (["ProcessingFailed", ("Ok", ["o-2"])], [])
    assert logged(capsys)[0] == {
        "level": "ERROR",
        "message": "change failed",
        "event_id": "event-1",
        "sequence_number": "4421584500000000017450439001",
        "error": str(RowError("response-size")),
    }


def test_a_change_too_large_for_any_response_is_requeued_alone_first():
    too_large = wide(2, 4_500_000)
    results, requeued = run(order(1, "filter") + too_large + order(3, "fail"))
    assert shape(results) == ["Dropped"]
    assert requeued == [order(3, "fail").strip(), too_large.strip()]


def test_the_limit_counts_the_results_of_all_records():
    empty = [order(number, "filter") for number in range(200)]
    results, requeued = run(*empty, wide(200, 15_000), max_bytes=43_000)
    assert (shape(results)[-1], requeued) == (("Ok", ["o-200"]), [])
    results, requeued = run(*empty, wide(200, 15_000), max_bytes=38_000)
    assert (shape(results)[-1], requeued) == ("Dropped", [wide(200, 15_000).strip()])


# Base64 adds a third, and Lambda's limit is 6 MB.
WIDEST, TOO_WIDE = 4_194_304, 4_300_000


@pytest.mark.parametrize("before", [0, 1, 3000])
@pytest.mark.parametrize("after", [0, 1, 500])
@pytest.mark.parametrize("size", [WIDEST, TOO_WIDE])
def test_rows_pass_or_fail_for_their_own_size(size, before, after):
    neighbours = [wide(number, 300) for number in range(before + after)]
    large = wide(9999, size)
    contents = [*neighbours[:before], large, *neighbours[before:]]
    ended = {}
    while contents:
        results, requeued = run(*contents)
        for content, result in zip(contents, results, strict=True):
            if result["result"] != "Dropped":
                ended[content.strip()] = result["result"]
        contents = requeued
    assert ended.pop(large.strip()) == ("Ok" if size == WIDEST else "ProcessingFailed")
    assert [*ended.values()] == ["Ok"] * (before + after)


def test_an_aggregated_change_passes_or_fails_for_its_own_size():
    changes = [line(1), wide(2, WIDEST), line(3), wide(4, TOO_WIDE), line(5), wide(6, WIDEST)]
    contents, rows, failed = [line(7), b"".join(changes), line(8)], [], []
    while contents:
        results, requeued = run(*contents)
        for content, outcome in zip(contents, shape(results), strict=True):
            if outcome == "ProcessingFailed":
                failed.append(content.strip())
            elif outcome != "Dropped":
                rows += outcome[1]
        contents = requeued
    assert sorted(rows) == ["o-1", "o-2", "o-3", "o-5", "o-6", "o-7", "o-8"]
    assert failed == [wide(4, TOO_WIDE).strip()]


def test_large_rows_evict_smaller_rows_the_fewest_possible():
    some = [wide(1, 400_000), wide(2, 900_000), wide(3, 3_000_000)]
    results, requeued = run(*some, wide(4, 1_000_000), wide(5, 50_000))
    assert shape(results) == [
        ("Ok", ["o-1"]),
        "Dropped",
        ("Ok", ["o-3"]),
        ("Ok", ["o-4"]),
        ("Ok", ["o-5"]),
    ]
    assert [set(result) for result in results][1] == {"recordId", "result"}
    assert requeued == [wide(2, 900_000).strip()]


def test_rows_that_were_not_evicted_may_be_evicted_later():
    sizes = [400_000, 900_000, 3_000_000, 1_000_000, 1_300_000]
    results, requeued = run(*[wide(number, size) for number, size in enumerate(sizes)])
    assert shape(results) == ["Dropped", "Dropped", ("Ok", ["o-2"]), "Dropped", ("Ok", ["o-4"])]
    assert requeued == [wide(number, sizes[number]).strip() for number in (1, 3, 0)]


def test_large_rows_that_fill_the_response_exactly_evict_all_others():
    small, large = wide(1, 50), wide(2, 500)
    results, _ = run(order(1, "filter"), large)
    # The longest results are those of failures.
    longer = 2 * len("ProcessingFailed") - len("Dropped") - len("Ok")
    exact = len(json.dumps({"records": results})) + longer + len(", ")
    results, requeued = run(small, large, max_bytes=exact)
    assert (shape(results), requeued) == (["Dropped", ("Ok", ["o-2"])], [small.strip()])
    results, requeued = run(small, large, max_bytes=exact - 1)
    assert (shape(results), requeued) == ([("Ok", ["o-1"]), "Dropped"], [large.strip()])


def test_small_rows_evict_no_others():
    results, requeued = run(wide(1, 4_100_000), wide(2, 300_000), wide(3, 310_000))
    assert shape(results) == [("Ok", ["o-1"]), ("Ok", ["o-2"]), "Dropped"]
    assert requeued == [wide(3, 310_000).strip()]


def test_evicted_rows_have_no_partition_keys_and_are_not_counted(capsys):
    keyed = runtime(scripted, None, ["store"])
    stored = {"store": {"S": "a"}}
    results, requeued = run(wide(1, 900_000, **stored), wide(2, 4_000_000, **stored), using=keyed)
    assert [set(result) for result in results] == [
        {"recordId", "result"},
        {"recordId", "result", "data", "metadata"},
    ]
    assert requeued == [wide(1, 900_000, **stored).strip()]
    assert (logged(capsys)[-1]["rows"], logged(capsys)) == (1, [])


@pytest.mark.parametrize("partition_keys", [(), ("store",)])
def test_rows_that_fill_the_response_exactly_are_ok(partition_keys):
    keyed = runtime(scripted, None, partition_keys)
    contents = [order(number, "", store={"S": "a"}) for number in range(100, 112)]
    results, _ = run(*contents, using=keyed)
    # The longest results are those of failures.
    longer = len("ProcessingFailed") - len("Ok")
    exact = len(json.dumps({"records": results})) + longer * len(results) + len(", ")
    results, requeued = run(*contents, using=keyed, max_bytes=exact)
    assert ([result["result"] for result in results], requeued) == (["Ok"] * 12, [])
    results, requeued = run(*contents, using=keyed, max_bytes=exact - 1)
    assert (shape(results)[-1], requeued) == ("Dropped", [contents[-1].strip()])


def test_rows_of_exactly_the_largest_size_are_ok():
    [result], _ = run(wide(1, 60_000))
    size = len(json.dumps({"data": result["data"]}))
    # A sixteenth is left for other results.
    largest = [each for each in range(size, 2 * size) if each - each // 16 == size]
    results, _ = run(wide(1, 60_000), max_bytes=largest[0])
    assert shape(results) == [("Ok", ["o-1"])]
    results, _ = run(wide(1, 60_000), max_bytes=largest[0] - 1)
    assert shape(results) == ["ProcessingFailed"]


def test_the_invocation_fails_if_no_record_has_space_for_the_results_of_the_others():
    records = [wide(number, 20_000) for number in range(50)]
    with pytest.raises(RequeueError):
        run(*records, max_bytes=30_000)
    results, requeued = run(*records, order(50, "filter"), max_bytes=30_000)
    assert (shape(results), len(requeued)) == (["Dropped"] * 51, 50)


def test_partition_keys_and_values_differ_in_number_only_by_a_defect():
    [chunk] = RecordReader().read(line(1))
    response = Response(["1"], ("store", "dt"), 6_000)
    with pytest.raises(ValueError, match="zip"):
        response.add("1", [chunk], [Rows(("a",), b"{}", 1)])


def test_fails_without_a_log_line_if_firehose_does_not_accept_requeued_changes(capsys):
    with pytest.raises(RequeueError, match="1 of 2 records"):
        transform_records(
            firehose_records(order(1, "fail") + order(2, "fail"), order(3, "fail")),
            SCRIPTED,
            FakeDelivery({1}),
        )
    assert capsys.readouterr().out == ""


def test_makes_no_call_if_nothing_is_requeued():
    requeue = FakeDelivery()
    transform_records(firehose_records(line(1), order(2, "fail")), SCRIPTED, requeue)
    assert requeue.calls == 0


def test_the_metadata_is_the_same_after_transform_modified_the_change():
    def modify(change):
        change.keys.clear()
        return {"left": change.new.popitem() and len(change.new)}

    [result], _ = run(line(1), using=runtime(modify))
    assert rows_of(result)[0]["_key"] == '{"id":{"S":"o-1"}}'


@pytest.fixture
def loaded(monkeypatch):
    """Give the handler its runtime and, when called, its Firehose."""
    monkeypatch.setattr(transform, "load_runtime", lambda: SCRIPTED)
    return lambda fake: monkeypatch.setattr(put_records, "firehose", lambda: fake)


def test_the_handler_returns_a_result_for_each_record_of_the_event(firehose_batch, monkeypatch):
    by_key = runtime(lambda change: change.keys)
    monkeypatch.setattr(transform, "load_runtime", lambda: by_key)
    results = transform.lambda_handler(firehose_batch, FakeContext())["records"]
    assert [result["recordId"] for result in results] == [
        record["recordId"] for record in firehose_batch["records"]
    ]
    kinds = [rows_of(result)[0]["_op"] for result in results]
    assert kinds == ["INSERT", "MODIFY", "REMOVE", "REMOVE"]


def test_the_handler_requeues_to_the_delivery_stream_of_the_event(loaded, firehose_batch):
    fake = FakeFirehose()
    loaded(fake)
    failing = [order(number, "fail") for number in range(501)]
    firehose_batch["records"] = firehose_records(b"".join(failing))
    transform.lambda_handler(firehose_batch, FakeContext())
    assert fake.streams == {"orders-delivery-1a2b3c4"}
    assert fake.calls == [[change.strip() for change in failing[:500]], [failing[500].strip()]]


def test_the_handler_fails_if_firehose_rejects_requeued_changes(loaded, firehose_batch):
    loaded(FakeFirehose(then=client_error("ResourceNotFoundException")))
    firehose_batch["records"] = firehose_records(order(1, "fail") + order(2, "fail"))
    with pytest.raises(RequeueError):
        transform.lambda_handler(firehose_batch, FakeContext())


def test_the_event_file_has_the_forwarders_records(stream_batch, firehose_batch):
    lines = [base64.b64decode(record["data"]) for record in firehose_batch["records"]]
    sent = [change_line(record) for record in stream_batch]
    assert [json.loads(line) for line in lines] == [json.loads(line) for line in sent]
