"""Pulumi's commands that the pages use, with those of their options that they may use.

Pulumi's CLI is not at hand here: each row was read on the page of that command below
https://www.pulumi.com/docs/iac/cli/commands/, as of pulumi/docs on GitHub.
"""

from dataclasses import dataclass

from tests.docs.blocks import DocError


@dataclass(frozen=True)
class Command:
    """How many words it takes at most, its options that take a value, and those that take none."""

    words: int = 0
    values: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()


# Every command takes this one.
GLOBAL = frozenset({"--cwd", "-C"})
STACK = frozenset({"--stack", "-s"})
# The same for preview and up: pulumi_preview/ and pulumi_up/.
POLICIES = frozenset({"--policy-pack", "--policy-pack-config"})
PREVIEW = frozenset({"--target", "-t", "--replace", "--parallel", "-p"}) | POLICIES | STACK
PREVIEW_FLAGS = frozenset({"--diff", "--refresh", "-r", "--json", "-j"})
YES = frozenset({"--yes", "-y"})

COMMANDS = {
    ("cancel",): Command(1, STACK, YES),  # pulumi_cancel/
    ("config", "set"): Command(2, STACK, frozenset({"--secret", "--path"})),  # pulumi_config_set/
    ("destroy",): Command(values=STACK, flags=YES),  # pulumi_destroy/
    ("login",): Command(1),  # pulumi_login/
    ("install",): Command(),  # pulumi_install/
    ("package", "add"): Command(1),  # pulumi_package_add/
    ("package", "get-schema"): Command(1),  # pulumi_package_get-schema/
    ("preview",): Command(values=PREVIEW, flags=PREVIEW_FLAGS),
    ("stack",): Command(values=STACK, flags=frozenset({"--show-urns", "-u", "--show-ids", "-i"})),
    ("stack", "init"): Command(1, STACK | {"--secrets-provider"}),  # pulumi_stack_init/
    ("stack", "output"): Command(1, STACK, frozenset({"--json", "-j"})),  # pulumi_stack_output/
    ("up",): Command(values=PREVIEW, flags=PREVIEW_FLAGS | YES | {"--skip-preview", "-f"}),
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
        if option in command.values | GLOBAL:
            if not equals and next(rest, "-").startswith("-"):
                raise DocError(f"{option} of `pulumi {' '.join(name)}` needs a value")
        elif word.startswith("-") and word not in command.flags:
            raise DocError(f"`pulumi {' '.join(name)}` has no {word} in tests/docs/pulumi_cli.py")
        elif not word.startswith("-"):
            plain += 1
    if plain > command.words:
        raise DocError(f"`pulumi {' '.join(name)}` takes {command.words} words, not {plain}")
