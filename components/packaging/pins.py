"""Hash-locked requirements files: what they pin for one Python on one processor."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from streaming_etl.components.settings.validation import SettingsError

COMMENT = re.compile(r"(^|\s)#.*$")
# The kinds that pip takes. https://pip.pypa.io/en/stable/topics/secure-installs/
HASH = re.compile(r"--hash[= ](sha(?:256|384|512):[0-9a-f]+)")

LOCKED = "as `uv pip compile --universal --generate-hashes` writes it"


@dataclass(frozen=True)
class Pin:
    """One package of a lock file."""

    source: str
    """The file, as a message calls it."""
    name: str
    version: str
    marker: Optional[str]
    """Where the package is wanted, as in `python_full_version < '3.12'`; None is everywhere."""
    hashes: tuple[str, ...]

    @property
    def package(self) -> str:
        return f"{self.name}=={self.version}"

    def line(self, *, marked: bool) -> str:
        """The pin as a line of a lock file, with its marker or without."""
        marker = f" ; {self.marker}" if marked and self.marker else ""
        return " ".join([f"{self.package}{marker}", *(f"--hash={value}" for value in self.hashes)])


def read_pins(path: Path, source: str) -> tuple[Pin, ...]:
    """Every pin of the lock file at `path`, which messages call `source`.

    Raises SettingsError when the file is missing, or holds anything but packages with one version
    and hashes.
    """
    if not path.is_file():
        raise SettingsError(
            f"{source} does not exist below {Path.cwd()}: give the path of a hash-locked"
            f" requirements file, {LOCKED}."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{source} is no text in UTF-8; write the file {LOCKED}.") from None
    pins = tuple(_pin(line, number, source) for number, line in _lines(text))
    if not pins:
        raise SettingsError(f"{source} has no effect: the file pins no package; drop it.")
    return pins


def wanted(pins: Iterable[Pin], environment: Mapping[str, str]) -> tuple[Pin, ...]:
    """Those whose marker holds in `environment`, each package once, sorted by name.

    Raises SettingsError when two versions of a package are wanted.
    """
    chosen: dict[str, Pin] = {}
    for pin in pins:
        if pin.marker is not None and not Marker(pin.marker).evaluate(dict(environment)):
            continue
        first = chosen.setdefault(pin.name, pin)
        if Version(first.version) != Version(pin.version):
            raise SettingsError(
                f"{pin.source}: {pin.package} does not go with {first.package} of {first.source}:"
                " an archive holds one version of a package; lock the file again with"
                f" {first.package}."
            )
    return tuple(chosen[name] for name in sorted(chosen))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, whole and without comments, by the number of their first."""
    first, parts = 1, []
    for number, line in enumerate(text.splitlines(), start=1):
        said = COMMENT.sub("", line).strip()
        parts.append(said.removesuffix("\\").strip())
        if not said.endswith("\\"):
            whole = " ".join(part for part in parts if part)
            if whole:
                yield first, whole
            first, parts = number + 1, []


def _pin(line: str, number: int, source: str) -> Pin:
    text, *options = re.split(r"(?:^|\s+)(?=-)", line)
    for option in options:
        if not HASH.fullmatch(option):
            # Without its value, which may be an address.
            name = re.split(r"[=\s]", option)[0]
            raise SettingsError(
                f"{source}: the option {name} in line {number} is not taken: a package has a"
                " --hash=sha256:... and nothing else, and where it comes from is told by pip's own"
                " configuration; drop it."
            )
    wish, version = _pinned(text)
    if wish is None:
        name = match[0] if (match := re.match(r"[\w.-]+", text)) else text
        raise SettingsError(
            f"{source}: {name} in line {number} is not pinned: an unchanged program must carry"
            f" the same code; give name==version with hashes, {LOCKED}."
        )
    if not options:
        raise SettingsError(
            f"{source}: {wish.name}=={version} in line {number} has no --hash: what is carried"
            f" must be what was locked; write the file {LOCKED}."
        )
    return Pin(
        source=source,
        name=canonicalize_name(wish.name),
        version=version,
        marker=str(wish.marker) if wish.marker else None,
        hashes=tuple(option[len("--hash=") :] for option in options),
    )


def _pinned(text: str) -> tuple[Optional[Requirement], str]:
    """The requirement and its one version; no requirement when it leaves a choice."""
    try:
        wish = Requirement(text)
        [given] = wish.specifier
        Version(given.version)  # Raises for `==1.*`; a link has no version at all.
    except (InvalidRequirement, ValueError):
        return None, ""
    return (wish if given.operator == "==" else None), given.version
