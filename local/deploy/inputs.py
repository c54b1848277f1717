"""A resource's inputs on the way from Pulumi's spelling to boto3's, with none left unread."""

import io
import secrets
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from local import LocalError

# Zip archives know no earlier time; one time for all files gives the same bytes each run.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class Inputs:
    """What the program asks of one resource; a creator takes each key, see `check`."""

    def __init__(self, type_: str, logical_name: str, values: Mapping[str, Any]) -> None:
        self.type = type_
        self.logical_name = logical_name
        self._left = {key: whole(value) for key, value in values.items() if value is not None}

    def take(self, key: str, default: Any = None) -> Any:
        return self._left.pop(key, default)

    def name(self, key: str = "name") -> str:
        """The physical name: the given one, or as Pulumi makes it."""
        return str(self.take(key) or f"{self.logical_name}-{secrets.token_hex(4)[:7]}")

    def tags(self) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self.take("tags", {}).items()]

    def rest(self, **renamed: str) -> dict[str, Any]:
        """All that is left, in boto3's spelling: boto3 itself refuses what it does not know."""
        left, self._left = self._left, {}
        converted = pascal(left, **renamed)
        assert isinstance(converted, dict)
        return converted

    def check(self) -> None:
        """Fail on a key that no creator has taken: it would silently do nothing here."""
        if self._left:
            raise LocalError(
                f"The embedded AWS does not know {', '.join(sorted(self._left))} of {self.type} "
                f"({self.logical_name}). Take it up in the creator of that type in "
                "local/resources_*.py, or leave it out of the program."
            )


def pascal(value: Any, **renamed: str) -> Any:
    """Keys with a capital, all the way down; `renamed` gives those that differ in more.

    A map of free keys (Glue's and a SerDe's `parameters`) stays as it is.
    """
    if isinstance(value, list):
        return [pascal(item, **renamed) for item in value]
    if not isinstance(value, Mapping):
        return value
    result = {}
    for key, item in value.items():
        new = renamed.get(key, key[:1].upper() + key[1:])
        free = key == "parameters" and isinstance(item, Mapping)
        result[new] = dict(item) if free else pascal(item, **renamed)
    return result


def whole(value: Any) -> Any:
    """Pulumi's wire knows no integers: 30 arrives as 30.0, which boto3 refuses."""
    if isinstance(value, list):
        return [whole(item) for item in value]
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def zipped(archive: pulumi.Archive) -> bytes:
    """The archive as the provider uploads it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for path, data in sorted(files_of(archive).items()):
            file.writestr(zipfile.ZipInfo(path, ZIP_EPOCH), data)
    return content.getvalue()


def files_of(archive: pulumi.Asset | pulumi.Archive) -> dict[str, bytes]:
    """Path to content. An archive that names its files is the only kind that components make."""
    if not isinstance(archive, pulumi.AssetArchive):
        raise LocalError(
            f"The embedded AWS takes code as a pulumi.AssetArchive, not {type(archive).__name__}."
        )
    files = {}
    for path, asset in archive.assets.items():
        if isinstance(asset, pulumi.FileAsset):
            files[path] = Path(asset.path).read_bytes()
        elif isinstance(asset, pulumi.StringAsset):
            files[path] = asset.text.encode()
        else:
            nested = files_of(asset)
            files |= {f"{path}/{below}": data for below, data in nested.items()}
    return files
