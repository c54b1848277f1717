"""A function's archive in few lines: what all archives share is told once in a stack."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from streaming_etl.components.packaging.wheels import folder_of
from tools.graph.flatten import digest, facts

DIST_INFO = re.compile(r"([^/]+)-([^-/]+)\.dist-info/.*")

Assets = Mapping[str, dict[str, str]]
"""The files of an archive by their path in it, as the recorder tells them."""


def is_archive(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(asset, dict) and set(asset) in ({"file"}, {"text"}) for asset in value.values()
    )


def parts(archive: Assets, root: Path) -> dict[str, str]:
    """The parts that archives share, each on one line: `handlers`, and `wheels`."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for path, asset in archive.items():
        if part := part_of(path, asset):
            found[part][path] = asset
    return {part: condensed(files, root) for part, files in sorted(found.items())}


def part_of(path: str, asset: Mapping[str, str]) -> str:
    if path.startswith("streaming_etl/"):
        return "handlers"
    return "wheels" if "file" in asset and is_of_a_wheel(asset["file"]) else ""


@cache
def is_of_a_wheel(file: str) -> bool:
    """Whether a file lies where wheels are unpacked, a folder of its own on each machine."""
    return folder_of(Path(file)) is not None


def condensed(files: Assets, root: Path) -> str:
    """Packages with their versions, the number of files, and one digest of all."""
    packages = {f"{it[1]} {it[2]}" for path in files if (it := DIST_INFO.fullmatch(path))}
    contents = {path: asset_digest(asset, root) for path, asset in files.items()}
    told = f"digest {digest(json.dumps(contents, sort_keys=True).encode())}"
    return ", ".join([*sorted(packages), f"{len(files)} files", told])


def own_facts(path: str, archive: Assets, root: Path) -> Iterator[str]:
    """The files that are in no part, such as the transform module."""
    for name, asset in sorted(archive.items()):
        if part_of(name, asset):
            continue
        if "text" in asset:
            yield from facts(f"{path}[{name}]", asset["text"])
            continue
        file = root / asset["file"]
        # A path outside the program is a machine's own.
        where = f"{file.relative_to(root).as_posix()}, " if inside(file, root) else ""
        yield f"{path}[{name}]: {where}digest {asset_digest(asset, root)}"


def inside(file: Path, root: Path) -> bool:
    """Whether a file is the program's own, not one of a package that is installed below it."""
    return file.is_relative_to(root) and "site-packages" not in file.parts


def asset_digest(asset: Mapping[str, str], root: Path) -> str:
    if "text" in asset:
        return digest(asset["text"].encode())
    file = os.path.join(root, asset["file"])
    status = os.stat(file)
    return file_digest(file, status.st_mtime_ns, status.st_size)


@cache
def file_digest(file: str, _changed_at: int, _size: int) -> str:
    """A hundred pipelines carry the same files: each is read once."""
    return digest(Path(file).read_bytes())
