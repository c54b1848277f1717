"""This machine's build of the wheels in an archive, in place of the one that is for Lambda."""

import threading
from pathlib import Path

import pulumi

from streaming_etl.components.packaging.fetch import host_target
from streaming_etl.components.packaging.wheels import folder_of, pins_in, unpacked

# Pulumi registers resources side by side, and their functions mostly carry the same wheels.
ONE_AT_A_TIME = threading.Lock()


def on_this_machine(archive: pulumi.Archive) -> pulumi.Archive:
    """The archive as the functions of the embedded AWS need it, which run in this Python."""
    if not isinstance(archive, pulumi.AssetArchive):
        return archive
    files = dict(archive.assets)
    folders: set[Path] = set()
    for name, asset in archive.assets.items():
        if isinstance(asset, pulumi.FileAsset) and (folder := folder_of(Path(asset.path))):
            folders.add(folder)
            del files[name]
    with ONE_AT_A_TIME:
        for folder in folders:
            found = unpacked(pins_in(folder), host_target()).files
            files |= {name: pulumi.FileAsset(str(path)) for name, path in found.items()}
    return pulumi.AssetArchive(files)
