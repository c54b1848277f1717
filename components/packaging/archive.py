"""Lambda code as archives that name every file: the same bytes on every machine."""

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pulumi

HANDLERS = Path(__file__).resolve().parents[2] / "handlers"
PACKAGE = Path(__file__).resolve().parents[2] / "streaming_etl" / "__init__.py"


@cache
def handler_files() -> tuple[Path, ...]:
    # A directory archive would pick up __pycache__ and change at every run of the tests.
    return tuple(sorted(HANDLERS.rglob("*.py")))


def archive_path(path: Path) -> str:
    """The path in an archive of one of the project's own files."""
    if path == PACKAGE:
        return "streaming_etl/__init__.py"
    return f"streaming_etl/handlers/{path.relative_to(HANDLERS).as_posix()}"


def forwarder_archive(packages: Mapping[str, Path]) -> pulumi.AssetArchive:
    """The forwarder's code: handlers and `packages`, the files of wheels by their path.

    One archive for all functions that carry the same.
    """
    return _archive(tuple(packages.items()))


def transform_archive(
    packages: Mapping[str, Path],
    transform_module: Path,
    settings: Mapping[str, Any],
    time_zone: str | None,
) -> pulumi.AssetArchive:
    """The transform's code: handlers, the user's module, `transform.json` and one time zone.

    `packages` are the files of wheels by their path; `settings` is what stands in transform.json;
    `time_zone` is an IANA name when the transform must tell local time itself (Lambda's image has
    no time zones), else None.
    """
    files = _handlers(packages)
    files["transform_module.py"] = pulumi.FileAsset(str(transform_module))
    files["transform.json"] = pulumi.StringAsset(json.dumps(settings, indent=1) + "\n")
    if time_zone is not None:
        zone = resources.files("tzdata").joinpath("zoneinfo", *time_zone.split("/"))
        files[f"zoneinfo/{time_zone}"] = pulumi.FileAsset(str(zone))
    return pulumi.AssetArchive(files)


@cache
def _archive(packages: tuple[tuple[str, Path], ...]) -> pulumi.AssetArchive:
    return pulumi.AssetArchive(_handlers(dict(packages)))


def _handlers(packages: Mapping[str, Path]) -> dict[str, pulumi.Asset | pulumi.Archive]:
    own = {archive_path(path): path for path in (PACKAGE, *handler_files())}
    return {name: _file(path) for name, path in {**packages, **own}.items()}


@cache
def _file(path: Path) -> pulumi.FileAsset:
    return pulumi.FileAsset(str(path))
