"""Whatever Firehose hands in, every record is answered once and every change ends once."""

import base64
import json
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import event, given
from hypothesis import strategies as st

from streaming_etl.handlers.transform import transform_records
from tests.handlers.fakes import FakeStream, firehose_records, obey, order, pipeline, wide

# Small, so that examples of a few changes fill it. A large change always fits into a response
# with as many records as an invocation has here; a huge one fits into none.
MAX_BYTES = 6_000
MAX_RECORDS = 12
LARGE, HUGE = 1_800, 4_500

# What a change may ask of `obey`, and where it must end.
ENDS = {
    "be small": "row",
    "be large": "row",
    "return three rows": "row",
    "leave out": "left out",
    "return nothing": "left out",
    "fail": "failed",
    "mix partitions": "failed",
    "return a text": "failed",
    "be huge": "failed",
    "garbage": "failed",
}

PIPELINE = pipeline(obey, dynamic_partition_keys=["store"], time_keys=["dt"])


def change_of(number, what, store):
    """The line of a change that ends as `what` must."""
    image = {"store": {"S": store}}
    match what:
        case "garbage":
            return b"\xff%d no change" % number
        case "be large":
            return wide(number, LARGE, **image).strip()
        case "be huge":
            return wide(number, HUGE, **image).strip()
    return order(number, what, **image).strip()


@dataclass
class Ends:
    """Where the changes of one or more invocations ended, by their lines."""

    rows: Counter = field(default_factory=Counter)
    failed: Counter = field(default_factory=Counter)


def lines_of(content):
    return [text for text in content.split(b"\n") if text.strip()]


def invoke(contents, kinds, ends):
    """One invocation, its response held against Firehose's contract; what it put back."""
    records, stream = firehose_records(*contents), FakeStream()
    response = transform_records(records, PIPELINE, stream, max_bytes=MAX_BYTES)
    assert list(response) == ["records"]
    assert len(json.dumps(response)) <= MAX_BYTES
    answers = response["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in records]
    by_event = {json.loads(text)["eventID"]: text for text in kinds if text.startswith(b"{")}
    for content, answer in zip(contents, answers, strict=True):
        match answer:
            case {"recordId": _, "result": "Dropped" | "ProcessingFailed" as result, **rest}:
                assert rest == {}
                if result == "ProcessingFailed":
                    ends.failed.update(lines_of(content))
            case {"recordId": _, "result": "Ok", "data": str(data), "metadata": metadata, **rest}:
                assert rest == {}
                [(name, store), time] = metadata["partitionKeys"].items()
                assert (name, time) == ("store", ("dt", "2026-11-23"))
                rows = [json.loads(row) for row in base64.b64decode(data).splitlines()]
                assert rows
                for row in rows:
                    text = by_event[row["_event_id"]]
                    assert json.loads(text)["dynamodb"]["NewImage"]["store"]["S"] == store
                    ends.rows[text] += 1
            case _:
                raise AssertionError(f"Firehose would not take {answer['result']}")
    return stream.records


@st.composite
def invocations(draw):
    """The contents of one invocation's records, and what each of their lines asks for."""
    packs = draw(
        st.lists(
            st.lists(st.tuples(st.sampled_from(sorted(ENDS)), st.sampled_from("ab")), max_size=8),
            max_size=MAX_RECORDS,
        )
    )
    kinds, contents = {}, []
    for pack in packs:
        texts = []
        for what, store in pack:
            texts.append(change_of(len(kinds), what, store))
            kinds[texts[-1]] = what
        contents.append(b"\n".join(texts) + draw(st.sampled_from([b"", b"\n"])))
    return contents, kinds


@given(invocations())
def test_every_change_of_an_invocation_is_answered_or_put_back_exactly_once(example):
    contents, kinds = example
    ends = Ends()
    put_back = Counter(
        text for content in invoke(contents, kinds, ends) for text in lines_of(content)
    )
    left_out = Counter(text for text, what in kinds.items() if ENDS[what] == "left out")
    rows = Counter(dict.fromkeys(ends.rows, 1))
    assert rows + ends.failed + put_back + left_out == Counter(list(kinds))
    event(f"puts back: {bool(put_back)}")


@given(invocations(), st.data())
def test_what_is_put_back_comes_to_an_end_and_every_change_ends_once(example, data):
    contents, kinds = example
    ends, invoked = Ends(), 0
    # The first record of an invocation always ends or comes back in parts, and n changes can be
    # parted n - 1 times.
    most = len(contents) + 2 * len(kinds)
    while contents:
        size = data.draw(st.integers(1, MAX_RECORDS), label="records in the next invocation")
        assert invoked < most
        contents = contents[size:] + invoke(contents[:size], kinds, ends)
        invoked += 1
    rows = {"return three rows": 3}
    assert ends.rows == Counter(
        {text: rows.get(what, 1) for text, what in kinds.items() if ENDS[what] == "row"}
    )
    assert ends.failed == Counter([text for text, what in kinds.items() if ENDS[what] == "failed"])
    event(f"invocations: {min(invoked, 10)}")


@given(st.lists(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), max_size=8))
def test_any_bytes_at_all_are_answered(contents):
    ends, lines = Ends(), [lines_of(content) for content in contents]
    put_back = invoke(contents, {}, ends)
    assert ends.failed.total() == sum(len(texts) for texts in lines if len(texts) == 1)
    assert put_back == [text for texts in lines if len(texts) > 1 for text in texts]


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_in_place_of_base64_is_answered(texts):
    bare = firehose_records(*[b""] * len(texts))
    records = [record | {"data": text} for record, text in zip(bare, texts, strict=True)]
    answers = transform_records(records, PIPELINE, FakeStream())["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in records]
