"""What Pulumi runs as the plugin, in the directory of the program that uses it."""

import sys
from pathlib import Path


def run() -> None:
    """Serve the engine, whose address is the first argument, until it ends this process."""
    # Python puts this folder on the path; the code is imported from the one above.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from pulumi.provider import main

    from package.host import PipelineProvider

    main(PipelineProvider(), sys.argv[1:])


if __name__ == "__main__":
    run()
