"""A lazy item behaves like a dict of the entire item."""

import copy
import json
import pickle
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.change.decode import RecordReader
from tests.support.changes import changes, line

ATTRIBUTES = {"a": {"S": "x"}, "b": {"N": "2"}, "c": {"L": [{"S": "y"}]}, "d": {"NULL": True}}
ITEM = {"id": "o-1", "a": "x", "b": 2, "c": ["y"], "d": None}


def lazy(*known):
    """Reader with these requested attributes, and one of its items."""
    reader = RecordReader()
    reader.requested_attributes.update(known)
    [change] = changes(reader, line(1, **ATTRIBUTES))
    return reader, change.new


def decoded(item):
    """Decoded attributes of an item."""
    return {name: dict.__getitem__(item, name) for name in dict.keys(item)}


def test_only_attributes_requested_before_are_decoded():
    _, item = lazy("a", "b", "none of it")
    assert decoded(item) == {"a": "x", "b": 2}


def test_another_attribute_is_decoded_on_first_access_and_noted():
    reader, item = lazy("a")
    assert (item["b"], item.get("c"), "d" in item) == (2, ["y"], True)
    assert reader.requested_attributes == {"a", "b", "c", "d"}
    [change] = changes(reader, line(2, **ATTRIBUTES))
    assert decoded(change.new) == {"a": "x", "b": 2, "c": ["y"], "d": None}


def test_notes_every_requested_attribute():
    reader, item = lazy()
    assert [item["a"], item["b"], item["c"]] == ["x", 2, ["y"]]
    assert reader.requested_attributes == {"a", "b", "c"}


def test_a_missing_attribute_is_noted_and_not_decoded_again(monkeypatch):
    reader, item = lazy()
    assert (item.get("coupon"), item.get("coupon", 0), "coupon" in item) == (None, 0, False)
    with pytest.raises(KeyError, match=r"^'coupon'$"):
        item["coupon"]
    [change] = changes(reader, line(2, **ATTRIBUTES))
    monkeypatch.setattr("streaming_etl.handlers.change.decode.Decoder.item", None)
    assert change.new.get("coupon") is None
    with pytest.raises(KeyError):
        change.new["coupon"]


def test_a_name_that_is_not_a_string_is_missing_and_not_noted():
    reader, item = lazy("a")
    assert (5 in item, item.get(None), item.get(("a",), 0)) == (False, None, 0)
    with pytest.raises(KeyError, match=r"^5$"):
        item[5]
    assert reader.requested_attributes == {"a"}


def test_an_earlier_item_has_attributes_that_were_noted_later():
    reader, early = lazy()
    [late] = changes(reader, line(2, **ATTRIBUTES))
    assert late.new["b"] == 2
    changes(reader, line(3, **ATTRIBUTES))
    assert early["b"] == 2


def test_after_a_use_of_the_entire_item_items_are_plain_dicts():
    reader, item = lazy("a")
    assert list(item) == ["id", "a", "b", "c", "d"]
    [change] = changes(reader, line(2, **ATTRIBUTES))
    assert type(change.new) is dict


def test_with_more_than_64_names_items_are_plain_dicts():
    reader = RecordReader()
    reader.requested_attributes.update(map(str, range(65)))
    [change] = changes(reader, line(1, **ATTRIBUTES))
    assert type(change.new) is dict


def test_without_lazy_decoding_items_are_plain_dicts(stream_batch):
    records = [json.dumps(record).encode() + b"\n" for record in stream_batch]
    items = [
        item
        for change in changes(RecordReader(lazy=False), *records)
        for item in (change.new, change.old)
        if item is not None
    ]
    assert [type(item) for item in items] == [dict] * 5


def test_the_truth_value_of_an_item_needs_no_decoding(monkeypatch):
    _, item = lazy()
    monkeypatch.setattr("streaming_etl.handlers.change.decode.Decoder.item", None)
    assert bool(item) is True


@pytest.mark.parametrize(
    "use",
    [
        dict,
        list,
        len,
        repr,
        json.dumps,
        copy.copy,
        copy.deepcopy,
        lambda item: pickle.loads(pickle.dumps(item)),
        lambda item: {**item},
        lambda item: dict(**item),
        lambda item: item | {"e": 1},
        lambda item: {"e": 1} | item,
        lambda item: item == dict(ITEM),
        lambda item: dict(ITEM) == item,
        lambda item: item != {"a": "x"},
        lambda item: (item == lazy("b")[1], item != lazy("c")[1]),
        lambda item: [*item.keys()],
        lambda item: [*item.values()],
        lambda item: [*item.items()],
        lambda item: [*reversed(item)],
        lambda item: item.keys() & {"a", "z"},
        lambda item: Template("$a $b").substitute(item),
        lambda item: "{a} {b}".format_map(item),
        lambda item: (item.pop("b"), item.pop("z", 0), dict(item)),
        lambda item: (item.popitem(), dict(item)),
        lambda item: (item.setdefault("b", 9), item.setdefault("z", 9), dict(item)),
        lambda item: (item.update(b=7, z=8), dict(item)),
        lambda item: (item.clear(), dict(item), bool(item)),
        lambda item: (item.__delitem__("b"), dict(item), item.get("b")),
        lambda item: (item.__setitem__("b", 7), item["b"], dict(item)),
        lambda item: (item["c"].append("z"), item["c"], dict(item)),
        lambda item: (item.__ior__({"b": 7}), dict(item)),
    ],
)
@pytest.mark.parametrize("known", [(), ("a",), ("a", "b", "c", "d", "id")])
def test_returns_what_a_dict_of_the_entire_item_returns(use, known):
    _, item = lazy(*known)
    assert use(item) == use(copy.deepcopy(ITEM))


NAMES = st.sampled_from(["id", "a", "b", "c", "d", "e"])
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), NAMES),
        st.tuples(st.just("in"), NAMES),
        st.tuples(st.just("set"), NAMES, st.integers()),
        st.tuples(st.just("pop"), NAMES),
        st.tuples(st.just("items")),
        st.tuples(st.just("len")),
    ),
    max_size=12,
)


def operate(item, operation, *args):
    match operation:
        case "get":
            return item.get(*args)
        case "in":
            return args[0] in item
        case "set":
            item[args[0]] = args[1]
            return None
        case "pop":
            return item.pop(args[0], None)
        case "items":
            return sorted(item.items(), key=lambda pair: pair[0])
    return len(item)


@given(st.sets(NAMES), OPERATIONS)
def test_behaves_like_a_dict_in_any_order_of_operations(known, operations):
    _, lazy_item = lazy(*known)
    item = copy.deepcopy(ITEM)
    assert [operate(lazy_item, *each) for each in operations] == [
        operate(item, *each) for each in operations
    ]
    assert dict(lazy_item) == item


def copied(name):
    """Equal name as another object: msgspec marks those it created."""
    return name.encode().decode()


@given(
    st.dictionaries(st.text(min_size=1), st.text(), max_size=6),
    st.lists(st.text(min_size=1), max_size=4),
    st.data(),
)
def test_finds_attributes_of_any_name_on_every_access(item, others, data):
    reader, attributes = RecordReader(), {name: {"S": text} for name, text in item.items()}
    names = data.draw(st.lists(st.sampled_from([*item, *others, "id"])))
    for _ in range(3):
        [change] = changes(reader, line(1, **attributes))
        entire = {"id": "o-1"} | item
        read = [change.new.get(copied(name)) for name in names]
        assert read == [entire.get(name) for name in names]


@pytest.mark.parametrize("name", ["名", "é", "a b", "x" * 1000, "\x00", "class"])
def test_a_noted_name_may_have_any_characters(name):
    reader = RecordReader()
    for _ in range(2):
        [change] = changes(reader, line(1, **{name: {"S": "here"}, "n": {"S": "n"}}))
        assert (change.new[copied(name)], change.new.get("n")) == ("here", "n")


@pytest.mark.parametrize("old", ["REMOVE", "MODIFY"])
def test_the_old_image_reads_like_the_new_one(stream_batch, old):
    [record] = [record for record in stream_batch if record["eventName"] == old][:1]
    [change] = changes(RecordReader(), json.dumps(record).encode())
    [entire] = changes(RecordReader(lazy=False), json.dumps(record).encode())
    assert dict(change.old) == dict(entire.old)


def test_decodes_attributes_of_a_compressed_change():
    [change] = changes(RecordReader(), line(1, **ATTRIBUTES, text={"S": "x" * 1_100_000}))
    assert change.new["b"] == 2


def test_a_changed_attribute_stays_changed():
    [change] = changes(RecordReader(), line(1, **ATTRIBUTES))
    change.new["a"] = "changed"
    change.keys["id"] = "other"
    assert (change.new["a"], change.new["b"], change.keys) == ("changed", 2, {"id": "other"})
