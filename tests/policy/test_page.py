"""docs/policies.md tells what the pack does."""

import json
import re

from policy.rules.pack import RULES
from policy.rules.production import STACKS
from tools.docs.policies_page import PAGE, written

TEXT = PAGE.read_text()


def test_the_tables_of_the_page_are_as_the_code_tells_them() -> None:
    assert written(TEXT) == TEXT, "run `make readme`"


def test_the_page_names_the_production_stacks() -> None:
    first, second, third = STACKS
    assert f"of production if `{first}`, `{second}` or `{third}` is a word of its name" in TEXT


def test_the_example_of_a_configuration_sets_every_rule_of_production() -> None:
    example = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    config = json.loads(example[1])
    assert set(config) <= {rule.name for rule in RULES}
    production = {rule.name for rule in RULES if rule.settings}
    assert {name for name, value in config.items() if not isinstance(value, str)} == production
    stacks = ["blue", "*-customers"]
    assert [config[name] for name in production] == [{"stacks": stacks}] * len(production)
