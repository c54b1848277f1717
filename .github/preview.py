"""Run `pulumi preview` of a stack and tell its result as Markdown.

    python .github/preview.py dev preview.md

Exits as Pulumi does, a violated policy included.
"""

import re
import subprocess
import sys
from pathlib import Path

from markdown import folded

PREVIEW = [
    "pulumi",
    "preview",
    *("--policy-pack", "policy"),
    *("--policy-pack-config", "policy/config.json"),
    "--non-interactive",
    "--suppress-progress",
    *("--color", "never"),
]


def run(stack: str) -> tuple[int, str]:
    """Pulumi's exit code and all that it said, which goes to the log as it comes."""
    command = [*PREVIEW, "--stack", stack]
    said = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(line)
    return process.returncode, "".join(said)


def outcome(code: int, output: str) -> str:
    """The result in a line: `2 to create, 122 unchanged`."""
    if code:
        return f"failed with exit code {code}"
    # The last such block is Pulumi's own, those before it are what the program printed.
    blocks = re.findall(r"^Resources:\n((?:[ \t]+\S.*\n?)+)", output, re.MULTILINE)
    told = [line.strip(" \t+-~") for line in "".join(blocks[-1:]).splitlines()]
    # `3 changes. 121 unchanged`, where there are changes of several kinds.
    counts = [count for line in told for count in line.split(". ")]
    return ", ".join(it for it in counts if re.fullmatch(r"[0-9]+ [a-z ]+", it)) or "done"


def report(stack: str, code: int, output: str) -> str:
    return f"## Preview of {stack}\n\n{folded(stack, outcome(code, output), output)}"


if __name__ == "__main__":
    exit_code, said = run(sys.argv[1])
    Path(sys.argv[2]).write_text(report(sys.argv[1], exit_code, said))
    sys.exit(exit_code)
