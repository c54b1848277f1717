"""Metrics of requeued and failed changes; no change is requeued without end."""

import json

import pytest

from streaming_etl.handlers import transform
from streaming_etl.handlers.firehose import put_records
from streaming_etl.handlers.transform import RequeueError
from tests.handlers.scripted import order, scripted
from tests.support.changes import firehose_records
from tests.support.fake_aws import FakeContext, FakeFirehose, client_error
from tests.support.rows import runtime


@pytest.fixture
def metrics(monkeypatch, firehose_batch, capsys):
    """Run the handler, and return the metric lines it printed."""

    def run(fake, *contents, error=None):
        monkeypatch.setattr(transform, "load_runtime", lambda: runtime(scripted, None, ["store"]))
        monkeypatch.setattr(put_records, "firehose", lambda: fake)
        firehose_batch["records"] = firehose_records(*contents)
        if error is None:
            transform.lambda_handler(firehose_batch, FakeContext())
        else:
            with pytest.raises(error):
                transform.lambda_handler(firehose_batch, FakeContext())
        lines = map(json.loads, capsys.readouterr().out.splitlines())
        return [line for line in lines if "_aws" in line and "ChangeLag" not in line]

    return run


def test_counts_requeued_changes_in_embedded_metric_format(metrics):
    in_a = [order(number, "", store={"S": "a"}) for number in (1, 2)]
    in_b = [order(number, "", store={"S": "b"}) for number in (3, 4, 5)]
    [line] = metrics(FakeFirehose(), b"".join(in_a + in_b) + order(6, "fail"))
    now = line["_aws"].pop("Timestamp")
    assert line == {
        "level": "INFO",
        "message": "requeued",
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


def test_counts_nothing_if_no_change_is_requeued_or_fails(metrics):
    assert metrics(FakeFirehose(), order(1, "", store={"S": "a"}), order(2, "filter")) == []


def test_counts_failed_changes_in_embedded_metric_format(metrics):
    aggregated = order(2, "fail") + order(3, "", store={"S": "a"})
    [requeued, failed] = metrics(FakeFirehose(), order(1, "fail"), aggregated, b"junk")
    assert requeued["ChangesRequeued"] == 1
    del failed["_aws"]["Timestamp"]
    assert failed == {
        "level": "INFO",
        "message": "failed",
        "FunctionName": "orders-transform-function",
        "ChangesFailed": 2,
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "StreamingEtl",
                    "Dimensions": [["FunctionName"]],
                    "Metrics": [{"Name": "ChangesFailed", "Unit": "Count"}],
                }
            ]
        },
    }


def test_counts_no_failed_change_of_a_call_that_firehose_retries(metrics):
    rejected = FakeFirehose(then=client_error("ResourceNotFoundException"))
    contents = order(1, "fail"), order(2, "fail") + order(3, "fail")
    assert all("ChangesFailed" not in it for it in metrics(rejected, *contents, error=RequeueError))


def test_counts_accepted_records_even_if_others_are_not_accepted(metrics):
    rejected = client_error("ResourceNotFoundException")
    [line] = metrics(
        FakeFirehose([1], then=rejected), order(1, "fail") + order(2, "fail"), error=RequeueError
    )
    assert (line["RecordsRequeued"], line["ChangesRequeued"]) == (1, 1)
