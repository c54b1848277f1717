"""Any input: one result per record, one outcome per change."""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import event, given
from hypothesis import strategies as st

from streaming_etl.handlers.transform import transform_records
from tests.handlers.scripted import order, scripted, wide
from tests.support.changes import firehose_records
from tests.support.fake_aws import FakeDelivery
from tests.support.rows import runtime

# Small, so that a few changes fill it. A large change always fits into a response with
# MAX_RECORDS records; a huge one fits into none.
MAX_BYTES = 40_000
MAX_RECORDS = 12
LARGE, HUGE = 12_000, 30_000

# Outcome of each script.
OUTCOMES = {
    "be small": "row",
    "be large": "row",
    "return three rows": "row",
    "filter": "filtered",
    "return nothing": "filtered",
    "fail": "failed",
    "mix partitions": "failed",
    "return a text": "failed",
    "be huge": "failed",
    "garbage": "failed",
}

RUNTIME = runtime(scripted, dynamic_partition_keys=["store"], time_keys=["dt"])


def change_of(number, do, store):
    """Line of a change with a script."""
    image = {"store": {"S": store}}
    match do:
        case "garbage":
            return b"\xff%d not a change" % number
        case "be large":
            return wide(number, LARGE, **image).strip()
        case "be huge":
            return wide(number, HUGE, **image).strip()
    return order(number, do, **image).strip()


@dataclass
class Ended:
    """Rows and failures of some invocations, by the change's line."""

    rows: Counter = field(default_factory=Counter)
    failed: Counter = field(default_factory=Counter)


def lines_of(content):
    return [text for text in content.split(b"\n") if text.strip()]


def invoke(contents, scripts, ended):
    """Invoke the transform, check Firehose's contract, and return the requeued records."""
    records, requeue = firehose_records(*contents), FakeDelivery()
    response = transform_records(records, RUNTIME, requeue, max_bytes=MAX_BYTES)
    assert list(response) == ["records"]
    assert len(json.dumps(response)) <= MAX_BYTES
    results = response["records"]
    assert [result["recordId"] for result in results] == [record["recordId"] for record in records]
    by_event = {json.loads(text)["eventID"]: text for text in scripts if text.startswith(b"{")}
    for content, result in zip(contents, results, strict=True):
        match result:
            case {"recordId": _, "result": "Dropped" | "ProcessingFailed" as status, **others}:
                assert others == {}
                if status == "ProcessingFailed":
                    ended.failed.update(lines_of(content))
            case {"recordId": _, "result": "Ok", "data": str(data), "metadata": metadata, **others}:
                assert others == {}
                [(name, store), time] = metadata["partitionKeys"].items()
                assert (name, time) == ("store", ("dt", "2026-11-23"))
                rows = [json.loads(row) for row in base64.b64decode(data).splitlines()]
                assert rows
                for row in rows:
                    text = by_event[row["_event_id"]]
                    assert json.loads(text)["dynamodb"]["NewImage"]["store"]["S"] == store
                    ended.rows[text] += 1
            case _:
                raise AssertionError(f"Firehose would reject {result['result']}")
    return requeue.records


@st.composite
def invocations(draw):
    """Contents of an invocation's records, and the script of each line."""
    records = draw(
        st.lists(
            st.lists(
                st.tuples(st.sampled_from(sorted(OUTCOMES)), st.sampled_from("ab")), max_size=8
            ),
            max_size=MAX_RECORDS,
        )
    )
    scripts, contents = {}, []
    for record in records:
        texts = []
        for do, store in record:
            texts.append(change_of(len(scripts), do, store))
            scripts[texts[-1]] = do
        contents.append(b"\n".join(texts) + draw(st.sampled_from([b"", b"\n"])))
    return contents, scripts


@given(invocations())
def test_every_change_of_an_invocation_has_exactly_one_outcome_or_is_requeued(example):
    contents, scripts = example
    ended = Ended()
    requeued = Counter(
        text for content in invoke(contents, scripts, ended) for text in lines_of(content)
    )
    filtered = Counter(text for text, do in scripts.items() if OUTCOMES[do] == "filtered")
    rows = Counter(dict.fromkeys(ended.rows, 1))
    assert rows + ended.failed + requeued + filtered == Counter(list(scripts))
    event(f"requeues: {bool(requeued)}")


@given(invocations(), st.data())
def test_requeueing_ends_and_every_change_has_one_outcome(example, data):
    contents, scripts = example
    ended, invoked = Ended(), 0
    # The first record of an invocation always ends or is divided, and n changes can be divided
    # n - 1 times.
    most = len(contents) + 2 * len(scripts)
    while contents:
        size = data.draw(st.integers(1, MAX_RECORDS), label="records in the next invocation")
        assert invoked < most
        contents = contents[size:] + invoke(contents[:size], scripts, ended)
        invoked += 1
    rows = {"return three rows": 3}
    assert ended.rows == Counter(
        {text: rows.get(do, 1) for text, do in scripts.items() if OUTCOMES[do] == "row"}
    )
    failed = [text for text, do in scripts.items() if OUTCOMES[do] == "failed"]
    assert ended.failed == Counter(failed)
    event(f"invocations: {min(invoked, 10)}")


@given(st.lists(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), max_size=8))
def test_any_bytes_have_a_result(contents):
    ended, lines = Ended(), [lines_of(content) for content in contents]
    requeued = invoke(contents, {}, ended)
    assert ended.failed.total() == sum(len(texts) for texts in lines if len(texts) == 1)
    assert requeued == [text for texts in lines if len(texts) > 1 for text in texts]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_instead_of_base64_has_a_result(texts):
    empty = firehose_records(*[b""] * len(texts))
    records = [record | {"data": text} for record, text in zip(empty, texts, strict=True)]
    results = transform_records(records, RUNTIME, FakeDelivery())["records"]
    assert [result["recordId"] for result in results] == [record["recordId"] for record in records]
