"""Replace the wheels of an archive by this machine's build of them."""

import threading
from pathlib import Path

import pulumi

from streaming_etl.components.packaging.fetch import host_target
from streaming_etl.components.packaging.wheels import folder_of, pins_in, unpacked

# Pulumi registers functions in parallel, and most have the same wheels.
LOCK = threading.Lock()


def on_this_machine(archive: pulumi.Archive) -> pulumi.Archive:
    """Return the archive for functions of the embedded AWS, which run in this Python."""
    if not isinstance(archive, pulumi.AssetArchive):
        return archive
    files = dict(archive.assets)
    folders: set[Path] = set()
    for name, asset in archive.assets.items():
        if isinstance(asset, pulumi.FileAsset) and (folder := folder_of(Path(asset.path))):
            folders.add(folder)
            del files[name]
    with LOCK:
        for folder in folders:
            built = unpacked(pins_in(folder), host_target()).files
            files |= {name: pulumi.FileAsset(str(path)) for name, path in built.items()}
    return pulumi.AssetArchive(files)
