"""Wheels and lock files made by hand, which pip finds in a folder: no network."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

ANY = "py3-none-any"

# What every archive carries, with the extension module of each.
CARRIED = {
    "msgspec": "msgspec/_core",
    "orjson": "orjson/orjson",
    "pybase64": "pybase64/_pybase64",
}


@dataclass
class Wheelhouse:
    """Makes wheels in `folder`, and lock files beside it."""

    folder: Path

    def wheel(
        self,
        name: str,
        files: dict[str, str] | None = None,
        *,
        version: str = "1.0",
        tag: str = ANY,
    ) -> Path:
        """A wheel of this tag; `files` beside those that every wheel has."""
        info = f"{name}-{version}.dist-info"
        metadata = {
            f"{info}/METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                # A lock file names all that is wanted: nothing else is looked for.
                "Requires-Dist: nowhere\n"
            ),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
            f"{info}/RECORD": "",
        }
        path = self.folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in {**(files or {f"{name}.py": tag}), **metadata}.items():
                archive.writestr(zipfile.ZipInfo(file), text, zipfile.ZIP_DEFLATED)
        return path

    def line(self, name: str, *wheels: Path, version: str = "1.0", marker: str = "") -> str:
        """A package's line in a lock file, with the hashes of these files."""
        hashes = [f"--hash=sha256:{sha256(path)}" for path in wheels]
        return " \\\n    ".join([f"{name}=={version}{marker}", *hashes]) + "\n"

    def lock(self, *lines: str, name: str = "lock.txt") -> Path:
        path = self.folder.parent / name
        path.write_text("".join(lines))
        return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
