"""Text of plain parts and Outputs is what Pulumi makes of them."""

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from streaming_etl.components.stages.document import concat, document
from streaming_etl.stack.recorder import UNKNOWN, build

OUTPUT = pulumi.Output.from_input

CASES: dict[str, Any] = {
    "plain": lambda: {
        "Version": "2012-10-17",
        "Statement": [{"Action": ["s3:GetObject"]}, 1, None],
    },
    "an output alone": lambda: OUTPUT("whole"),
    "outputs in their places": lambda: {
        "a": [OUTPUT("first"), "x", {"b": OUTPUT("second")}],
        "c": OUTPUT({"d": [1, 2.5, True]}),
    },
    "the same output twice": lambda: [*[OUTPUT("twice")] * 2, "between"],
    "an output within an output": lambda: {"a": OUTPUT([OUTPUT("inner"), "outer"])},
    "tuples and letters beyond ASCII": lambda: {"ü": ("→", OUTPUT("ß"))},
    "nothing": lambda: {},
}


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
def test_the_text_is_what_pulumi_makes_of_it(make: Any) -> None:
    def program() -> None:
        pulumi.export("ours", document(make()))
        pulumi.export("pulumi's", pulumi.Output.json_dumps(make()))

    exports = build(program).exports
    assert json.loads(exports["ours"]) is not None
    assert exports["ours"] == exports["pulumi's"]


def test_parts_are_joined_as_pulumi_joins_them() -> None:
    def program() -> None:
        parts = ["s3://", OUTPUT("bucket"), "/", *[OUTPUT("twice")] * 2, ""]
        for name, made in (("ours", concat), ("pulumi's", pulumi.Output.concat)):
            pulumi.export(name, [made(*parts), made("plain"), made()])

    exports = build(program).exports
    assert exports["ours"] == exports["pulumi's"] == ["s3://bucket/twicetwice", "plain", ""]


def test_what_only_an_update_tells_leaves_the_whole_text_unknown_in_a_preview() -> None:
    def program() -> None:
        topic = aws.sns.Topic("alarms", display_name="Alarms")
        pulumi.export("known", document({"name": topic.display_name}))
        pulumi.export("unknown", document({"name": topic.display_name, "arn": topic.arn}))

    assert build(program, preview=True).exports == {
        "known": '{"name": "Alarms"}',
        "unknown": UNKNOWN,
    }


def test_a_secret_makes_the_text_a_secret() -> None:
    found: list[bool] = []

    def program() -> None:
        for part in (pulumi.Output.secret("key"), pulumi.Output.from_input("key")):
            whole = document({"a": [part]})
            whole.apply(
                lambda _, whole=whole: pulumi.Output.from_input(whole.is_secret()).apply(
                    found.append
                )
            )

    build(program)
    assert sorted(found) == [False, True]
