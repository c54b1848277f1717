"""Lambda code as zip files with the same bytes on every machine."""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Optional

import pulumi

from streaming_etl.components.packaging.dependencies import (
    LIMITS,
    ROOT,
    Dependencies,
    not_writable,
)

HANDLERS = ROOT / "handlers"

# Below the program's folder: Pulumi records the path, which is then the same on every machine.
FOLDER = Path(".build", "archives")

# Increase this number when the same files produce different bytes.
FORMAT = 1

# A zip file cannot contain an earlier time.
TIME = (1980, 1, 1, 0, 0, 0)
# What Lambda needs to read a file. https://docs.aws.amazon.com/lambda/latest/dg/python-package.html
MODE = 0o100644


def forwarder_archive(dependencies: Dependencies, config: Mapping[str, Any]) -> pulumi.FileArchive:
    """Return the code of the forwarder, which the backfill shares; config: forwarder.json."""
    return _archive("forwarder", dependencies, {"forwarder.json": _json(config)})


def transform_archive(
    dependencies: Dependencies,
    files: Mapping[str, Path],
    config: Mapping[str, Any],
    time_zone: Optional[str],
) -> pulumi.FileArchive:
    """Return the transform's code, with the user's files and its config.

    files: by their path in the folder `transform_module`; none if the function imports no module.
    `config` becomes transform.json. `time_zone` is an IANA name when the transform computes local
    time itself, because Lambda's image has no time zones; otherwise None.
    """
    own = {"transform.json": _json(config)}
    own |= {f"transform_module/{path}": file.read_bytes() for path, file in files.items()}
    if time_zone is not None:
        zone = resources.files("tzdata").joinpath("zoneinfo", *time_zone.split("/"))
        own[f"zoneinfo/{time_zone}"] = zone.read_bytes()
    return _archive("transform", dependencies, own)


def _json(config: Mapping[str, Any]) -> bytes:
    return (json.dumps(config, indent=1) + "\n").encode()


@cache
def handler_files() -> Mapping[str, bytes]:
    """Return the handlers' source files by their path in an archive."""
    in_checkout = ROOT / "streaming_etl" / "__init__.py"
    init = in_checkout if in_checkout.is_file() else ROOT / "__init__.py"
    files = {"streaming_etl/__init__.py": init.read_bytes()}
    for path in HANDLERS.rglob("*.py"):
        name = f"streaming_etl/handlers/{path.relative_to(HANDLERS).as_posix()}"
        files[name] = path.read_bytes()
    return files


def _archive(name: str, dependencies: Dependencies, own: Mapping[str, bytes]) -> pulumi.FileArchive:
    """Write a zip file named after its content, unless it exists."""
    own = {**handler_files(), **own}
    hashes = {path: file.sha256 for path, file in dependencies.files.items()}
    hashes |= {path: hashlib.sha256(data).hexdigest() for path, data in own.items()}
    content = json.dumps([FORMAT, sorted(hashes.items())])
    path = FOLDER / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}.zip"
    if not path.is_file():
        try:
            _write(path, dependencies, own)
        except OSError as error:
            raise not_writable("archive folder", FOLDER.absolute(), error) from None
    return pulumi.FileArchive(path.as_posix())


def _write(path: Path, dependencies: Dependencies, own: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    (path.parent / ".gitignore").write_text("*\n")
    size = sum(file.unzipped for file in dependencies.files.values()) + sum(map(len, own.values()))
    # Not compressed unless Lambda's limit requires it: zlib's output differs between machines.
    large = size > LIMITS["zipped"] - 2**20
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="incomplete-") as temporary:
        incomplete = Path(temporary, path.name)
        with zipfile.ZipFile(incomplete, "w") as archive:
            for name in sorted({*dependencies.files, *own}):
                entry = zipfile.ZipInfo(name, TIME)
                entry.compress_type = zipfile.ZIP_DEFLATED if large else zipfile.ZIP_STORED
                entry.create_system = 3  # Unix, on every machine.
                entry.external_attr = MODE << 16
                archive.writestr(entry, own[name] if name in own else dependencies.read(name))
        os.replace(incomplete, path)
