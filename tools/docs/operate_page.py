"""Generator of the tables of problems and exit codes in docs/operate.md."""

from streaming_etl.ops.status.problems import PROBLEMS
from streaming_etl.stack.errors import EXIT_MEANINGS
from tools.docs.settings_tables import table
from tools.project import ROOT

PAGE = ROOT / "docs" / "operate.md"


def exit_codes() -> str:
    return table(
        ["exit code", "meaning"], [[str(code), text] for code, text in EXIT_MEANINGS.items()]
    )


def problems() -> str:
    return table(["code", "text"], [[f"`{code}`", f"`{text}`"] for code, text in PROBLEMS.items()])


BLOCKS = {"exit codes": exit_codes, "problems": problems}
