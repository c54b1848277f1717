"""Every rule has a message and an example in the golden file."""

import ast

import pulumi

from streaming_etl.components.settings.messages import MESSAGES, value_text
from streaming_etl.stack.recorder import build
from tools.messages.settings import messages
from tools.project import ROOT


def test_the_golden_file_has_an_example_of_every_rule() -> None:
    assert set(MESSAGES) - set(messages()) == set()


def test_every_rule_has_a_message() -> None:
    rules = {
        str(node.args[2].value)
        for path in (ROOT / "components").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "invalid"
        and isinstance(node.args[2], ast.Constant)
    }
    assert len(rules) > 30
    assert rules - set(MESSAGES) == set()


def test_a_message_has_no_object_in_place_of_an_output() -> None:
    def program() -> None:
        output = pulumi.Output.from_input("a")
        values = [output, [output, "b"], (output,), ["b"], (), {"a": [output], 1: {}}]
        assert [value_text(value) for value in values] == [
            "an output",
            "[an output, 'b']",
            "[an output]",
            "['b']",
            "()",
            "{'a': [an output], 1: {}}",
        ]

    build(program)
