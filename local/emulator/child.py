"""The child process: ministack, some parts of it ours, alive no longer than its parent."""

import os
import shutil
import signal
import sys
import threading

from local import DIRECTORY_VARIABLE
from local.ministack_patches import export
from local.ministack_patches.event_source_mapping import poller as event_source_mapping
from local.ministack_patches.firehose import intake as firehose


def end_with_parent(directory: str) -> None:
    """Wait until the parent's end of the pipe closes, then end the whole process group.

    The parent may go without a word (SIGKILL, a closed terminal), so its temporary directory
    is removed here too.
    """
    os.read(sys.stdin.fileno(), 1)
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    directory = os.environ.get(DIRECTORY_VARIABLE)
    if directory is None:
        raise SystemExit("This module is started by local/emulator/process.py: use `make local`.")
    watcher = threading.Thread(target=end_with_parent, args=[directory], daemon=True)
    watcher.start()
    export.install()
    firehose.install()
    event_source_mapping.install()
    from ministack import app

    app.main()


if __name__ == "__main__":
    main()
