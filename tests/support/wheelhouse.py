"""Wheels and lock files for tests without a network."""

import base64
import csv
import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

ANY = "py3-none-any"

# Packages in every archive, with the extension module of each.
CARRIED = {
    "msgspec": "msgspec/_core",
    "orjson": "orjson/orjson",
    "pybase64": "pybase64/_pybase64",
}


@dataclass
class Wheelhouse:
    """Makes wheels in `folder`, and lock files next to it."""

    folder: Path

    def wheel(
        self,
        name: str,
        files: dict[str, str] | None = None,
        *,
        tag: str = ANY,
        version: str = "1.0",
    ) -> Path:
        """Make a wheel from `files`, by default one module."""
        info = f"{name}-{version}.dist-info"
        contents = {
            **(files or {f"{name}.py": tag}),
            # A lock file names everything: dependencies are not resolved.
            f"{info}/METADATA": (
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: nowhere\n"
            ),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = io.StringIO()
        rows = [[path, record_hash(text), len(text)] for path, text in contents.items()]
        csv.writer(record).writerows([*rows, [f"{info}/RECORD", "", ""]])
        path = self.folder / f"{name}-{version}-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in {**contents, f"{info}/RECORD": record.getvalue()}.items():
                archive.writestr(zipfile.ZipInfo(file), text)
        return path

    def line(self, name: str, *wheels: Path, version: str = "1.0", marker: str = "") -> str:
        """Return a package's line of a lock file."""
        hashes = [f"--hash=sha256:{sha256(path)}" for path in wheels]
        return " \\\n    ".join([f"{name}=={version}{marker}", *hashes]) + "\n"

    def lock(self, *lines: str, name: str = "lock.txt") -> Path:
        path = self.folder.parent / name
        path.write_text("".join(lines))
        return path

    def locked(self, name: str, files: dict[str, str] | None = None, *, tag: str = ANY) -> Path:
        """Make a wheel and a lock file that pins it alone."""
        return self.lock(self.line(name, self.wheel(name, files, tag=tag)), name=f"{name}.txt")


def record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
