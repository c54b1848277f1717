"""Copies of a table's S3 objects as files that DuckDB reads."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from ministack.services import athena, s3


@dataclass(frozen=True)
class Files:
    """Files of one location, and the file that describes them."""

    paths: list[str]
    descriptions: Path
    """JSON lines: name of the file, `"$path"` of the object, and its partition values."""
    largest: int
    """Bytes of the largest file, without compression."""


class TableFiles:
    """The locations that one query reads, each listed and copied once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._locations: dict[str, Files] = {}

    def of(self, location: str) -> Files:
        """Copy all objects below a location, unless they are copied already."""
        if location not in self._locations:
            directory = self._directory / str(len(self._locations))
            directory.mkdir()
            self._locations[location] = copy(location, directory)
        return self._locations[location]


def copy(location: str, directory: Path) -> Files:
    """Write the objects to numbered files.

    A key may contain what a file's name cannot.
    """
    url = urlparse(location)
    prefix = url.path.strip("/") + "/" if url.path.strip("/") else ""
    objects = (s3._buckets.get(url.netloc) or {"objects": {}})["objects"]
    paths: list[str] = []
    largest = 0
    with (directory / "objects.json").open("w") as descriptions:
        for key in sorted(key for key in list(objects) if key.startswith(prefix)):
            relative = key.removeprefix(prefix)
            if key.endswith("/") or athena._hidden(relative):
                continue
            data = s3._get_object_data(url.netloc, key)
            if data and key.endswith(".gz"):
                data = gzip.decompress(data)
            if not data:
                continue
            file = directory / str(len(paths))
            file.write_bytes(data)
            paths.append(str(file))
            largest = max(largest, len(data))
            path, values = f"s3://{url.netloc}/{key}", partition_values(relative)
            description = {"file": str(file), "path": path, "values": values}
            descriptions.write(json.dumps(description) + "\n")
    return Files(paths, directory / "objects.json", largest)


def partition_values(relative_key: str) -> dict[str, str]:
    """Return the values in the `name=value` folders of a key."""
    folders = (folder.partition("=") for folder in relative_key.split("/")[:-1])
    return {name.lower(): unquote(value) for name, equals, value in folders if equals}
