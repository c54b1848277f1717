"""Entry point of ministack's process: applies the patches, ends with its parent."""

import os
import shutil
import signal
import sys
import threading

from local import DIRECTORY_VARIABLE
from local.ministack_patches import export, metrics, scheduler, step_functions
from local.ministack_patches.athena import engine as athena
from local.ministack_patches.event_source_mapping import poller as event_source_mapping
from local.ministack_patches.firehose import intake as firehose
from local.ministack_patches.iceberg import catalog as iceberg


def end_with_parent(directory: str) -> None:
    """Kill the process group when the parent's end of the pipe closes.

    A killed parent cannot remove its temporary directory, so it is removed here as well.
    """
    os.read(sys.stdin.fileno(), 1)
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Patch and run ministack."""
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if directory is None:
        raise SystemExit("local/emulator/process.py starts this module. Run `make local`.")
    threading.Thread(target=end_with_parent, args=[directory], daemon=True).start()
    athena.install()
    export.install()
    firehose.install()
    event_source_mapping.install()
    iceberg.install()
    metrics.install()
    scheduler.install()
    step_functions.install()
    from ministack import app

    app.main()


if __name__ == "__main__":
    main()
