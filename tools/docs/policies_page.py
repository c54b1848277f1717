"""What docs/policies.md tells from the code: `python -m tools.docs.policies_page` writes it anew."""

from policy.rules.pack import RULES
from policy.rules.permissions import UNSCOPED
from tests.components.pipelines import ROOT
from tools.docs.marked_blocks import replace_blocks
from tools.docs.settings_tables import table

PAGE = ROOT / "docs" / "policies.md"


def rules() -> str:
    rows = [
        [f"`{rule.name}`", rule.level.value, rule.guards, rule.reason, rule.remedy]
        for rule in RULES
    ]
    return table(["rule", "level", "guards", "reason", "remedy"], rows)


def unscoped() -> str:
    rows = [[f"`{action}`", reason] for action, reason in UNSCOPED.items()]
    return table(["action", "reason"], rows)


BLOCKS = {"rules": rules, "unscoped": unscoped}


def written(page: str) -> str:
    """The page with every block between its marks told anew."""
    return replace_blocks(page, BLOCKS)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
