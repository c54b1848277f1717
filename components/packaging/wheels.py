"""Third-party code for the archives: pinned wheels, unpacked once into a folder of their own."""

import hashlib
import json
import re
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from streaming_etl.components.packaging.fetch import Target, fetch, lambda_target
from streaming_etl.components.packaging.pins import Pin, read_pins, wanted
from streaming_etl.components.settings.validation import SettingsError

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "wheels"
HANDLERS_LOCK = ROOT / "handlers" / "requirements.txt"

# Counts up when the same wheels would be laid out otherwise.
LAYOUT = 1

# What an archive holds beside wheels, by the first part of a path.
OWN = re.compile(r"(streaming_etl|transform_module)(\..*)?|pipeline\.json|zoneinfo")

# Of a whole archive, in bytes; unzipped, a MiB of Lambda's 262,144,000 is left to our own files.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMITS = {"unzipped": 262_144_000 - 1_048_576, "zipped": 52_428_800}

Entries = dict[str, dict[str, Any]]
"""Of every file, by its path in an archive: its package, its hash and its sizes."""


@dataclass(frozen=True)
class Unpacked:
    """A build folder that is whole."""

    folder: Path
    entries: Entries

    @cached_property
    def files(self) -> dict[str, Path]:
        """Every file by its path in an archive."""
        return {path: self.folder / "files" / path for path in self.entries}


@dataclass(frozen=True, kw_only=True)
class Packages:
    """The wheels' files by their path in each function's archive."""

    forwarder: Mapping[str, Path]
    transform: Mapping[str, Path]


def carried_packages(runtime: str, architecture: str, requirements: Optional[str]) -> Packages:
    """What both functions carry; `requirements` names a lock file of the transform's own.

    Raises SettingsError for a lock file that is refused, and for wheels that cannot be had.
    """
    pins = handlers_pins(HANDLERS_LOCK)
    theirs: tuple[Pin, ...] = ()
    if requirements is not None:
        theirs = read_pins(Path(requirements), f"requirements={requirements!r}")
    # Together, not beside each other: only so is one seen to take another's place.
    transform = unpacked_once((*pins, *theirs), runtime, architecture, BUILD)
    check_size(transform.entries, lambda_target(runtime, architecture), theirs or pins)
    forwarder = unpacked_once(pins, runtime, architecture, BUILD)
    return Packages(forwarder=forwarder.files, transform=transform.files)


@cache
def handlers_pins(lock: Path) -> tuple[Pin, ...]:
    """What the handlers import beside Lambda's own packages, read once in a run."""
    return read_pins(lock, "handlers/requirements.txt")


def unpacked(pins: Sequence[Pin], target: Target) -> Unpacked:
    """The build folder of the pinned wheels, made unless it stands.

    An unchanged lock asks neither pip nor the network. Raises SettingsError.
    """
    chosen = wanted(pins, target.environment)
    lock = "".join(f"{pin.line(marked=True)}\n" for pin in pins)
    lines = [pin.line(marked=False) for pin in chosen]
    content = json.dumps([LAYOUT, target.name, target.options, lines, lock])
    folder = BUILD / hashlib.sha256(content.encode()).hexdigest()[:32]
    entries = standing(folder, lock)
    if entries is None:
        try:
            build(folder, lock, chosen, target)
        except OSError as error:
            raise SettingsError(
                f"the wheels for {target.name} cannot be kept in {BUILD}: {error.strerror};"
                " see to that folder and try again."
            ) from None
        entries = standing(folder, lock)
    if entries is None:
        raise SettingsError(f"{folder} is not as it was built; delete it and try again.")
    return Unpacked(folder, entries)


@cache
def unpacked_once(pins: tuple[Pin, ...], runtime: str, architecture: str, _build: Path) -> Unpacked:
    """The same for a Lambda runtime, looked at once in a run: a stack may have a hundred tables,
    and most of their functions carry the same wheels."""
    return unpacked(pins, lambda_target(runtime, architecture))


def folder_of(file: Path) -> Optional[Path]:
    """The build folder that a file lies in; None for a file of no wheel."""
    return BUILD / file.relative_to(BUILD).parts[0] if file.is_relative_to(BUILD) else None


def pins_in(folder: Path) -> tuple[Pin, ...]:
    """What a build folder was made from, for every Python and processor."""
    return read_pins(folder / "lock.txt", "the archive's lock")


def standing(folder: Path, lock: str) -> Optional[Entries]:
    """What a build folder holds; None unless it is whole and as it was built."""
    try:
        entries: Entries = json.loads((folder / "entries.json").read_text())
        files = folder / "files"
        found = {path.relative_to(files).as_posix() for path in files.rglob("*") if path.is_file()}
        same = (folder / "lock.txt").read_text() == lock and found == set(entries)
        for path, entry in entries.items():
            with (files / path).open("rb") as file:
                same &= hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]
    except (OSError, ValueError):
        return None
    return entries if same else None


def build(folder: Path, lock: str, pins: Sequence[Pin], target: Target) -> None:
    """Make the build folder: whole, or not at all."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="making-") as temporary:
        made = Path(temporary, "made")
        made.mkdir()
        entries = unpack(fetch(pins, target, Path(temporary)), made / "files")
        (made / "entries.json").write_text(json.dumps(entries, indent=1) + "\n")
        (made / "lock.txt").write_text(lock)
        # Another process may have made it meanwhile; only what is not whole must go.
        if standing(folder, lock) is None:
            with suppress(FileNotFoundError):
                folder.rename(Path(temporary, "damaged"))
            try:
                made.rename(folder)
            except OSError:
                if standing(folder, lock) is None:
                    raise


def unpack(wheels: Mapping[Path, Pin], files: Path) -> Entries:
    """Lay wheels out below `files` as they are found in an archive.

    pip would write this machine's paths and bytecode beside them. Raises SettingsError for a file
    that would take another's place.
    """
    entries: Entries = {}
    for wheel, pin in wheels.items():
        with zipfile.ZipFile(wheel) as archive:
            for item, path in carried(archive):
                data = archive.read(item)
                digest = hashlib.sha256(data).hexdigest()
                check_path(path, digest, pin, entries)
                (files / path).parent.mkdir(parents=True, exist_ok=True)
                (files / path).write_bytes(data)
                entries[path] = {
                    "package": pin.package,
                    "sha256": digest,
                    "unzipped": item.file_size,
                    "zipped": item.compress_size,
                }
    return dict(sorted(entries.items()))


def carried(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """A wheel's files with their path in an archive; scripts, headers and data stay out.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    for item in archive.infolist():
        top, _, below = item.filename.partition("/")
        if item.is_dir():
            continue
        if not top.endswith(".data"):
            yield item, item.filename
        elif below.startswith(("purelib/", "platlib/")):
            yield item, below.partition("/")[2]


def check_path(path: str, digest: str, pin: Pin, entries: Entries) -> None:
    """Refuse a file outside the archive, in the place of our own, or of another wheel's."""
    parts = PurePosixPath(path).parts
    other = entries.get(path)
    if ".." in parts or path.startswith("/"):
        problem = "lies outside the archive"
    elif OWN.fullmatch(parts[0]):
        problem = "lies where this project's own files lie"
    elif other is not None and other["sha256"] != digest:
        problem = f"{other['package']} brings too, with another content"
    else:
        return
    raise SettingsError(
        f"{pin.source}: {pin.package} brings {path}, which {problem}: an archive holds one file"
        " of a name; do without that package, or use another version."
    )


def check_size(entries: Entries, target: Target, pins: Sequence[Pin]) -> None:
    """Refuse more than Lambda takes; `pins` are those that could be done without."""
    for kind, limit in LIMITS.items():
        sizes: Counter[str] = Counter()
        for entry in entries.values():
            sizes[entry["package"]] += entry[kind]
        if sizes.total() > limit:
            largest = ", ".join(f"{name} with {size:,}" for name, size in sizes.most_common(3))
            raise SettingsError(
                f"{pins[0].source}: the wheels for {target.name} have {sizes.total():,} bytes"
                f" {kind}: Lambda leaves {limit:,} to them; do without some, or use smaller ones;"
                f" the largest are {largest}."
            )
