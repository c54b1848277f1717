"""Wheels of pinned packages for one Python on one processor, fetched and checked by pip."""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

from streaming_etl.components.packaging.pins import Pin
from streaming_etl.components.settings.validation import SettingsError

# The minor of glibc 2: Amazon Linux 2 for Python 3.11, Amazon Linux 2023 for later ones.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
GLIBC = {"3.11": 26}
LATER_GLIBC = 34
MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The Python and the processor that wheels are to run on."""

    name: str
    options: tuple[str, ...]
    """What tells pip of it; nothing for the Python that runs pip."""
    environment: Mapping[str, str]
    """What the markers of a lock file ask for."""


def lambda_target(runtime: str, architecture: str) -> Target:
    """A Lambda runtime, such as python3.13, on arm64 or x86_64."""
    version, machine = runtime.removeprefix("python"), MACHINES[architecture]
    # Newest first, each by every name it has: where several wheels fit, this order alone chooses,
    # whatever a version of pip takes a platform to imply.
    platforms = [
        *(f"manylinux_2_{minor}" for minor in range(GLIBC.get(version, LATER_GLIBC), 4, -1)),
        *("manylinux2014", "manylinux2010", "manylinux1"),
    ]
    options = ["--implementation", "cp", "--python-version", version]
    # Left out, pip would take the ABI of the Python that it runs on: a debug build has another.
    options += ["--abi", f"cp{version.replace('.', '')}"]
    for platform in platforms:
        options += ["--platform", f"{platform}_{machine}"]
    environment = {
        "extra": "",
        "implementation_name": "cpython",
        "implementation_version": f"{version}.0",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{version}.0",
        "python_version": version,
        "sys_platform": "linux",
    }
    name = f"{runtime} on {architecture}"
    return Target(name=name, options=tuple(options), environment=environment)


def host_target() -> Target:
    """The Python that runs this, for which pip chooses by itself."""
    environment = {"extra": "", **{key: str(it) for key, it in default_environment().items()}}
    return Target(name=f"this machine's {next(sys_tags())}", options=(), environment=environment)


def fetch(pins: Sequence[Pin], target: Target, folder: Path) -> dict[Path, Pin]:
    """Fetch one wheel per pin into `folder`; each with its pin.

    Raises SettingsError when one of them cannot be had.
    """
    if not pins:
        return {}
    # Without markers: pip would ask them of the Python that it runs on.
    lock = folder / "requirements.txt"
    lock.write_text("".join(f"{pin.line(marked=False)}\n" for pin in pins))
    command = [
        # A module of the program's folder must not stand in for one of pip's.
        *(sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input"),
        *("download", "--require-hashes", "--only-binary=:all:", "--no-deps", *target.options),
        *("--progress-bar", "off", "--dest", str(folder), "--requirement", str(lock)),
    ]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        raise _refusal(done.stdout + done.stderr, pins, target)
    by_name = {pin.name: pin for pin in pins}
    wheels = sorted(folder.glob("*.whl"))
    return {wheel: by_name[canonicalize_name(wheel.name.partition("-")[0])] for wheel in wheels}


def _refusal(said: str, pins: Sequence[Pin], target: Target) -> SettingsError:
    """What pip's many lines come to."""
    unlike = re.search(r"DO NOT MATCH THE HASHES.*?^\s+(\S+) from ", said, re.DOTALL | re.MULTILINE)
    missing = re.search(r"No matching distribution found for (\S+)", said)
    if unlike:
        problem = f"has a wheel for {target.name} that is none of those locked"
        return _refuse(pins, unlike[1], f"{problem}; lock the file again, for every platform.")
    if "Retrying (" in said or "Could not fetch URL" in said:
        problem = f"cannot be fetched for {target.name}: pip reaches no package index"
        named = missing[1] if missing else ""
        return _refuse(pins, named, f"{problem}; see to the network or to pip's configuration.")
    if missing:
        problem = f"has no wheel for {target.name} that pip could find, and nothing is built here"
        remedy = "use a version with a wheel, or another runtime or architecture."
        return _refuse(pins, missing[1], f"{problem}; {remedy}")
    problem = f"cannot be fetched for {target.name}"
    if "No module named pip" in said:
        remedy = "this Python has no pip; run `python -m ensurepip` with it."
        return _refuse(pins, "", f"{problem}: {remedy}")
    errors = re.findall(r"^ERROR: (.*)$", said, re.MULTILINE) or ["nothing"]
    # An address may hold a password.
    essence = re.sub(r"\w+://\S+|host='[^']*'", "(an address)", errors[-1])
    return _refuse(pins, "", f"{problem}: pip says `{essence}`; mend that and try again.")


def _refuse(pins: Sequence[Pin], package: str, problem: str) -> SettingsError:
    """The error of one package; of all of them where pip names none."""
    of = [pin for pin in pins if pin.package == package] or pins
    names = ", ".join(pin.package for pin in of)
    return SettingsError(f"{of[-1].source}: {names} {problem}")
