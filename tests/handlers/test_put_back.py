"""What goes back on the stream is counted in a metric, whatever becomes of the rest."""

import json

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.firehose import put_records as put
from streaming_etl.handlers.transform import RequeueError
from tests.handlers.fakes import (
    FakeContext,
    FakeFirehose,
    client_error,
    firehose_records,
    obey,
    order,
    pipeline,
)


@pytest.fixture
def metrics(monkeypatch, firehose_batch, capsys):
    """Runs the handler on records with these contents; the metric lines that it printed."""

    def run(fake, *contents, error=None):
        monkeypatch.setattr(transform, "load_runtime", lambda: pipeline(obey, None, ["store"]))
        monkeypatch.setattr(put, "firehose", lambda: fake)
        firehose_batch["records"] = firehose_records(*contents)
        if error is None:
            transform.lambda_handler(firehose_batch, FakeContext())
        else:
            with pytest.raises(error):
                transform.lambda_handler(firehose_batch, FakeContext())
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        return [line for line in lines if "_aws" in line]

    return run


def test_put_backs_are_counted_in_embedded_metric_format(metrics):
    in_a = [order(number, "", store={"S": "a"}) for number in (1, 2)]
    in_b = [order(number, "", store={"S": "b"}) for number in (3, 4, 5)]
    [line] = metrics(FakeFirehose(), b"".join(in_a + in_b) + order(6, "fail"))
    now = line["_aws"].pop("Timestamp")
    assert line == {
        "level": "INFO",
        "message": "put back",
        "FunctionName": "orders-transform-function",
        "RecordsRequeued": 2,
        "ChangesRequeued": 4,
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "StreamingEtl",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [
                        {"Name": "RecordsRequeued", "Unit": "Count"},
                        {"Name": "ChangesRequeued", "Unit": "Count"},
                    ],
                }
            ]
        },
    }
    # Milliseconds since 1970, in this century.
    assert 1_700_000_000_000 < now < 4_000_000_000_000


def test_nothing_is_counted_when_nothing_goes_back(metrics):
    assert metrics(FakeFirehose(), order(1, "", store={"S": "a"}), order(2, "fail")) == []


def test_what_went_back_is_counted_even_when_the_rest_did_not(metrics):
    refused = client_error("ResourceNotFoundException")
    half = FakeFirehose([1], then=refused)
    [line] = metrics(half, order(1, "fail") + order(2, "fail"), error=RequeueError)
    assert (line["RecordsRequeued"], line["ChangesRequeued"]) == (1, 1)


def test_no_change_goes_back_for_ever():
    """Put back on and on, whatever a transform does, the stream runs empty."""
    using = pipeline(obey, None, ["store"])
    changes = [
        order(number, what, store={"S": store}, size={"N": "700"})
        for number, (what, store) in enumerate(
            (what, store)
            for what in ("", "fail", "widen", "leave out", "mix partitions", "return a text")
            for store in ("a", "b", "c/")
        )
    ]
    waiting, rounds, placed = [b"".join(changes)], 0, 0
    while waiting:
        rounds += 1
        back: list[bytes] = []

        def put_back(records, back=back):
            back += records
            return []

        answer = transform.transform_records(firehose_records(*waiting), using, put_back, 2_500)
        placed += sum(record["result"] != "Dropped" for record in answer["records"])
        waiting = back
        assert rounds < 20
    assert placed > 0
