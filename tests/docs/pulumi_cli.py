"""Pulumi's commands that the pages use, with those of their options that they may use.

Pulumi's CLI is not at hand here: each row was read on the page of that command below
https://www.pulumi.com/docs/iac/cli/commands/.
"""

from dataclasses import dataclass

from tests.docs.blocks import DocError


@dataclass(frozen=True)
class Command:
    """How many words it takes, its options that take a value, and those that take none."""

    words: int = 0
    values: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


STACK = frozenset({"--stack", "-s"})
# The same for preview and up: pulumi_preview/ and pulumi_up/.
PREVIEW = frozenset({"--policy-pack", "--policy-pack-config", "--target", "--replace"}) | STACK
PREVIEW_FLAGS = frozenset({"--diff", "--refresh", "-r"})

COMMANDS = {
    ("install",): Command(),  # pulumi_install/
    ("preview",): Command(values=PREVIEW, flags=PREVIEW_FLAGS | {"--json"}),
    ("up",): Command(values=PREVIEW, flags=PREVIEW_FLAGS | {"--yes", "-y", "--skip-preview"}),
    ("destroy",): Command(values=STACK, flags=frozenset({"--yes", "-y"})),  # pulumi_destroy/
    ("stack",): Command(values=STACK, flags=frozenset({"--show-urns", "-u", "--show-ids"})),
    ("stack", "init"): Command(1),  # pulumi_stack_init/
    ("stack", "output"): Command(1, STACK, frozenset({"--json", "-j"})),  # pulumi_stack_output/
}


def check(words: list[str]) -> None:
    """Refuse a command or an option that is not in the table; `words` begin behind `pulumi`."""
    name = max(
        (known for known in COMMANDS if tuple(words[: len(known)]) == known), key=len, default=None
    )
    if name is None:
        raise DocError(f"`pulumi {' '.join(words[:2])}` is not in tests/docs/pulumi_cli.py")
    command, plain, rest = COMMANDS[name], 0, iter(words[len(name) :])
    for word in rest:
        option, equals, _ = word.partition("=")
        if option in command.values:
            if not equals and next(rest, "-").startswith("-"):
                raise DocError(f"{option} of `pulumi {' '.join(name)}` needs a value")
        elif word.startswith("-") and word not in command.flags:
            raise DocError(f"`pulumi {' '.join(name)}` has no {word} in tests/docs/pulumi_cli.py")
        elif not word.startswith("-"):
            plain += 1
    if plain > command.words:
        raise DocError(f"`pulumi {' '.join(name)}` takes {command.words} words, not {plain}")
