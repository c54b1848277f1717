"""Where figures were taken: without it they say little."""

import os
import platform
import subprocess
from datetime import date
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("msgspec", "pybase64", "orjson", "boto3")


def description() -> str:
    """The machine, Python, the packages and the day, in one line."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()};"
        f" Python {platform.python_version()}, {packages}; {date.today().isoformat()}"
    )


def processor() -> str:
    """The processor's name as its maker tells it, as far as the system knows."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return platform.processor() or "an unnamed processor"
