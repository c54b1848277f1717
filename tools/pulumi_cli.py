"""Finds the Pulumi CLI, or builds it once with Go."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# A version that works with the pulumi package in requirements.txt.
VERSION = "v3.276.0"
MODULE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
NOT_AVAILABLE = 3
"""Exit code when there is neither the CLI nor Go."""


def cache_folder() -> Path:
    """Return the folder of the CLI, outside the checkout."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "streaming-etl" / f"pulumi-{VERSION}"


def find() -> Path | None:
    """Return the folder of a CLI on the PATH or built earlier."""
    if installed := shutil.which("pulumi"):
        return Path(installed).parent
    return cache_folder() if os.access(cache_folder() / "pulumi", os.X_OK) else None


def build(go: str) -> Path:
    """Build the CLI from its Go module; return its folder.

    Raises CalledProcessError when a command of Go fails.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"Building the Pulumi CLI {VERSION} with Go (once, some minutes) ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        commands = (
            ["mod", "init", "cli"],
            ["get", "-tool", f"{MODULE}@{VERSION}"],
            # The Automation API rejects a CLI without a version.
            ["build", "-ldflags", f"-s -w -X {VERSION_VARIABLE}={VERSION}", "-o", "pulumi", MODULE],
        )
        for command in commands:
            subprocess.run([go, *command], cwd=temporary, check=True, stdout=sys.stderr)
        os.replace(Path(temporary, "pulumi"), folder / "pulumi")
    return folder


def main() -> int:
    """Print the folder of the CLI; build the CLI if necessary."""
    folder = find()
    if folder is None:
        go = shutil.which("go")
        if go is None:
            print("Neither pulumi nor go is on the PATH. Install the Pulumi CLI.", file=sys.stderr)
            return NOT_AVAILABLE
        folder = build(go)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
