"""Generator of the rule table in docs/policies.md."""

from policy.rules.pack import RULES
from tools.docs.settings_tables import ROOT, table

PAGE = ROOT / "docs" / "policies.md"


def rules() -> str:
    """A table of all rules."""
    rows = [[f"`{rule.name}`", rule.requires, rule.reason, rule.fix] for rule in RULES]
    return table(["rule", "requires", "reason", "fix"], rows)


BLOCKS = {"rules": rules}
