"""A lazy image is, to all that Python code may ask of a dict, the whole item."""

import copy
import json
import pickle
from string import Template

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming_etl.handlers.change.decode import RecordReader
from tests.handlers.fakes import changes, line

ATTRIBUTES = {"a": {"S": "x"}, "b": {"N": "2"}, "c": {"L": [{"S": "y"}]}, "d": {"NULL": True}}
ITEM = {"id": "o-1", "a": "x", "b": 2, "c": ["y"], "d": None}


def lazy(*known):
    """A reader that has learned these names, and an image that it gives out."""
    reader = RecordReader()
    reader.asked.update(known)
    [change] = changes(reader, line(1, **ATTRIBUTES))
    return reader, change.new


def held(image):
    """What is decoded of an image, without asking for more."""
    return {name: dict.__getitem__(image, name) for name in dict.keys(image)}


def test_only_what_was_asked_for_before_is_decoded():
    _, image = lazy("a", "b", "none of it")
    assert held(image) == {"a": "x", "b": 2}


def test_an_attribute_that_is_not_decoded_is_fetched_and_learned():
    reader, image = lazy("a")
    assert (image["b"], image.get("c"), "d" in image) == (2, ["y"], True)
    assert reader.asked == {"a", "b", "c", "d"}
    [change] = changes(reader, line(2, **ATTRIBUTES))
    assert held(change.new) == {"a": "x", "b": 2, "c": ["y"], "d": None}


def test_one_image_teaches_all_the_names_asked_of_it():
    reader, image = lazy()
    assert [image["a"], image["b"], image["c"]] == ["x", 2, ["y"]]
    assert reader.asked == {"a", "b", "c"}


def test_what_an_item_lacks_is_learned_too_and_not_looked_for_again(monkeypatch):
    reader, image = lazy()
    assert (image.get("coupon"), image.get("coupon", 0), "coupon" in image) == (None, 0, False)
    with pytest.raises(KeyError, match=r"^'coupon'$"):
        image["coupon"]
    [change] = changes(reader, line(2, **ATTRIBUTES))
    monkeypatch.setattr("streaming_etl.handlers.change.decode.Decoder.item", None)
    assert change.new.get("coupon") is None
    with pytest.raises(KeyError):
        change.new["coupon"]


def test_an_image_kept_from_before_still_finds_what_was_learned_later():
    reader, early = lazy()
    [late] = changes(reader, line(2, **ATTRIBUTES))
    assert late.new["b"] == 2
    changes(reader, line(3, **ATTRIBUTES))
    assert early["b"] == 2


def test_once_a_whole_image_was_asked_for_images_are_whole_and_plain():
    reader, image = lazy("a")
    assert list(image) == ["id", "a", "b", "c", "d"]
    [change] = changes(reader, line(2, **ATTRIBUTES))
    assert type(change.new) is dict


def test_with_more_names_than_pay_images_are_whole_and_plain():
    reader = RecordReader()
    reader.asked.update(map(str, range(65)))
    [change] = changes(reader, line(1, **ATTRIBUTES))
    assert type(change.new) is dict


def test_without_laziness_every_image_is_a_plain_dict(stream_batch):
    records = [json.dumps(record).encode() + b"\n" for record in stream_batch]
    images = [
        image
        for change in changes(RecordReader(lazy=False), *records)
        for image in (change.new, change.old)
        if image is not None
    ]
    assert [type(image) for image in images] == [dict] * 5


def test_the_truth_of_an_image_needs_nothing_of_it(monkeypatch):
    _, image = lazy()
    monkeypatch.setattr("streaming_etl.handlers.change.decode.Decoder.item", None)
    assert bool(image) is True


@pytest.mark.parametrize(
    "ask",
    [
        dict,
        list,
        len,
        repr,
        json.dumps,
        copy.copy,
        copy.deepcopy,
        lambda image: pickle.loads(pickle.dumps(image)),
        lambda image: {**image},
        lambda image: dict(**image),
        lambda image: image | {"e": 1},
        lambda image: {"e": 1} | image,
        lambda image: image == dict(ITEM),
        lambda image: dict(ITEM) == image,
        lambda image: image != {"a": "x"},
        lambda image: (image == lazy("b")[1], image != lazy("c")[1]),
        lambda image: [*image.keys()],
        lambda image: [*image.values()],
        lambda image: [*image.items()],
        lambda image: [*reversed(image)],
        lambda image: image.keys() & {"a", "z"},
        lambda image: Template("$a $b").substitute(image),
        lambda image: "{a} {b}".format_map(image),
        lambda image: (image.pop("b"), image.pop("z", 0), dict(image)),
        lambda image: (image.popitem(), dict(image)),
        lambda image: (image.setdefault("b", 9), image.setdefault("z", 9), dict(image)),
        lambda image: (image.update(b=7, z=8), dict(image)),
        lambda image: (image.clear(), dict(image), bool(image)),
        lambda image: (image.__delitem__("b"), dict(image), image.get("b")),
        lambda image: (image.__setitem__("b", 7), image["b"], dict(image)),
        lambda image: (image["c"].append("z"), image["c"], dict(image)),
        lambda image: (image.__ior__({"b": 7}), dict(image)),
    ],
)
@pytest.mark.parametrize("known", [(), ("a",), ("a", "b", "c", "d", "id")])
def test_an_image_answers_as_the_item_would(ask, known):
    _, image = lazy(*known)
    assert ask(image) == ask(copy.deepcopy(ITEM))


NAMES = st.sampled_from(["id", "a", "b", "c", "d", "e"])
ACTS = st.lists(
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


def act(item, what, *args):
    match what:
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


@given(st.sets(NAMES), ACTS)
def test_no_order_of_acts_tells_an_image_from_the_item(known, acts):
    _, image = lazy(*known)
    item = copy.deepcopy(ITEM)
    assert [act(image, *each) for each in acts] == [act(item, *each) for each in acts]
    assert dict(image) == item


def anew(name):
    """The name as another object, as the user's module has it: msgspec marks those it wrote."""
    return name.encode().decode()


@given(
    st.dictionaries(st.text(min_size=1), st.text(), max_size=6),
    st.lists(st.text(min_size=1), max_size=4),
    st.data(),
)
def test_attributes_of_any_name_are_found_when_they_are_asked_for_again(item, others, data):
    reader, attributes = RecordReader(), {name: {"S": text} for name, text in item.items()}
    names = data.draw(st.lists(st.sampled_from([*item, *others, "id"])))
    for _ in range(3):
        [change] = changes(reader, line(1, **attributes))
        whole = {"id": "o-1"} | item
        found = [change.new.get(anew(name)) for name in names]
        assert found == [whole.get(name) for name in names]


@pytest.mark.parametrize("name", ["名", "é", "a b", "x" * 1000, "\x00", "class"])
def test_a_learned_name_may_have_any_letters(name):
    reader = RecordReader()
    for _ in range(2):
        [change] = changes(reader, line(1, **{name: {"S": "here"}, "n": {"S": "n"}}))
        assert (change.new[anew(name)], change.new.get("n")) == ("here", "n")


@pytest.mark.parametrize("old", ["REMOVE", "MODIFY"])
def test_the_old_image_reads_as_the_new_one(stream_batch, old):
    [record] = [record for record in stream_batch if record["eventName"] == old][:1]
    [change] = changes(RecordReader(), json.dumps(record).encode())
    [whole] = changes(RecordReader(lazy=False), json.dumps(record).encode())
    assert dict(change.old) == dict(whole.old)


def test_an_image_of_a_compressed_change_is_fetched_too():
    [change] = changes(RecordReader(), line(1, **ATTRIBUTES, text={"S": "x" * 1_100_000}))
    assert change.new["b"] == 2


def test_what_is_set_in_an_image_stays():
    [change] = changes(RecordReader(), line(1, **ATTRIBUTES))
    change.new["a"] = "changed"
    change.keys["id"] = "other"
    assert (change.new["a"], change.new["b"], change.keys) == ("changed", 2, {"id": "other"})


def test_a_change_shows_no_content():
    [change] = changes(RecordReader(), line(1, **ATTRIBUTES))
    assert repr(change) == "Change(kind='INSERT', event_id='event-1')"
