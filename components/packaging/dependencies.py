"""Third-party packages of the functions, installed by uv into a content-addressed cache."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple, Optional, Union

from uv import find_uv_bin

from streaming_etl.components.settings.validation import SettingsError, invalid

# The package's folder, or the top of a checkout.
ROOT = Path(__file__).resolve().parents[2]
HANDLERS_LOCK = ROOT / "handlers" / "requirements.txt"

# Increase this number when the same lock produces different files.
LAYOUT = 2

# Files that uv writes for its own use and for this machine.
TOP_LEVEL_EXTRAS = {"bin", ".lock"}
METADATA_EXTRAS = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}

# First path parts of an archive's other files.
RESERVED = re.compile(
    r"(streaming_etl|transform_module)(\..*)?|(forwarder|transform)\.json|zoneinfo"
)

# Of an archive, in bytes; unzipped, 1 MiB of Lambda's 262,144,000 is left to our own files.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMITS = {"unzipped": 262_144_000 - 1_048_576, "zipped": 52_428_800}

# Amazon Linux 2 (Python 3.11) has glibc 2.26, Amazon Linux 2023 (later ones) has 2.34; uv knows
# no platform between 2.17 and 2.28. https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
GLIBC = {"python3.11": "2_17"}
LATER_GLIBC = "2_34"
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}

COMMENT = re.compile(r"(^|\s)#.*")
CONTINUATION = re.compile(r"\\\s*\n")
PIN = re.compile(
    r"[\w.-]+\s*(\[[\w\s.,-]*\])?\s*==\s*[\w.!+-]+"
    r"(\s*;\s*[^#]+?)?(\s+--hash[= ]sha(256|384|512):[0-9a-f]+)+"
)


class Target(NamedTuple):
    """The Python and the processor that packages are installed for."""

    name: str
    options: tuple[str, ...]
    """uv's options; none for the Python that runs this program."""

    @staticmethod
    def lambda_(runtime: str, architecture: str) -> "Target":
        """Return the target of a Lambda runtime, such as python3.13."""
        platform = f"{MACHINES[architecture]}-manylinux_{GLIBC.get(runtime, LATER_GLIBC)}"
        version = runtime.removeprefix("python")
        options = ("--python-platform", platform, "--python-version", version)
        return Target(f"{runtime} on {architecture}", options)

    @staticmethod
    def host() -> "Target":
        """Return the target of the Python that runs this program."""
        return Target(f"{sys.implementation.cache_tag} on {sysconfig.get_platform()}", ())


_target: ContextVar[Optional[Target]] = ContextVar("target", default=None)


@contextmanager
def install_for(target: Target) -> Iterator[None]:
    """Override the target, for a local run of the functions."""
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


class File(NamedTuple):
    """One installed file."""

    package: str
    """Such as `orjson==3.13.0`."""
    sha256: str
    unzipped: int
    zipped: int


@dataclass(frozen=True)
class Dependencies:
    """An intact folder of the cache.

    files: by their path in an archive.
    """

    folder: Path
    files: Mapping[str, File]

    def read(self, path: str) -> bytes:
        return (self.folder / "files" / path).read_bytes()


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Packages in each function's archive."""

    forwarder: Dependencies
    transform: Dependencies


def ensure_dependencies(target: Target, requirements: Optional[str]) -> Packages:
    """Install the packages of both functions, unless the cache holds them.

    `requirements` is the path of the transform's lock file. Raises SettingsError when a lock file
    is invalid or uv cannot install it, and when packages conflict or exceed Lambda's limits.
    """
    target = _target.get() or target
    handlers = read_lock(HANDLERS_LOCK, "handlers/requirements.txt")
    forwarder = _install((handlers,), target)
    if requirements is None:
        return Packages(forwarder=forwarder, transform=forwarder)
    # One run of uv for both, so that uv reports two versions of one package.
    transform = _install((handlers, read_lock(Path(requirements), requirements)), target)
    return Packages(forwarder=forwarder, transform=transform)


def cache_folder() -> Path:
    """Return the cache of a checkout, or of the user."""
    if (ROOT / "streaming_etl").is_dir():
        return ROOT / ".build" / "dependencies"
    defaults = {"darwin": "~/Library/Caches", "win32": "~/AppData/Local"}
    default = defaults.get(sys.platform, "~/.cache")
    base = os.environ.get("XDG_CACHE_HOME") or Path(default).expanduser()
    return Path(base, "streaming-etl", "dependencies")


class Lock(NamedTuple):
    """A lock file's text, and its path as messages show it."""

    path: str
    text: str

    def problem(self, rule: str, **details: object) -> SettingsError:
        """Build the error of a violated rule."""
        return SettingsError(invalid("requirements", self.path, rule, path="transform", **details))


def read_lock(file: Path, path: str) -> Lock:
    """Read a lock file.

    path: the file's name in messages.
    Raises SettingsError unless every package has one version and its hashes.
    """
    if not file.is_file():
        raise Lock(path, "").problem("lock-missing", directory=str(Path.cwd()))
    try:
        lock = Lock(path, file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Lock(path, "").problem("lock-encoding", reason=error.reason) from None
    raw = CONTINUATION.sub(" ", lock.text).splitlines()
    lines = [line for text in raw if (line := COMMENT.sub("", text).strip())]
    if not lines:
        raise lock.problem("lock-empty")
    # Only the first word, because an option's value may be an address with a password.
    unpinned = [re.split(r"[=<>~!@;\s]", line)[0] for line in lines if not PIN.fullmatch(line)]
    if unpinned:
        raise lock.problem("lock-unpinned", entries=tuple(dict.fromkeys(unpinned)))
    return lock


def _install(locks: tuple[Lock, ...], target: Target) -> Dependencies:
    """Return the intact folder of these locks, without more than Lambda accepts."""
    installed = _install_once(locks, target, cache_folder())
    if isinstance(installed, SettingsError):
        raise SettingsError(installed.problems)
    _check_sizes(installed, locks[-1], target)
    return installed


@cache
def _install_once(
    locks: tuple[Lock, ...], target: Target, cached: Path
) -> Union[Dependencies, SettingsError]:
    """Install or check once in a process, for all pipelines."""
    content = json.dumps([LAYOUT, target, [lock.text for lock in locks]])
    folder = cached / _sha256(content.encode())[:32]
    try:
        return load_if_intact(folder) or _build(folder, locks, target)
    except OSError as error:
        return not_writable("cache folder", cached, error)
    except SettingsError as error:
        return error


def not_writable(name: str, folder: Path, error: OSError) -> SettingsError:
    """Build the error of a folder that cannot be written."""
    return SettingsError(invalid(name, str(folder), "not-writable", reason=error.strerror))


def load_if_intact(folder: Path) -> Optional[Dependencies]:
    """Return a folder of the cache; None unless its files are unchanged."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        files = {path: File(*entry) for path, entry in manifest.items()}
        stored = {path: _sha256(file.read_bytes()) for path, file in _files(folder / "files")}
    except (OSError, ValueError, TypeError, AttributeError):
        return None
    intact = stored == {path: file.sha256 for path, file in files.items()}
    return Dependencies(folder, files) if intact else None


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder with its path there."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return sorted((path.relative_to(folder).as_posix(), path) for path in paths)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _build(folder: Path, locks: tuple[Lock, ...], target: Target) -> Dependencies:
    """Create a folder of the cache by one atomic rename."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="incomplete-") as temporary:
        incomplete = Path(temporary, "incomplete")
        _run_uv(incomplete / "files", locks, target)
        files = _describe(incomplete / "files", locks[-1])
        (incomplete / "manifest.json").write_text(json.dumps(files, indent=1) + "\n")
        # Another process may have created the folder; only a damaged folder is replaced.
        if load_if_intact(folder) is None:
            with suppress(FileNotFoundError):
                folder.rename(Path(temporary, "damaged"))
            try:
                incomplete.rename(folder)
            except OSError:
                if load_if_intact(folder) is None:
                    raise
        return Dependencies(folder, files)


def _run_uv(files: Path, locks: tuple[Lock, ...], target: Target) -> None:
    files.mkdir(parents=True)
    command = [find_uv_bin(), "pip", "install", "--target", str(files)]
    command += ["--python", sys.executable, "--no-python-downloads", *target.options]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps"]
    command += ["--link-mode", "copy", "--no-progress", "--color", "never"]
    for number, lock in enumerate(locks):
        path = files.parent.parent / f"{number}.txt"
        path.write_text(lock.text, encoding="utf-8")
        command += ["--requirement", str(path)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        raise locks[-1].problem(
            "packages-not-installable", target=target.name, reason=_reason(done.stderr)
        )


def _reason(stderr: str) -> str:
    """Return uv's error in one line, without addresses.

    An address may hold a password.
    """
    _, error, text = stderr.partition("error: ")
    line = " ".join((text if error else stderr).split()) or "nothing"
    return re.sub(r"\w+://[^\s)]+", "(an address)", line).rstrip(".")


def _describe(files: Path, lock: Lock) -> dict[str, File]:
    """Remove the files that uv adds, and describe the others.

    Raises SettingsError for a reserved file, and for one that differs between two packages.
    """
    owners = _owners(files, lock)
    _remove_extras(files)
    described = {}
    for path, file in _files(files):
        package = owners.get(path, "a package that does not list it")
        if RESERVED.fullmatch(path.split("/")[0]):
            raise lock.problem("package-reserved-file", package=package, file=path)
        data = file.read_bytes()
        described[path] = File(package, _sha256(data), len(data), len(zlib.compress(data)))
    return described


def _owners(files: Path, lock: Lock) -> dict[str, str]:
    """Return the package of each path, from the RECORD files."""
    owners: dict[str, str] = {}
    digests: dict[str, str] = {}
    for record in sorted(files.glob("*.dist-info/RECORD")):
        package = "==".join(record.parent.name.removesuffix(".dist-info").rsplit("-", 1))
        for path, digest, _ in csv.reader(record.read_text(encoding="utf-8").splitlines()):
            if path.split("/")[0] in TOP_LEVEL_EXTRAS:
                continue
            owner = owners.setdefault(path, package)
            if digests.setdefault(path, digest) != digest:
                packages = (owner, package)
                raise lock.problem("packages-conflict", packages=packages, file=path)
    return owners


def _remove_extras(files: Path) -> None:
    extras = [files / name for name in TOP_LEVEL_EXTRAS]
    extras += [path for name in METADATA_EXTRAS for path in files.glob(f"*.dist-info/{name}")]
    for path in (*extras, *files.rglob("__pycache__")):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _check_sizes(dependencies: Dependencies, lock: Lock, target: Target) -> None:
    """Reject more than Lambda accepts."""
    for kind, limit in LIMITS.items():
        sizes: Counter[str] = Counter()
        for file in dependencies.files.values():
            sizes[file.package] += getattr(file, kind)
        if sizes.total() > limit:
            largest = [f"{name} with {size:,}" for name, size in sizes.most_common(3)]
            raise lock.problem(
                "packages-too-large",
                kind=kind,
                target=target.name,
                limit=limit,
                size=sizes.total(),
                largest=largest,
            )
