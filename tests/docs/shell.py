"""Takes shell text apart into its commands, as far as pages need it; the rest is refused."""

import re
import shlex
from dataclasses import dataclass, field

from tests.docs.blocks import DocError

OPERATORS = {";", "&&", "||", "|"}
REDIRECTIONS = {">", ">>", "<"}
SUBSTITUTED = "SUBSTITUTED"
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
PLACEHOLDER = re.compile(r"<[a-z][\w-]*>")

Words = list[str]


def commands(text: str) -> list[Words]:
    """Each command's words, in order; what a command substitutes comes before it."""
    if placeholder := PLACEHOLDER.search(text):
        raise DocError(
            f"{placeholder[0]} redirects when it is typed as it stands: write a placeholder in"
            " capitals"
        )
    source = _Source(text)
    source.flatten()
    lexer = shlex.shlex("".join(source.flat), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError as error:
        raise DocError(f"no shell takes it: {error}") from None
    return [*source.inner, *_split(tokens)]


def _split(tokens: list[str]) -> list[Words]:
    found: list[Words] = []
    words: Words = []
    rest = iter([*tokens, ";"])
    for token in rest:
        if token in OPERATORS:
            while words and ASSIGNMENT.fullmatch(words[0]):
                words.pop(0)
            if words:
                found.append(words)
            words = []
        elif token in REDIRECTIONS:
            next(rest)
        elif token and set(token) <= set("();<>|&"):
            raise DocError(f"{token!r} is not understood; write simpler commands")
        else:
            words.append(token)
    return found


@dataclass
class _Source:
    """Walks the text once, mindful of quotes."""

    text: str
    at: int = 0
    flat: list[str] = field(default_factory=list)
    """The text on one line, without comments, substitutions and variables."""
    inner: list[Words] = field(default_factory=list)
    """The commands that are substituted."""

    def flatten(self) -> None:
        quote = ""
        while self.at < len(self.text):
            here = self.text[self.at]
            if here == "$" and quote != "'" and self._substitution():
                continue
            if here == "\\" and quote != "'":
                escaped = self.text[self.at : self.at + 2]
                self.flat.append("" if escaped == "\\\n" else escaped)
                self.at += 2
                continue
            if not quote and here == "#" and (not self.flat or self.flat[-1][-1:].isspace()):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
                continue
            if here in "'\"" and quote in ("", here):
                quote = "" if quote else here
            self.flat.append(" ; " if here == "\n" and not quote else here)
            self.at += 1

    def _substitution(self) -> bool:
        """Take a `$(...)` or a variable, if one begins here."""
        if self.text.startswith("$(", self.at):
            self.inner += commands(self.text[self.at + 2 : self._closing()])
            self.at = self._closing() + 1
        elif match := VARIABLE.match(self.text, self.at):
            name = match[1] or match[2]
            if not re.search(rf"(^|[\s;&]){name}=", self.text[: self.at]):
                raise DocError(f"${name} is set nowhere above it in the block")
            self.at = match.end()
        else:
            return False
        self.flat.append(SUBSTITUTED)
        return True

    def _closing(self) -> int:
        depth = 0
        for index in range(self.at + 1, len(self.text)):
            depth += {"(": 1, ")": -1}.get(self.text[index], 0)
            if not depth:
                return index
        raise DocError("a `$(` is never closed")
